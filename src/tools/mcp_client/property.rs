//! Whatever a tool server writes, its lines are bounded, and so is what becomes of them.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::FutureExt;
use rmcp::model::{CallToolResult, ServerJsonRpcMessage, Tool};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use super::{
    answer_lines::{AnswerLines, TOO_LONG},
    listing::spec,
    results::{self, IMAGE_TYPES},
    shown::show,
};
use crate::{
    fuzz::cut,
    protocol::ThreadId,
    tools::{Display, registry::is_valid_name},
};

/// The longest line here, which is longer than the error that stands for a longer one.
const MAX_LINE: usize = 300;

/// How what a server writes is cut, then that. Each line may be a message, a result or a tool.
pub(crate) fn mcp_answer(data: &[u8]) -> bool {
    let (written, pieces) = cut(data);
    let lines = read(vec![written]);
    assert_eq!(lines, read(pieces), "however it is cut");
    check_lines(written, &lines);
    let mut was_taken = false;
    // Also longer ones than above: over HTTP there are no lines.
    for line in written.split(|byte| *byte == b'\n') {
        was_taken |= serde_json::from_slice::<ServerJsonRpcMessage>(line).is_ok();
        if let Ok(result) = serde_json::from_slice::<CallToolResult>(line) {
            check_result(&result, line.len());
            was_taken = true;
        }
        if let Ok(tool) = serde_json::from_slice::<Tool>(line) {
            check_tool(&tool);
            was_taken = true;
        }
    }
    was_taken
}

fn check_lines(written: &[u8], lines: &[u8]) {
    let split = |bytes: &'_ [u8]| -> Vec<Vec<u8>> {
        bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    };
    let mut left = VecDeque::from(split(lines));
    let written = split(written);
    for (number, line) in written.iter().enumerate() {
        let read = left.pop_front().expect("no line is lost");
        assert_eq!(read, line[..line.len().min(MAX_LINE)]);
        // The last one has not ended: nothing stands for it yet.
        if line.len() > MAX_LINE && number + 1 < written.len() {
            let error = |line: &Vec<u8>| {
                let error: Option<Value> = serde_json::from_slice(line).ok();
                error.is_some_and(|error| error["error"]["code"] == TOO_LONG)
            };
            let _ = left.pop_front_if(|line| error(line));
        }
    }
    assert!(left.is_empty(), "{left:?}");
}

/// What a model gets, and what people are shown.
fn check_result(result: &CallToolResult, length: usize) {
    let output = results::read(result);
    assert!(!output.text.is_empty());
    assert!(output.images.len() <= 4);
    for image in &output.images {
        assert!(IMAGE_TYPES.contains(&image.mime_type.as_str()));
        assert!(!image.data.contains(['"', '<', '\\', ' ']), "{}", image.data);
    }
    // Hardly more than the server wrote.
    assert!(output.text.len() <= 4 * length + 100, "{}", output.text);
    let (display, mut shown) = Display::channel(ThreadId::UNKNOWN);
    // There is room for more than a result can show.
    show(result, "srv", "srv__tool", &display).now_or_never().expect("nobody waits");
    drop(display);
    let mut count = 0;
    while shown.recv().now_or_never().flatten().is_some() {
        count += 1;
    }
    assert!(count <= 8);
}

fn check_tool(tool: &Tool) {
    if let Ok(spec) = spec("srv", tool) {
        assert!(is_valid_name(&spec.name), "{}", spec.name);
        assert_eq!(spec.parameters["type"], "object");
        assert!(!spec.title.contains(char::is_control));
    }
}

/// All lines of what comes in these pieces.
fn read(pieces: Vec<&[u8]>) -> Vec<u8> {
    let mut lines = Vec::new();
    let mut reader = AnswerLines::new(Pieces(pieces.into()), MAX_LINE);
    let read = reader.read_to_end(&mut lines).now_or_never();
    read.expect("it never waits").expect("it never fails");
    lines
}

struct Pieces<'a>(VecDeque<&'a [u8]>);

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(piece) = self.0.pop_front() {
            let (now, later) = piece.split_at(piece.len().min(buffer.remaining()));
            buffer.put_slice(now);
            if !later.is_empty() {
                self.0.push_front(later);
            }
        }
        Poll::Ready(Ok(()))
    }
}
