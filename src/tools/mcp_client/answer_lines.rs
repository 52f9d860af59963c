//! A child process's messages, one a line, bounded in length.
//!
//! rmcp drops a line that is too long, and the call that it answers would wait until its time is
//! up. Here such a line is cut where it becomes too long, which makes it none that can be read, and
//! behind it comes an error for the call that it answers. Nothing of it is held but what rmcp holds
//! of any line, and the little that tells whose answer it is.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};

/// The code of the error that stands for an answer that is too long: one of those that JSON-RPC
/// leaves to implementations.
pub(super) const TOO_LONG: i32 = -32_098;
/// How much is read at a time, in bytes: what a pipe holds.
const CHUNK: usize = 64 * 1024;

/// What a child process writes, with lines of at most `max` bytes.
pub(super) struct AnswerLines<R> {
    inner: R,
    max: usize,
    /// The length of the line so far.
    len: usize,
    members: Members,
    chunk: Box<[u8]>,
    /// What is still to be read from here.
    out: BytesMut,
}

impl<R> AnswerLines<R> {
    pub(super) fn new(inner: R, max: usize) -> Self {
        Self {
            inner,
            max,
            len: 0,
            members: Members::default(),
            chunk: vec![0; CHUNK].into(),
            out: BytesMut::new(),
        }
    }

    /// Takes the first `len` bytes of the chunk.
    fn take(&mut self, len: usize) {
        let mut rest = &self.chunk[..len];
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest);
            let (line, behind) = rest.split_at(end.unwrap_or(rest.len()));
            let room = self.max.saturating_sub(self.len);
            self.out.extend_from_slice(&line[..line.len().min(room)]);
            self.members.read(line);
            self.len += line.len();
            if end.is_none() {
                return;
            }
            self.out.extend_from_slice(b"\n");
            if self.len > self.max {
                tracing::warn!(bytes = self.len, "a tool server's message is too long: dropped");
                self.out.extend_from_slice(self.members.error().as_bytes());
            }
            (self.len, self.members) = (0, Members::default());
            rest = &behind[1..];
        }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for AnswerLines<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.out.is_empty() {
            let mut chunk = ReadBuf::new(&mut this.chunk);
            ready!(Pin::new(&mut this.inner).poll_read(context, &mut chunk))?;
            let len = chunk.filled().len();
            if len == 0 {
                return Poll::Ready(Ok(()));
            }
            this.take(len);
        }
        let len = this.out.len().min(buffer.remaining());
        buffer.put_slice(&this.out[..len]);
        this.out.advance(len);
        Poll::Ready(Ok(()))
    }
}

/// Finds in a message, byte by byte, whose answer it is: its member `id`, a number as all of ours
/// are, where it has no `method`, which is what only requests and notifications have. It takes
/// members of the message itself alone, at whatever place they stand.
#[derive(Default)]
struct Members {
    depth: usize,
    place: Place,
    /// Behind a colon.
    in_value: bool,
    /// The beginning of the member's name.
    name: Vec<u8>,
    id: Vec<u8>,
    has_method: bool,
}

/// Where a byte stands.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Outside,
    InString,
    /// Behind a backslash in a string.
    Escaped,
}

impl Members {
    /// The longest name or number that is kept: one byte more than the longest of interest.
    const MAX_LEN: usize = 21;

    fn read(&mut self, line: &[u8]) {
        let mut at = 0;
        while let Some(&byte) = line.get(at) {
            if self.place == Place::InString && (self.depth != 1 || self.in_value) {
                // Nearly all of a long line: what is in it is of no interest.
                let Some(end) = memchr::memchr2(b'"', b'\\', &line[at..]) else { return };
                at += end;
                self.read_string(line[at]);
                at += 1;
                continue;
            }
            at += 1;
            match self.place {
                Place::Outside => self.read_structure(byte),
                Place::InString | Place::Escaped => self.read_string(byte),
            }
        }
    }

    fn read_string(&mut self, byte: u8) {
        self.place = match (self.place, byte) {
            (Place::InString, b'"') => Place::Outside,
            (Place::InString, b'\\') => Place::Escaped,
            _ => Place::InString,
        };
        if self.depth == 1 && !self.in_value {
            if self.place == Place::Outside {
                self.has_method |= self.name == b"method";
            } else if self.name.len() < Self::MAX_LEN {
                self.name.push(byte);
            }
        }
    }

    fn read_structure(&mut self, byte: u8) {
        match byte {
            b'"' => self.place = Place::InString,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b':' if self.depth == 1 => self.in_value = true,
            b',' if self.depth == 1 => {
                self.in_value = false;
                self.name.clear();
            }
            b'0'..=b'9' if self.is_id() && self.id.len() < Self::MAX_LEN => self.id.push(byte),
            _ => {}
        }
    }

    fn is_id(&self) -> bool {
        self.depth == 1 && self.in_value && self.name == b"id"
    }

    /// A line with an error for the call; none where the message answers none.
    fn error(&self) -> String {
        let id = std::str::from_utf8(&self.id).ok().and_then(|id| id.parse::<u32>().ok());
        match id {
            Some(id) if !self.has_method => format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{{\"code\":{TOO_LONG},\
                 \"message\":\"the answer is too long\"}}}}\n"
            ),
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    async fn read(text: &str) -> String {
        let mut read = String::new();
        AnswerLines::new(text.as_bytes(), 100).read_to_string(&mut read).await.unwrap();
        read
    }

    /// What stands behind a line that is too long.
    async fn behind(line: &str) -> String {
        assert!(line.len() > 100);
        let read = read(&format!("{line}\n{{}}\n")).await;
        let (cut, rest) = read.split_once('\n').unwrap();
        assert_eq!(cut, &line[..100]);
        rest.strip_suffix("{}\n").unwrap().to_owned()
    }

    #[tokio::test]
    async fn short_lines_pass_as_they_are() {
        let lines = format!("{{\"id\":1}}\r\n\n{}\nrest", "x".repeat(100));

        assert_eq!(read(&lines).await, lines);
    }

    #[tokio::test]
    async fn a_long_answer_becomes_an_error_of_its_call_wherever_its_id_stands() {
        let long = "\\\"id\\\":7,{".repeat(20);
        for line in [
            format!("{{\"jsonrpc\":\"2.0\",\"id\":12,\"result\":{{\"id\":3,\"t\":\"{long}\"}}}}"),
            format!(
                "{{\"result\":{{\"id\":3,\"t\":[\"{long}\"]}},\"jsonrpc\":\"2.0\",\"id\": 12}}"
            ),
        ] {
            let error: serde_json::Value = serde_json::from_str(&behind(&line).await).unwrap();
            assert_eq!((&error["id"], &error["error"]["code"]), (&12.into(), &TOO_LONG.into()));
        }
    }

    #[tokio::test]
    async fn a_long_message_that_answers_nothing_is_dropped() {
        let long = "x".repeat(100);
        for line in [
            format!("{{\"method\":\"ping\",\"id\":1,\"params\":\"{long}\"}}"),
            format!("{{\"id\":\"1\",\"result\":\"{long}\"}}"),
            format!("{{\"id\":12345678901234567890123,\"result\":\"{long}\"}}"),
            long,
        ] {
            if line.len() > 100 {
                assert_eq!(behind(&line).await, "", "{line}");
            }
        }
    }
}
