//! However an answer is cut, it has one head and one body.

use std::time::Duration;

use super::{
    decoder::{Decoder, Framing, MalformedChunk},
    head::{self, HeadError},
};
use crate::fuzz::cut;

const LONGEST_IDLE: Duration = Duration::from_secs(50);

/// How an answer is cut, the answer.
pub(crate) fn http1_answer(data: &[u8]) -> bool {
    let (answer, pieces) = cut(data);
    let end = head::end_of_head(answer, 0);
    assert_eq!(end, end_in_pieces(&pieces));
    let Ok(Some(end)) = end else { return false };
    let Ok(head) = head::parse(&answer[..end], LONGEST_IDLE) else { return false };
    check_end(answer, end);
    assert!(head.keep_alive.is_none_or(|idle| idle <= LONGEST_IDLE));

    let body = &answer[end..];
    let again = [&data[..data.len() - answer.len()], body].concat();
    let (_, pieces) = cut(&again);
    let (decoder, whole, rest) = decode(head.framing, [body]);
    let (_, in_pieces, rest_in_pieces) = decode(head.framing, pieces);
    assert_eq!((&whole, &rest), (&in_pieces, &rest_in_pieces));
    assert!(whole.len() <= body.len());
    match head.framing {
        Framing::Length(length) => {
            assert_eq!(whole.len() as u64, length.min(body.len() as u64));
            assert_eq!(decoder.may_close(), whole.len() as u64 == length);
        }
        Framing::Chunked => assert_eq!(decoder.may_close(), decoder.is_end()),
        Framing::UntilClose => assert_eq!(whole, body),
    }
    rest.is_ok()
}

/// As a connection searches: again with every piece, and not from the beginning.
fn end_in_pieces(pieces: &[&[u8]]) -> Result<Option<usize>, HeadError> {
    let (mut received, mut searched) = (Vec::new(), 0);
    for piece in pieces {
        received.extend_from_slice(piece);
        if let Some(end) = head::end_of_head(&received, searched)? {
            return Ok(Some(end));
        }
        searched = received.len();
    }
    Ok(None)
}

/// What another parser takes for the head is no longer and no shorter: nothing can hide between.
fn check_end(answer: &[u8], end: usize) {
    let mut fields = [httparse::EMPTY_HEADER; 128];
    let parsed = httparse::Response::new(&mut fields).parse(answer);
    assert_eq!(parsed, Ok(httparse::Status::Complete(end)));
}

/// The body in these pieces, and what is left behind its end.
pub(super) fn decode<'a>(
    framing: Framing,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Decoder, Vec<u8>, Result<Vec<u8>, MalformedChunk>) {
    let (mut decoder, mut body, mut surplus) = (Decoder::new(framing), Vec::new(), Vec::new());
    for mut piece in pieces {
        loop {
            match decoder.next(&mut piece) {
                Ok(Some(data)) => body.extend_from_slice(data),
                Ok(None) => break,
                Err(error) => return (decoder, body, Err(error)),
            }
        }
        assert!(piece.is_empty() || decoder.is_end(), "a piece is used up");
        surplus.extend_from_slice(piece);
    }
    (decoder, body, Ok(surplus))
}
