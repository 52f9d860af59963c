//! What child processes write to standard error: logged, and bounded.

use std::time::Duration;

use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    time::Instant,
};

/// How much of a line is logged, in bytes.
const MAX_LINE: usize = 1024;
/// How much is logged in a second, in bytes; the rest is counted.
const MAX_A_SECOND: usize = 8 * 1024;
const SECOND: Duration = Duration::from_secs(1);

/// Logs what comes, to its end. It is always read, so that the process never waits for the log.
pub(super) async fn log(server: &str, mut stderr: impl AsyncRead + Unpin) {
    let mut lines = Lines::new(Instant::now());
    let mut chunk = [0; 4096];
    while let Ok(len @ 1..) = stderr.read(&mut chunk).await {
        for line in lines.take(&chunk[..len], Instant::now()) {
            tracing::info!(mcp.server = server, line, "a tool server writes");
        }
    }
}

/// Lines within bounds.
struct Lines {
    line: Vec<u8>,
    second: Instant,
    room: usize,
    left_out: usize,
}

impl Lines {
    fn new(now: Instant) -> Self {
        Self { line: Vec::new(), second: now, room: MAX_A_SECOND, left_out: 0 }
    }

    /// The lines that end in these bytes, as far as there is room for them.
    fn take(&mut self, bytes: &[u8], now: Instant) -> Vec<String> {
        let mut lines = Vec::new();
        if now.duration_since(self.second) >= SECOND {
            if self.left_out > 0 {
                lines.push(format!("[{} bytes more were not logged]", self.left_out));
            }
            (self.second, self.room, self.left_out) = (now, MAX_A_SECOND, 0);
        }
        for &byte in bytes {
            if byte != b'\n' {
                if self.line.len() < MAX_LINE {
                    self.line.push(byte);
                } else {
                    self.left_out += 1;
                }
                continue;
            }
            let line = std::mem::take(&mut self.line);
            match self.room.checked_sub(line.len() + 1) {
                Some(room) => {
                    self.room = room;
                    let text = String::from_utf8_lossy(&line);
                    // What a terminal would obey is nothing for a log.
                    let shown = text.trim_end().replace(char::is_control, " ");
                    if !shown.is_empty() {
                        lines.push(shown);
                    }
                }
                None => self.left_out += line.len() + 1,
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_logged_without_control_characters() {
        let now = Instant::now();
        let mut lines = Lines::new(now);

        assert_eq!(lines.take(b"rea", now), Vec::<String>::new());
        assert_eq!(lines.take(b"dy\x1b[2J\r\n\nnow\n", now), ["ready [2J", "now"]);
    }

    #[test]
    fn a_flood_is_cut_to_so_much_a_second_and_the_rest_counted() {
        let now = Instant::now();
        let mut lines = Lines::new(now);
        let flood = "x".repeat(99) + "\n";

        let first: usize = (0..1_000).map(|_| lines.take(flood.as_bytes(), now).len()).sum();
        let later = lines.take(b"calm\n", now + SECOND);

        assert_eq!(first, MAX_A_SECOND / 100);
        let left_out = (1_000 - first) * 100;
        assert_eq!(later, [format!("[{left_out} bytes more were not logged]"), "calm".to_owned()]);
    }

    #[test]
    fn a_line_without_end_is_held_only_in_part() {
        let now = Instant::now();
        let mut lines = Lines::new(now);

        for _ in 0..1_000 {
            lines.take(&[b'x'; 4096], now);
        }

        assert!(lines.line.capacity() <= 2 * MAX_LINE);
        assert_eq!(lines.take(b"\n", now)[0].len(), MAX_LINE);
    }
}
