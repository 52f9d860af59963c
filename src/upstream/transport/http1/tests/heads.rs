//! Heads, ours and theirs.

use std::time::Duration;

use bytes::Bytes;
use proptest::{collection::vec, prelude::*};
use reqwest::{
    Method,
    header::{AUTHORIZATION, HeaderMap, HeaderValue},
};

use super::super::{
    super::Request,
    decoder::Framing,
    head::{self, AnswerHead, HeadError, MAX_HEAD_BYTES},
};

const LONGEST_IDLE: Duration = Duration::from_secs(50);

fn parse(head: &str) -> Result<AnswerHead, HeadError> {
    head::parse(head.as_bytes(), LONGEST_IDLE)
}

/// A head of status 200 with these lines.
fn ok(lines: &[&str]) -> Result<AnswerHead, HeadError> {
    let lines: String = lines.iter().flat_map(|line| [line, "\r\n"]).collect();
    parse(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n"))
}

fn request_head(url: &str) -> String {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer k"));
    let body = Bytes::from_static(b"{}");
    let head = head::request_head(&Request {
        method: Method::POST,
        url: url.parse().unwrap(),
        headers,
        body,
    });
    String::from_utf8(head).unwrap()
}

#[test]
fn a_request_names_its_path_its_host_and_its_length() {
    assert_eq!(
        request_head("http://h:8080/v1/responses?api-version=1"),
        "POST /v1/responses?api-version=1 HTTP/1.1\r\nhost: h:8080\r\n\
         authorization: Bearer k\r\ncontent-length: 2\r\n\r\n"
    );
    assert!(request_head("https://h:443/").contains("\r\nhost: h\r\n"));
    assert!(request_head("http://[::1]:1/").contains("\r\nhost: [::1]:1\r\n"));
}

#[test]
fn an_address_cannot_smuggle_lines_into_a_request() {
    let head = request_head("http://h/a\r\nx: y/\u{e9}?b\r\nc d#\r\n");

    assert_eq!(head.matches("\r\n").count(), 5, "{head}");
    assert!(head.starts_with("POST /ax:%20y/%C3%A9?bc%20d HTTP/1.1\r\n"), "{head}");
}

#[test]
fn the_length_of_a_body_is_found_as_the_standard_says() {
    let framing = |lines: &[&str]| ok(lines).map(|head| head.framing);

    assert_eq!(framing(&[]), Ok(Framing::UntilClose));
    assert_eq!(framing(&["content-length: 5"]), Ok(Framing::Length(5)));
    assert_eq!(framing(&["content-length: 5, 5", "content-length:5"]), Ok(Framing::Length(5)));
    assert_eq!(framing(&["Transfer-Encoding: Chunked"]), Ok(Framing::Chunked));
    assert_eq!(framing(&["content-length: 5", "transfer-encoding: chunked"]), Ok(Framing::Chunked));
    for lines in [
        &["content-length: 5", "content-length: 6"][..],
        &["content-length: -5"],
        &["content-length: +5"],
        &["content-length:"],
        &["content-length: 99999999999999999999"],
    ] {
        assert_eq!(framing(lines), Err(HeadError::Length), "{lines:?}");
    }
    for lines in [
        &["transfer-encoding: gzip, chunked"][..],
        &["transfer-encoding: chunked", "transfer-encoding: chunked"],
        &["transfer-encoding: identity"],
    ] {
        assert_eq!(framing(lines), Err(HeadError::TransferCoding), "{lines:?}");
    }
    for status in ["204 No Content", "304 Not Modified", "100 Continue"] {
        let head = parse(&format!("HTTP/1.1 {status}\r\ncontent-length: 5\r\n\r\n")).unwrap();
        assert_eq!(head.framing, Framing::Length(0), "{status}");
    }
}

#[test]
fn a_connection_is_kept_if_its_server_means_to_and_no_longer() {
    let kept = |lines: &[&str]| ok(&[lines, &["content-length: 0"]].concat()).unwrap().keep_alive;

    assert_eq!(kept(&[]), Some(LONGEST_IDLE));
    assert_eq!(kept(&["keep-alive: timeout=5, max=100"]), Some(Duration::from_secs(4)));
    assert_eq!(kept(&["keep-alive: timeout=500"]), Some(LONGEST_IDLE));
    assert_eq!(kept(&["keep-alive: timeout=0"]), Some(Duration::ZERO));
    assert_eq!(kept(&["keep-alive: timeout=soon"]), Some(LONGEST_IDLE));
    assert_eq!(kept(&["connection: Upgrade, Close"]), None);
    assert_eq!(kept(&["transfer-encoding: chunked"]), None);
    assert_eq!(ok(&[]).unwrap().keep_alive, None);
    let old = parse("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    assert_eq!(old.keep_alive, None);
}

#[test]
fn what_is_no_head_is_an_error() {
    for head in ["SSH-2.0-x\r\n\r\n", "HTTP/2.0 200\r\n\r\n", "HTTP/1.1 2 x\r\n\r\n", "\r\n\r\n"] {
        assert_eq!(parse(head).unwrap_err(), HeadError::Malformed, "{head:?}");
    }
    assert_eq!(ok(&["a b: c"]).unwrap_err(), HeadError::Malformed);
    let many: Vec<_> = (0..200).map(|n| format!("x-{n}: y")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert_eq!(ok(&many).unwrap_err(), HeadError::TooLarge);
}

#[test]
fn a_head_without_end_is_given_up() {
    let long = vec![b'x'; MAX_HEAD_BYTES];
    assert_eq!(head::end_of_head(&long, 0), Ok(None));

    let longer = [&long[..], b"\r\n\r\n"].concat();
    assert_eq!(head::end_of_head(&longer, 0), Err(HeadError::TooLarge));
    assert_eq!(head::end_of_head(&longer[..=MAX_HEAD_BYTES], 0), Err(HeadError::TooLarge));
}

proptest! {
    #[test]
    fn the_end_of_a_head_is_found_however_it_is_cut(
        place in any::<prop::sample::Index>(),
        line_end in prop_oneof![Just("\n"), Just("\r\n")],
        body in "[a\r\n]{0,10}",
    ) {
        let head = ["HTTP/1.1 200 OK", "a: b", "", ""].join(line_end);
        let bytes = format!("{head}{body}");
        let place = place.index(bytes.len());

        let first = head::end_of_head(&bytes.as_bytes()[..place], 0).unwrap();
        let then = head::end_of_head(bytes.as_bytes(), place).unwrap();

        prop_assert_eq!(first.or(then), Some(head.len()));
    }

    #[test]
    fn random_heads_are_no_panic(lines in vec("[a-zA-Z:;,= \t0-9\u{0}é-]{0,40}", 0..20)) {
        let _any = ok(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        let _any = parse(&lines.join("\n"));
    }
}
