//! The head of a request as it is written, the head of an answer as it is read. Pure.

use std::time::Duration;

use reqwest::{
    Method, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING},
};

use super::{super::Request, decoder::Framing};

/// Longest head of an answer. Providers send some 2 KiB.
pub(super) const MAX_HEAD_BYTES: usize = 64 << 10;
/// Providers send some 30.
const MAX_HEADERS: usize = 128;

/// What is wrong with the head of an answer. The head itself, which may quote a key, is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeadError {
    #[error("the head of the answer is larger than allowed")]
    TooLarge,
    #[error("the head of the answer is no HTTP/1.1")]
    Malformed,
    #[error("the length of the answer is contradictory")]
    Length,
    #[error("the answer comes in a transfer coding that is not known")]
    TransferCoding,
}

/// The head of a request. Its values have no line breaks, as [`HeaderValue`] sees to.
pub(super) fn request_head(request: &Request) -> Vec<u8> {
    let url = &request.url;
    let mut head = Vec::with_capacity(1024);
    head.extend_from_slice(request.method.as_str().as_bytes());
    head.push(b' ');
    head.extend_from_slice(url.path().as_bytes());
    if let Some(query) = url.query() {
        head.push(b'?');
        head.extend_from_slice(query.as_bytes());
    }
    head.extend_from_slice(b" HTTP/1.1\r\nhost: ");
    head.extend_from_slice(url.host_str().unwrap_or_default().as_bytes());
    if let Some(port) = url.port() {
        head.extend_from_slice(format!(":{port}").as_bytes());
    }
    let has_body = request.method != Method::GET;
    let length = has_body.then(|| HeaderValue::from(request.body.len()));
    let length = length.as_ref().map(|length| (&CONTENT_LENGTH, length));
    for (name, value) in request.headers.iter().chain(length) {
        head.extend_from_slice(b"\r\n");
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
    }
    head.extend_from_slice(b"\r\n\r\n");
    head
}

/// The head of an answer.
#[derive(Debug)]
pub(super) struct AnswerHead {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) framing: Framing,
    /// How long the connection may be kept once the body is read; `None` if it is not reusable.
    pub(super) keep_alive: Option<Duration>,
}

/// Where the first head in these bytes ends, if it does. `from` says how many of them were looked
/// at before, so that a head that comes byte by byte is not searched from its beginning each time.
pub(super) fn end_of_head(bytes: &[u8], from: usize) -> Result<Option<usize>, HeadError> {
    let from = from.saturating_sub(2);
    let ends = memchr::memchr_iter(b'\n', &bytes[from..]).map(|at| from + at + 1);
    let mut ends = ends.filter_map(|line_end| match &bytes[line_end..] {
        [b'\n', ..] => Some(line_end + 1),
        [b'\r', b'\n', ..] => Some(line_end + 2),
        _ => None,
    });
    match ends.next() {
        Some(end) if end <= MAX_HEAD_BYTES => Ok(Some(end)),
        None if bytes.len() <= MAX_HEAD_BYTES => Ok(None),
        _ => Err(HeadError::TooLarge),
    }
}

/// Reads a whole head. `longest_idle` is how long connections are kept at most.
pub(super) fn parse(bytes: &[u8], longest_idle: Duration) -> Result<AnswerHead, HeadError> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut answer = httparse::Response::new(&mut fields);
    match answer.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Err(httparse::Error::TooManyHeaders) => return Err(HeadError::TooLarge),
        Ok(httparse::Status::Partial) | Err(_) => return Err(HeadError::Malformed),
    }
    let status = answer.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(HeadError::Malformed)?;
    let mut headers = HeaderMap::with_capacity(answer.headers.len());
    for field in answer.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let value = HeaderValue::from_bytes(field.value);
        let (Ok(name), Ok(value)) = (name, value) else { return Err(HeadError::Malformed) };
        headers.append(name, value);
    }
    let framing = framing(status, &headers)?;
    let is_reusable = answer.version == Some(1)
        && framing != Framing::UntilClose
        // Where both are there, one of them is a lie.
        && !(headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH))
        && !has_token(&headers, &CONNECTION, "close");
    let keep_alive = is_reusable.then(|| wished_idle(&headers).min(longest_idle));
    Ok(AnswerHead { status, headers, framing, keep_alive })
}

/// How the end of the body is found (RFC 9112, 6.3).
fn framing(status: StatusCode, headers: &HeaderMap) -> Result<Framing, HeadError> {
    if status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
    {
        return Ok(Framing::Length(0));
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        let is_chunked = coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
        return if is_chunked && codings.next().is_none() {
            Ok(Framing::Chunked)
        } else {
            Err(HeadError::TransferCoding)
        };
    }
    let mut length = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        for number in value.as_bytes().split(|byte| *byte == b',') {
            let number = decimal(number.trim_ascii()).ok_or(HeadError::Length)?;
            if length.is_some_and(|length| length != number) {
                return Err(HeadError::Length);
            }
            length = Some(number);
        }
    }
    Ok(length.map_or(Framing::UntilClose, Framing::Length))
}

/// A number without a sign.
fn decimal(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// How long the server keeps an idle connection (`keep-alive: timeout=5`), less a second, so that
/// it is not in use just when the server closes it.
fn wished_idle(headers: &HeaderMap) -> Duration {
    let values = headers.get_all("keep-alive").iter().filter_map(|value| value.to_str().ok());
    let seconds = values.flat_map(|value| value.split(',')).find_map(|parameter| {
        parameter.trim().strip_prefix("timeout=")?.trim().parse::<u64>().ok()
    });
    seconds.map_or(Duration::MAX, |seconds| Duration::from_secs(seconds.saturating_sub(1)))
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(token))
}
