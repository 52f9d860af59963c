//! The end of a body, and the chunks before it (RFC 9112, 6 and 7.1). Pure.

use memchr::memchr;

/// Most bytes of a body's chunk extensions, and of its trailer. Nobody sends either.
const MAX_IGNORED_BYTES: usize = 16 << 10;

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// It has so many bytes.
    Length(u64),
    /// It comes in chunks, each with its length.
    Chunked,
    /// It ends with the connection.
    UntilClose,
}

/// The chunks of a body are malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the chunks of the answer are malformed")]
pub(super) struct MalformedChunk;

/// Takes the framing off a body that comes in pieces of any size.
#[derive(Debug)]
pub(super) struct Decoder {
    state: State,
    ignored_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Of a body with a length.
    Body {
        left: u64,
    },
    UntilClose,
    /// The digits of a chunk's length.
    Size {
        digits: u8,
        size: u64,
    },
    /// What may stand behind them.
    Extension {
        size: u64,
    },
    SizeLf {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    /// The beginning of a line behind the last chunk.
    Trailer,
    TrailerLine,
    EndLf,
    End,
}

impl Decoder {
    pub(super) fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::Length(0) => State::End,
            Framing::Length(left) => State::Body { left },
            Framing::Chunked => State::Size { digits: 0, size: 0 },
            Framing::UntilClose => State::UntilClose,
        };
        Self { state, ignored_bytes: 0 }
    }

    /// Whether the whole body was read.
    pub(super) fn is_end(&self) -> bool {
        self.state == State::End
    }

    /// Whether the body is whole if the connection ends now.
    pub(super) fn may_close(&self) -> bool {
        matches!(self.state, State::End | State::UntilClose)
    }

    /// The next stretch of the body, and takes what was read off the front of `input`. `None` once
    /// `input` is used up, or at the end of the body, behind which nothing is taken.
    pub(super) fn next<'i>(
        &mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<&'i [u8]>, MalformedChunk> {
        while let Some((&byte, rest)) = input.split_first() {
            self.state = match self.state {
                State::End => return Ok(None),
                State::UntilClose => return Ok(Some(std::mem::take(input))),
                State::Body { left } => {
                    let (data, left) = take(input, left);
                    self.state = if left == 0 { State::End } else { State::Body { left } };
                    return Ok(Some(data));
                }
                State::Data { left } => {
                    let (data, left) = take(input, left);
                    self.state = if left == 0 { State::DataCr } else { State::Data { left } };
                    return Ok(Some(data));
                }
                State::Size { digits, size } => size_state(digits, size, byte)?,
                State::Extension { size } => {
                    self.ignore(1)?;
                    if byte == b'\r' { State::SizeLf { size } } else { State::Extension { size } }
                }
                State::SizeLf { size: 0 } if byte == b'\n' => State::Trailer,
                State::SizeLf { size } if byte == b'\n' => State::Data { left: size },
                State::DataCr if byte == b'\r' => State::DataLf,
                State::DataLf if byte == b'\n' => State::Size { digits: 0, size: 0 },
                State::Trailer if byte == b'\r' => State::EndLf,
                State::Trailer | State::TrailerLine => {
                    let line_end = memchr(b'\n', input);
                    let len = line_end.map_or(input.len(), |end| end + 1);
                    self.ignore(len)?;
                    *input = &input[len..];
                    self.state =
                        if line_end.is_some() { State::Trailer } else { State::TrailerLine };
                    continue;
                }
                State::EndLf if byte == b'\n' => State::End,
                State::SizeLf { .. } | State::DataCr | State::DataLf | State::EndLf => {
                    return Err(MalformedChunk);
                }
            };
            *input = rest;
        }
        Ok(None)
    }

    fn ignore(&mut self, bytes: usize) -> Result<(), MalformedChunk> {
        self.ignored_bytes = self.ignored_bytes.saturating_add(bytes);
        if self.ignored_bytes > MAX_IGNORED_BYTES { Err(MalformedChunk) } else { Ok(()) }
    }
}

/// Takes at most so many bytes; answers how many are left to be taken.
fn take<'i>(input: &mut &'i [u8], left: u64) -> (&'i [u8], u64) {
    let len = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
    let (data, rest) = input.split_at(len);
    *input = rest;
    (data, left - len as u64)
}

/// Behind one more byte of a chunk's length.
fn size_state(digits: u8, size: u64, byte: u8) -> Result<State, MalformedChunk> {
    let digit = match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        b'\r' if digits > 0 => return Ok(State::SizeLf { size }),
        b';' | b' ' | b'\t' if digits > 0 => return Ok(State::Extension { size }),
        _ => return Err(MalformedChunk),
    };
    // 15 digits are 2^60 bytes: no overflow, and leading zeros without end neither.
    if digits == 15 {
        return Err(MalformedChunk);
    }
    Ok(State::Size { digits: digits + 1, size: size << 4 | u64::from(digit) })
}
