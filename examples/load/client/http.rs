//! As much HTTP/1.1 as a load client needs, in as few instructions: a request is bytes that were
//! prepared, a response is a head and the bytes of its body as they come.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use anyhow::{Context as _, bail};
use tokio::{
    io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf},
    net::TcpStream,
};

/// A response's head is refused beyond this.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Where a server is and which path is asked, of a URL `http://HOST:PORT/PATH`.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    /// What `Host` says.
    pub(crate) host: String,
    pub(crate) path: String,
}

impl Endpoint {
    /// Reads a URL and looks its host up.
    pub(crate) fn parse(url: &str) -> anyhow::Result<Self> {
        let rest = url.strip_prefix("http://").with_context(|| format!("no http:// URL: {url}"))?;
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let with_port = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        let mut found = std::net::ToSocketAddrs::to_socket_addrs(&with_port)
            .with_context(|| format!("cannot look up {host}"))?;
        let address = found.next().with_context(|| format!("{host} has no address"))?;
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self { address, host: host.to_owned(), path: path.to_owned() })
    }

    /// The same server, another path.
    pub(crate) fn at(&self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self.clone() }
    }

    /// A request without a body.
    pub(crate) fn get(&self, headers: &[String]) -> Vec<u8> {
        self.request("GET", headers, None)
    }

    /// A request with a JSON body.
    pub(crate) fn post(&self, headers: &[String], body: &str) -> Vec<u8> {
        self.request("POST", headers, Some(body))
    }

    fn request(&self, method: &str, headers: &[String], body: Option<&str>) -> Vec<u8> {
        let mut head =
            vec![format!("{method} {} HTTP/1.1", self.path), format!("Host: {}", self.host)];
        head.extend_from_slice(headers);
        if let Some(body) = body {
            head.push("Content-Type: application/json".to_owned());
            head.push(format!("Content-Length: {}", body.len()));
        }
        let request = head.join("\r\n") + "\r\n\r\n" + body.unwrap_or_default();
        request.into_bytes()
    }
}

/// A connection to a server.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream })
    }

    pub(crate) async fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.write_all(request).await
    }

    /// Reads what is there into `buffer`; 0 bytes are the end.
    ///
    /// By `poll_read` and not by `try_read`: after a short read that one needs no second call to
    /// learn that there is nothing more.
    pub(crate) fn poll_read<'b>(
        &mut self,
        context: &mut Context<'_>,
        buffer: &'b mut [u8],
    ) -> Poll<io::Result<&'b [u8]>> {
        let mut read = ReadBuf::new(buffer);
        std::task::ready!(Pin::new(&mut self.stream).poll_read(context, &mut read))?;
        let length = read.filled().len();
        Poll::Ready(Ok(&buffer[..length]))
    }
}

/// A response's head.
#[derive(Debug, Default)]
pub(crate) struct Head {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
}

impl Head {
    /// A header by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn has(&self, name: &str, word: &str) -> bool {
        self.header(name).is_some_and(|value| value.to_ascii_lowercase().contains(word))
    }
}

/// Reads one response, however its bytes are cut.
#[derive(Debug, Default)]
pub(crate) struct ResponseReader {
    unparsed: Vec<u8>,
    head: Option<Head>,
    body: BodyState,
}

#[derive(Debug, Default)]
enum BodyState {
    /// The head is not yet whole.
    #[default]
    Unknown,
    Chunked(ChunkState),
    Length(u64),
    /// To the end of the connection.
    UntilClose,
    Ended,
}

/// Where in a chunked body the next byte lies (RFC 9112, section 7.1).
#[derive(Clone, Copy, Debug)]
enum ChunkState {
    Size(u64),
    Extension(u64),
    Data(u64),
    /// The line's end behind the data.
    AfterData,
    /// In the trailer, with the length of its line so far.
    Trailer(u64),
}

impl ResponseReader {
    /// Takes bytes of the connection and hands on those of the body.
    pub(crate) fn feed(
        &mut self,
        bytes: &[u8],
        mut on_body: impl FnMut(&[u8]),
    ) -> anyhow::Result<()> {
        let in_head;
        let mut bytes = bytes;
        if self.head.is_none() {
            self.unparsed.extend_from_slice(bytes);
            let Some(length) = self.parse_head()? else { return Ok(()) };
            in_head = std::mem::take(&mut self.unparsed);
            bytes = &in_head[length..];
        }
        match &mut self.body {
            BodyState::Unknown => {}
            BodyState::UntilClose => on_body(bytes),
            BodyState::Length(left) => {
                let taken = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                on_body(&bytes[..taken]);
                *left -= taken as u64;
                if *left == 0 {
                    self.body = BodyState::Ended;
                }
                if taken < bytes.len() {
                    bail!("bytes behind the end of the response");
                }
            }
            BodyState::Chunked(state) => {
                if read_chunks(state, bytes, on_body)? {
                    self.body = BodyState::Ended;
                }
            }
            BodyState::Ended if bytes.is_empty() => {}
            BodyState::Ended => bail!("bytes behind the end of the response"),
        }
        Ok(())
    }

