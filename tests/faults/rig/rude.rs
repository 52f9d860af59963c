//! Clients that connect, ask, and are gone: at any byte, with a reset or without.

use std::{net::SocketAddr, time::Duration};

use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

/// Where it breaks off.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Leaves {
    /// With so many hundredths of the request sent.
    Within(usize),
    /// With all of it sent, after this time.
    After(Duration),
    /// Behind the first bytes of the answer.
    Answered,
}

impl Leaves {
    pub(crate) fn at_random(random: &mut fastrand::Rng, within: Duration) -> Self {
        match random.u8(..4) {
            0 => Self::Within(random.usize(..100)),
            1 => Self::Answered,
            _ => Self::After(within.mul_f64(random.f64())),
        }
    }
}

/// Sends a request as far as that and leaves. Does not mind errors.
pub(crate) async fn ask_and_leave(to: SocketAddr, request: String, leaves: Leaves, resets: bool) {
    let Ok(mut stream) = TcpStream::connect(to).await else { return };
    if resets {
        let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    }
    let share = if let Leaves::Within(share) = leaves { share } else { 100 };
    let length = request.len() * share / 100;
    let _ = stream.write_all(&request.as_bytes()[..length]).await;
    match leaves {
        Leaves::Within(_) => {}
        Leaves::After(time) => sleep(time).await,
        Leaves::Answered => {
            let mut some = [0; 256];
            let _ = timeout(Duration::from_secs(10), stream.read(&mut some)).await;
        }
    }
}

/// A request as its bytes.
pub(crate) fn request(method: &str, path: &str, token: &str, body: Option<&str>) -> String {
    let body = body.unwrap_or_default();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {token}\r\n\
        content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}
