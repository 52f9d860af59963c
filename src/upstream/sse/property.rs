//! However a stream is cut, its events are those of the standard, which a plain parser finds that has
//! the whole stream before it.

use super::{EventTooLarge, Parser};
use crate::fuzz::cut;

/// More than any stream of the tests.
pub(super) const UNBOUNDED: usize = 1 << 20;

pub(super) type Parsed = (Vec<Vec<u8>>, Result<(), EventTooLarge>);

/// Parses a stream that comes in these pieces.
pub(super) fn parse_pieces<'a>(max: usize, pieces: impl IntoIterator<Item = &'a [u8]>) -> Parsed {
    let mut parser = Parser::new(max);
    let mut events = Vec::new();
    for mut piece in pieces {
        loop {
            match parser.next(&mut piece) {
                Ok(Some(data)) => events.push(data.to_vec()),
                Ok(None) => break,
                Err(error) => return (events, Err(error)),
            }
        }
        assert!(piece.is_empty(), "a piece is used up");
    }
    (events, Ok(()))
}

/// A limit, how the stream is cut, the stream.
pub(crate) fn sse(data: &[u8]) -> bool {
    let Some((max, data)) = data.split_first() else { return false };
    let (stream, pieces) = cut(data);
    let max = usize::from(*max);

    let (events, end) = parse_pieces(UNBOUNDED, pieces.iter().copied());
    assert_eq!((&events, end), (&reference(stream), Ok(())));
    let whole = parse_pieces(max, [stream]);
    assert!(whole.0.iter().all(|data| data.len() <= max));
    assert_eq!(whole, parse_pieces(max, pieces.iter().copied()));
    check_memory(max, &pieces);
    !events.is_empty()
}

fn check_memory(max: usize, pieces: &[&[u8]]) {
    let longest = pieces.iter().map(|piece| piece.len()).max().unwrap_or(0);
    let mut parser = Parser::new(max);
    for mut piece in pieces.iter().copied() {
        let end = loop {
            match parser.next(&mut piece) {
                Ok(Some(_)) => {}
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        // Data and an unfinished line, each as long as allowed, and what came last. A vector doubles.
        assert!(parser.carry_capacity() <= 2 * (2 * max + 32 + longest));
        if end.is_err() {
            return;
        }
    }
}

/// The standard, word for word: lines first, then fields.
pub(super) fn reference(stream: &[u8]) -> Vec<Vec<u8>> {
    let stream = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    let mut lines = vec![Vec::new()];
    let mut bytes = stream.iter().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\r' => {
                bytes.next_if_eq(&&b'\n');
                lines.push(Vec::new());
            }
            b'\n' => lines.push(Vec::new()),
            other => lines.last_mut().expect("there is a first").push(*other),
        }
    }
    // The last one has not ended.
    lines.pop();

    let (mut events, mut data) = (Vec::new(), Vec::new());
    for line in lines {
        if line.is_empty() {
            if data.pop().is_some() {
                events.push(std::mem::take(&mut data));
            }
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, value) = match colon {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (&line[..], &[][..]),
        };
        if field == b"data" {
            data.extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
            data.push(b'\n');
        }
    }
    events
}
