//! The parser against a plain one, which has the whole stream before it.

use proptest::{collection::vec, prelude::*};

use super::{
    EventTooLarge, Parser,
    property::{UNBOUNDED, parse_pieces, reference},
};

fn parse(stream: &[u8]) -> Vec<Vec<u8>> {
    let (events, end) = parse_pieces(UNBOUNDED, [stream]);
    end.unwrap();
    events
}

fn parse_text(stream: &str) -> Vec<String> {
    let events = parse(stream.as_bytes()).into_iter();
    events.map(|data| String::from_utf8(data).unwrap()).collect()
}

/// The stream in pieces that end at these places.
fn cut<'a>(stream: &'a [u8], places: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<_> = places.iter().map(|place| place.index(stream.len() + 1)).collect();
    places.sort_unstable();
    let mut pieces = Vec::new();
    let mut from = 0;
    for place in places.into_iter().chain([stream.len()]) {
        pieces.push(&stream[from..place]);
        from = place;
    }
    pieces
}

/// Streams of what event streams are made of, in any order.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let token = prop::sample::select(vec![
        &b"data:"[..],
        b"data: ",
        b"data",
        b"dat",
        b"event: message",
        b"id: 7",
        b"retry: 10",
        b": ping",
        b":",
        b" ",
        b"x",
        b"{\"a\":1}",
        b"\n",
        b"\n",
        b"\n\n",
        b"\r\n",
        b"\r\n\r\n",
        b"\r",
        b"\r\r",
        "😀".as_bytes(),
        b"\xef\xbb\xbf",
        b"\xef\xbb",
        b"\xff",
    ]);
    vec(token, 0..60).prop_map(|tokens| tokens.concat())
}

fn places() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    vec(any::<prop::sample::Index>(), 0..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn any_cutting_gives_what_the_standard_says(stream in stream(), places in places()) {
        let (events, end) = parse_pieces(UNBOUNDED, cut(&stream, &places));

        prop_assert_eq!(end, Ok(()));
        prop_assert_eq!(events, reference(&stream));
    }

    #[test]
    fn every_byte_may_be_a_piece_of_its_own(stream in stream()) {
        let (events, _) = parse_pieces(UNBOUNDED, stream.chunks(1));

        prop_assert_eq!(events, reference(&stream));
    }

    #[test]
    fn the_limit_holds_in_the_same_place_however_the_stream_is_cut(
        stream in stream(),
        places in places(),
        max in 0_usize..24,
    ) {
        let whole = parse_pieces(max, [&stream[..]]);
        let pieces = parse_pieces(max, cut(&stream, &places));

        prop_assert!(whole.0.iter().all(|data| data.len() <= max));
        prop_assert_eq!(whole, pieces);
    }

    #[test]
    fn random_bytes_are_no_panic(stream in vec(any::<u8>(), 0..400), places in places()) {
        let (events, _) = parse_pieces(UNBOUNDED, cut(&stream, &places));

        prop_assert_eq!(events, reference(&stream));
    }

    #[test]
    fn an_unfinished_event_is_bounded(stream in stream(), max in 0_usize..24) {
        let mut parser = Parser::new(max);
        for mut byte in stream.chunks(1) {
            let ended = parser.next(&mut byte).is_err();
            // A vector doubles.
            prop_assert!(parser.carry_capacity() <= 2 * (2 * max + 17));
            if ended {
                break;
            }
        }
    }
}

#[test]
fn an_event_is_given_as_soon_as_its_empty_line_has_begun() {
    for line_end in ["\n", "\r\n", "\r"] {
        let stream = format!("data: a{line_end}{line_end}");
        let begun = &stream[..stream.len() + 1 - line_end.len()];

        assert_eq!(parse_text(begun), ["a"], "{line_end:?}");
    }
}

#[test]
fn a_lone_data_line_is_not_copied() {
    let stream = b": ping\n\nevent: x\nid: 1\nretry: 2\ndata: {}\r\n\r\ndata:{}\n\n";
    let mut input = &stream[..];
    let mut parser = Parser::new(UNBOUNDED);

    for _ in 0..2 {
        let data = parser.next(&mut input).unwrap().unwrap();
        assert_eq!(data, b"{}");
        assert!(stream.as_ptr_range().contains(&data.as_ptr()));
    }
    assert_eq!(parser.next(&mut input), Ok(None));
}

#[test]
fn lines_of_data_are_joined_and_other_lines_are_none() {
    assert_eq!(parse_text("data: a\n: note\nid: 3\ndata:  b\ndata\ndata:\n\n"), ["a\n b\n\n"]);
    assert_eq!(parse_text("data:\n\n"), [""]);
    assert!(parse_text("database: a\n\nevent: b\n\n\n\n: c\n\n").is_empty());
}

#[test]
fn a_byte_order_mark_is_skipped_at_the_beginning_only() {
    assert_eq!(
        parse_text("\u{feff}data: a\n\n\u{feff}data: b\n\ndata: \u{feff}\n\n"),
        ["a", "\u{feff}"]
    );
    let cut: [&[u8]; 3] = [b"\xef", b"\xbb", b"\xbfdata: a\n\n"];
    assert_eq!(parse_pieces(UNBOUNDED, cut).0, [b"a"]);
}

#[test]
fn what_no_empty_line_follows_is_no_event() {
    assert!(parse_text("data: a\n").is_empty());
    assert!(parse_text("data: a").is_empty());
}

#[test]
fn the_longest_event_is_taken_and_a_longer_one_is_not() {
    for pieces in [1, 2, 1000] {
        let parse = |len: usize| {
            let stream = format!("data: {}\n\n", "x".repeat(len));
            parse_pieces(1000, stream.as_bytes().chunks(stream.len() / pieces)).1
        };
        assert_eq!(parse(1000), Ok(()));
        assert_eq!(parse(1001), Err(EventTooLarge));
    }
    let lines = "data: 123456\n".repeat(3) + "\n";
    assert_eq!(parse_pieces(20, [lines.as_bytes()]).1, Ok(()));
    assert_eq!(parse_pieces(19, [lines.as_bytes()]).1, Err(EventTooLarge));
}

#[test]
fn a_line_that_never_ends_is_given_up() {
    for line in ["data: ", ": ", "unknown"] {
        let mut parser = Parser::new(1000);
        let mut input = line.as_bytes();
        assert_eq!(parser.next(&mut input), Ok(None));

        let given_up = (0..1100).position(|_| parser.next(&mut &b"x"[..]).is_err());

        assert!(given_up.is_some(), "{line}");
    }
}

#[test]
fn a_long_event_in_many_pieces_leaves_no_memory_behind() {
    let stream = format!("data: {}\n\n", "x".repeat(4 << 20));
    let mut parser = Parser::new(8 << 20);
    let mut events = 0;
    for mut piece in stream.as_bytes().chunks(1400) {
        while let Some(data) = parser.next(&mut piece).unwrap() {
            assert_eq!(data.len(), 4 << 20);
            events += 1;
        }
    }

    assert_eq!(parser.next(&mut &b""[..]), Ok(None));
    assert_eq!((events, parser.carry_capacity()), (1, 0));
}
