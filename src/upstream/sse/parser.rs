//! The parser of event streams (WHATWG HTML, 9.2.6 "Interpreting an event stream").
//!
//! Only the data of events is given: what kind an event is stands in its data, since not all
//! servers send `event:` lines, and `id:` and `retry:` serve a reconnection that never happens
//! here. An event that no empty line follows is no event, as the standard has it.

use std::mem;

use memchr::memchr2;

/// As much as is kept of a carry buffer between events: more than an ordinary event, and little
/// enough for thousands of streams.
const KEPT_CAPACITY: usize = 4 << 10;
/// What a line may have besides the data: a byte-order mark and `data: `, rounded up.
const LINE_ALLOWANCE: usize = 16;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Finds the data of events in bytes that come in pieces of any size.
///
/// Where an event consists of one `data:` line and came in one piece, its data is a slice of that
/// piece; otherwise it is put together in a buffer. Each byte is looked at once, so the time is
/// linear in the input, however it is cut. Lines may end in LF, CRLF or CR; a leading byte-order
/// mark is skipped.
#[derive(Debug)]
pub struct Parser {
    max_event_bytes: usize,
    /// The data lines of the unfinished event, joined by LF, then the unfinished line.
    carry: Vec<u8>,
    /// Where in `carry` the unfinished line begins, and the data ends.
    line_start: usize,
    data: Data,
    /// The last line ended in a CR that was the last byte: an LF now belongs to it.
    is_after_cr: bool,
    /// No line has ended yet.
    is_first_line: bool,
}

/// What of the unfinished event is in the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Data {
    /// No data line.
    None,
    /// At least one, maybe empty.
    Some,
    /// All of it, and it was given out: it is cleared at the next call.
    Given,
}

/// An event, or a line of another kind, is larger than allowed. The parser is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event is larger than allowed")]
pub struct EventTooLarge;

impl Parser {
    /// A parser at the beginning of a stream. `max_event_bytes` is the longest data of one event.
    /// At most about twice as much is kept in memory.
    pub fn new(max_event_bytes: usize) -> Self {
        Self {
            max_event_bytes,
            carry: Vec::new(),
            line_start: 0,
            data: Data::None,
            is_after_cr: false,
            is_first_line: true,
        }
    }

    /// The data of the next event, its lines joined by LF, and takes what was read off the front
    /// of `input`. `None` once `input` is used up.
    pub fn next<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<&'a [u8]>, EventTooLarge> {
        if self.data == Data::Given {
            self.clear();
        }
        if self.is_after_cr && !input.is_empty() {
            self.is_after_cr = false;
            *input = input.strip_prefix(b"\n").unwrap_or(input);
        }
        while let Some(end) = memchr2(b'\n', b'\r', input) {
            let line = &input[..end];
            *input = &input[end..];
            self.skip_line_end(input);
            if self.carry.len() > self.line_start {
                self.carry.extend_from_slice(line);
                self.end_carried_line()?;
                continue;
            }
            self.check_line(line)?;
            let line = &line[mark_len(&mut self.is_first_line, line)..];
            if line.is_empty() && self.data == Data::Some {
                self.data = Data::Given;
                return Ok(Some(&self.carry));
            }
            let Some(prefix) = data_prefix(line) else { continue };
            let data = &line[prefix..];
            if self.data == Data::None && matches!(input.first(), Some(b'\n' | b'\r')) {
                self.skip_line_end(input);
                self.check_event(data.len())?;
                return Ok(Some(data));
            }
            if mem::replace(&mut self.data, Data::Some) == Data::Some {
                self.carry.push(b'\n');
            }
            self.carry.extend_from_slice(data);
            self.end_data_line()?;
        }
        self.carry.extend_from_slice(input);
        *input = &[];
        self.check_line(&self.carry[self.line_start..])?;
        Ok(None)
    }

    /// Takes a line end, at which the input begins, off its front.
    fn skip_line_end(&mut self, input: &mut &[u8]) {
        if let Some(rest) = input.strip_prefix(b"\r\n") {
            *input = rest;
            return;
        }
        self.is_after_cr = *input == b"\r";
        *input = &input[1..];
    }

    /// Ends the line in `carry`: its data stays there, without what stood before it.
    fn end_carried_line(&mut self) -> Result<(), EventTooLarge> {
        let start = self.line_start;
        self.check_line(&self.carry[start..])?;
        let mark_len = mark_len(&mut self.is_first_line, &self.carry[start..]);
        self.carry.drain(start..start + mark_len);
        let line = &self.carry[start..];
        let Some(prefix) = data_prefix(line) else {
            self.carry.truncate(start);
            return Ok(());
        };
        let mut data_start = start;
        if mem::replace(&mut self.data, Data::Some) == Data::Some {
            self.carry[start] = b'\n';
            data_start += 1;
        }
        self.carry.drain(data_start..start + prefix);
        self.end_data_line()
    }

    fn end_data_line(&mut self) -> Result<(), EventTooLarge> {
        self.line_start = self.carry.len();
        self.check_event(self.line_start)
    }

    /// Lines of other kinds, comments too, are bounded as data is: unfinished ones are kept.
    fn check_line(&self, line: &[u8]) -> Result<(), EventTooLarge> {
        let allowed = self.max_event_bytes.saturating_add(LINE_ALLOWANCE);
        if line.len() > allowed { Err(EventTooLarge) } else { Ok(()) }
    }

    fn check_event(&self, len: usize) -> Result<(), EventTooLarge> {
        if len > self.max_event_bytes { Err(EventTooLarge) } else { Ok(()) }
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn carry_capacity(&self) -> usize {
        self.carry.capacity()
    }

    fn clear(&mut self) {
        if self.carry.capacity() > KEPT_CAPACITY {
            self.carry = Vec::new();
        }
        self.carry.clear();
        self.line_start = 0;
        self.data = Data::None;
    }
}

/// The length of the byte-order mark that a line begins with, if it is the first one.
fn mark_len(is_first_line: &mut bool, line: &[u8]) -> usize {
    let is_marked = mem::take(is_first_line) && line.starts_with(BYTE_ORDER_MARK);
    if is_marked { BYTE_ORDER_MARK.len() } else { 0 }
}

/// The length of what stands before the data of a `data` line; `None` for a line of another kind.
fn data_prefix(line: &[u8]) -> Option<usize> {
    match line.strip_prefix(b"data")? {
        [] => Some(4),
        [b':', b' ', ..] => Some(6),
        [b':', ..] => Some(5),
        _ => None,
    }
}
