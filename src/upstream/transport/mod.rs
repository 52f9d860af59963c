//! From a request to the head and the body of its answer: one POST, sent once.

mod reqwest;

use std::task::{Context, Poll};

use ::reqwest::{StatusCode, header::HeaderMap};

pub(super) use self::reqwest::send;
use super::{BoxError, UpstreamError};

/// The head of an answer, and what is to be read of it.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Box<dyn Body>,
}

/// The body of an answer. Dropping it before its end closes the connection.
pub(super) trait Body: Send {
    /// Waits for bytes and gives all that have come to `take`, in one or more pieces. After the
    /// end or an error it must not be polled again. Cancel safe.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        take: &mut dyn FnMut(&[u8]),
    ) -> Poll<Result<Progress, BodyError>>;
}

/// How far a body has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There were bytes, and may be more.
    Some,
    /// It was whole.
    End,
}

/// A body broke off.
#[derive(Debug)]
pub(super) struct BodyError(BoxError);

impl From<BodyError> for UpstreamError {
    fn from(BodyError(cause): BodyError) -> Self {
        Self::Truncated(Some(cause))
    }
}

/// Why there is no answer.
pub(super) enum SendError {
    /// No connection: nothing was sent.
    Connect {
        /// Whether it took too long.
        is_timeout: bool,
        cause: BoxError,
    },
    /// The request was sent, at least in part; what became of it is unknown.
    Lost(BoxError),
}