    /// The connection has ended. Fails when the response had not.
    pub(crate) fn closed(&mut self) -> anyhow::Result<()> {
        match self.body {
            BodyState::UntilClose | BodyState::Ended => {
                self.body = BodyState::Ended;
                Ok(())
            }
            _ => bail!("cut off"),
        }
    }

    pub(crate) fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.body, BodyState::Ended)
    }

    /// Whether another request may be sent on the connection once the response has ended.
    pub(crate) fn keeps_connection(&self) -> bool {
        self.head.as_ref().is_some_and(|head| {
            !head.has("connection", "close")
                && (head.has("transfer-encoding", "chunked")
                    || head.header("content-length").is_some())
        })
    }

    /// The head's length once it is whole.
    fn parse_head(&mut self) -> anyhow::Result<Option<usize>> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = response.parse(&self.unparsed)? else {
            if self.unparsed.len() > MAX_HEAD_BYTES {
                bail!("the response's head is too long");
            }
            return Ok(None);
        };
        let headers = response.headers.iter().map(|header| {
            (header.name.to_ascii_lowercase(), String::from_utf8_lossy(header.value).into_owned())
        });
        let head = Head { status: response.code.unwrap_or_default(), headers: headers.collect() };
        self.body = if head.has("transfer-encoding", "chunked") {
            BodyState::Chunked(ChunkState::Size(0))
        } else if matches!(head.status, 204 | 304) {
            BodyState::Ended
        } else {
            match head.header("content-length") {
                None => BodyState::UntilClose,
                Some("0") => BodyState::Ended,
                Some(length) => BodyState::Length(length.parse().context("content-length")?),
            }
        };
        self.head = Some(head);
        Ok(Some(length))
    }
}

/// Goes on in a chunked body; whether it is over.
fn read_chunks(
    state: &mut ChunkState,
    mut bytes: &[u8],
    mut on_body: impl FnMut(&[u8]),
) -> anyhow::Result<bool> {
    while let Some((&byte, rest)) = bytes.split_first() {
        match *state {
            ChunkState::Data(left) => {
                let taken = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                on_body(&bytes[..taken]);
                bytes = &bytes[taken..];
                let left = left - taken as u64;
                *state = if left == 0 { ChunkState::AfterData } else { ChunkState::Data(left) };
                continue;
            }
            ChunkState::Size(size) | ChunkState::Extension(size) if byte == b'\n' => {
                *state = if size == 0 { ChunkState::Trailer(0) } else { ChunkState::Data(size) };
            }
            ChunkState::Size(size) => match char::from(byte).to_digit(16) {
                Some(digit) if size < 1 << 40 => {
                    *state = ChunkState::Size(size * 16 + u64::from(digit));
                }
                None if matches!(byte, b'\r' | b';' | b' ') => *state = ChunkState::Extension(size),
                _ => bail!("a chunk's size cannot be read"),
            },
            ChunkState::Extension(_) => {}
            ChunkState::AfterData if byte == b'\n' => *state = ChunkState::Size(0),
            ChunkState::AfterData if byte == b'\r' => {}
            ChunkState::AfterData => bail!("a chunk is longer than its size"),
            ChunkState::Trailer(0) if byte == b'\n' => {
                if !rest.is_empty() {
                    bail!("bytes behind the end of the response");
                }
                return Ok(true);
            }
            ChunkState::Trailer(_) if byte == b'\n' => *state = ChunkState::Trailer(0),
            ChunkState::Trailer(_) if byte == b'\r' => {}
            ChunkState::Trailer(length) => *state = ChunkState::Trailer(length + 1),
        }
        bytes = rest;
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Head and body of a response that comes in pieces of this size.
    fn read(response: &[u8], piece: usize) -> (ResponseReader, Vec<u8>) {
        let (mut reader, mut body) = (ResponseReader::default(), Vec::new());
        for bytes in response.chunks(piece) {
            reader.feed(bytes, |bytes| body.extend_from_slice(bytes)).unwrap();
        }
        (reader, body)
    }

    #[test]
    fn a_chunked_body_reads_the_same_however_it_is_cut() {
        let response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Run-Id: r\r\n\r\n\
            5\r\nhello\r\n1;ext=1\r\n \r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
        for piece in 1..=response.len() {
            let (reader, body) = read(response, piece);

            assert_eq!(body, b"hello 0123456789", "in pieces of {piece}");
            assert!(reader.has_ended() && reader.keeps_connection());
            assert_eq!(reader.head().unwrap().header("x-run-id"), Some("r"));
        }
    }

    #[test]
    fn a_body_of_known_length_ends_with_it() {
        let (reader, body) = read(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone", 7);

        assert_eq!(body, b"gone");
        assert_eq!(reader.head().unwrap().status, 404);
        assert!(reader.has_ended());
    }

    #[test]
    fn a_response_that_is_cut_off_is_an_error_unless_its_body_lasts_until_then() {
        let (mut cut, _) =
            read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", 9);
        let (mut whole, _) = read(b"HTTP/1.1 200 OK\r\n\r\nhel", 9);

        assert!(cut.closed().is_err());
        assert!(whole.closed().is_ok());
    }

    #[test]
    fn a_chunk_that_is_longer_than_its_size_is_an_error() {
        let mut reader = ResponseReader::default();
        let response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n";

        assert!(reader.feed(response, |_| {}).is_err());
    }
}
