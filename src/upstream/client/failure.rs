//! Answers that are no stream: what they mean and whether to ask again.

use std::{future::poll_fn, time::Duration};

use reqwest::header::HeaderMap;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use crate::{
    protocol::Timestamp,
    upstream::{
        UpstreamError,
        provider_error::ProviderError,
        transport::{Answer, Body, Progress, SendError},
    },
};

/// As much of an error's body as is read.
const MAX_BODY_BYTES: usize = 64 << 10;
/// As long as an error's body is waited for.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a request is sent again: the official client's number.
const MAX_RETRIES: u32 = 2;
/// First wait without a word from the provider, then doubled: the official client's numbers.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// Longest wait a provider may ask for: beyond it, users had better hear of it at once.
const LONGEST_WISHED_WAIT: Duration = Duration::from_secs(20);

/// A request without a stream of events for an answer.
pub(super) struct Failure {
    pub(super) error: UpstreamError,
    retry: Retry,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Retry {
    Never,
    /// After the time that the provider wishes, or ours.
    After(Option<Duration>),
}

impl Failure {
    /// Judges why there is no answer.
    pub(super) fn from_send(error: SendError) -> Self {
        let error = match error {
            SendError::Connect { is_timeout: true, .. } => {
                UpstreamError::TimedOut { waited_for: "connect" }
            }
            SendError::Connect { cause, .. } => UpstreamError::Unreachable(cause),
            SendError::Lost(cause) => return Self::last(UpstreamError::Truncated(Some(cause))),
        };
        Self { error, retry: Retry::After(None) }
    }

    /// Judges an answer that is no stream of events; reads its body.
    pub(super) async fn from_answer(answer: Answer) -> Self {
        let status = answer.status;
        match status.as_u16() {
            200 => Self::last(not_events(answer).await),
            201..=299 => Self::last(UpstreamError::unreadable(format!("its status is {status}"))),
            code => {
                let provider = ProviderError::from_body(&read_body(answer.body).await);
                Self::from_status(code, &answer.headers, provider)
            }
        }
    }

    /// A failure that no repetition can mend.
    pub(super) fn last(error: UpstreamError) -> Self {
        Self { error, retry: Retry::Never }
    }

    fn from_status(status: u16, headers: &HeaderMap, provider: ProviderError) -> Self {
        let wished = wished_wait(headers);
        let mut error = provider.into_error(status);
        if let UpstreamError::RateLimited { retry_after, .. } = &mut error {
            *retry_after = wished;
        }
        let should = match header(headers, "x-should-retry") {
            Some("true") => true,
            Some("false") => false,
            _ => matches!(status, 408 | 409 | 429 | 500..),
        };
        let is_final = matches!(
            error,
            UpstreamError::QuotaExhausted { .. }
                | UpstreamError::ContextTooLong { .. }
                | UpstreamError::Unauthorized { .. }
        );
        let retry =
            if should && !is_final && status >= 400 { Retry::After(wished) } else { Retry::Never };
        Self { error, retry }
    }

    /// How long to wait before the request is sent again after `retries` repetitions; `None` when
    /// it must not be.
    pub(super) fn wait(&self, retries: u32) -> Option<Duration> {
        if retries >= MAX_RETRIES {
            return None;
        }
        match self.retry {
            Retry::Never => None,
            Retry::After(Some(wished)) => (wished <= LONGEST_WISHED_WAIT).then_some(wished),
            Retry::After(None) => {
                let whole = FIRST_WAIT.saturating_mul(1 << retries).min(LONGEST_WAIT);
                Some(whole.mul_f64(1.0 - 0.25 * fastrand::f64()))
            }
        }
    }
}

/// Status 200 without an event stream: an error in disguise, or an answer in one piece, which
/// was not asked for (Bedrock-style proxies send both).
async fn not_events(answer: Answer) -> UpstreamError {
    if let Some(encoding) = encoding(&answer.headers) {
        let reason = format!("its content encoding is {encoding}, which was not asked for");
        return UpstreamError::unreadable(reason);
    }
    let content_type = header(&answer.headers, "content-type").unwrap_or("none");
    let body = read_body(answer.body).await;
    match serde_json::from_slice::<serde_json::Value>(&body) {
        Ok(value) if value.get("error").is_some_and(|error| !error.is_null()) => {
            ProviderError::from_value(&value).into_stream_error()
        }
        _ => UpstreamError::unreadable(format!(
            "its content type is {content_type} instead of text/event-stream"
        )),
    }
}

/// The beginning of a body; what came when it breaks or takes too long.
async fn read_body(mut body: Box<dyn Body>) -> Vec<u8> {
    let mut taken = Vec::new();
    let reading = async {
        while taken.len() < MAX_BODY_BYTES {
            let read =
                poll_fn(|cx| body.poll_read(cx, &mut |bytes| taken.extend_from_slice(bytes)));
            if !matches!(read.await, Ok(Progress::Some)) {
                break;
            }
        }
    };
    // Out of time is no failure: what has come is judged.
    let _elapsed = tokio::time::timeout(BODY_TIMEOUT, reading).await;
    taken.truncate(MAX_BODY_BYTES);
    taken
}

/// How long the provider wants us to wait: `retry-after-ms`, or `retry-after` in seconds, also
/// fractional, or as a date.
fn wished_wait(headers: &HeaderMap) -> Option<Duration> {
    let seconds = |text: &str| text.trim().parse::<f64>().ok();
    let of = |seconds| Duration::try_from_secs_f64(seconds).ok();
    if let Some(ms) = header(headers, "retry-after-ms").and_then(seconds) {
        return of(ms / 1000.0);
    }
    let value = header(headers, "retry-after")?;
    if let Some(seconds) = seconds(value) {
        return of(seconds);
    }
    let date = OffsetDateTime::parse(value.trim(), &Rfc2822).ok()?;
    Some(Timestamp::from(date).since(Timestamp::now()))
}

/// The encoding of a body that is not plain. None is ever asked for.
pub(super) fn encoding(headers: &HeaderMap) -> Option<&str> {
    header(headers, "content-encoding").filter(|name| !name.eq_ignore_ascii_case("identity"))
}

pub(super) fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    fn failure(status: u16, pairs: &[(&'static str, &'static str)]) -> Failure {
        Failure::from_status(status, &headers(pairs), ProviderError::default())
    }

    #[test]
    fn only_passing_failures_are_worth_another_request() {
        for status in [408, 409, 429, 500, 502, 503, 504, 520, 529] {
            assert!(failure(status, &[]).wait(0).is_some(), "{status}");
        }
        for status in [204, 302, 400, 401, 402, 403, 404, 413, 422, 499] {
            assert!(failure(status, &[]).wait(0).is_none(), "{status}");
        }
    }

    #[test]
    fn a_third_repetition_is_never_made() {
        assert!(failure(500, &[]).wait(1).is_some());
        assert!(failure(500, &[]).wait(2).is_none());
    }

    #[test]
    fn the_providers_own_word_on_repeating_goes_before_the_status() {
        assert!(failure(500, &[("x-should-retry", "false")]).wait(0).is_none());
        assert!(failure(400, &[("x-should-retry", "true")]).wait(0).is_some());
        assert!(failure(302, &[("x-should-retry", "true")]).wait(0).is_none());
        assert!(failure(402, &[("x-should-retry", "true")]).wait(0).is_none());
    }

    #[test]
    fn a_wished_wait_is_read_in_all_its_forms() {
        let wish = |pairs| wished_wait(&headers(pairs));
        assert_eq!(wish(&[("retry-after-ms", "1500.5")]), Some(Duration::from_micros(1_500_500)));
        assert_eq!(wish(&[("retry-after", "2")]), Some(Duration::from_secs(2)));
        assert_eq!(wish(&[("retry-after", "0.25")]), Some(Duration::from_millis(250)));
        assert_eq!(wish(&[("retry-after", "-1")]), None);
        assert_eq!(wish(&[("retry-after", "soon")]), None);
        let past = wish(&[("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")]);
        assert_eq!(past, Some(Duration::ZERO));
        let future = wish(&[("retry-after", "Sun, 21 Oct 2091 07:28:00 GMT")]);
        assert!(future > Some(Duration::from_secs(1_000_000)));
    }

    #[test]
    fn a_long_wished_wait_becomes_the_error() {
        let failure = failure(429, &[("retry-after", "30")]);

        assert_eq!(failure.wait(0), None);
        let wait = Some(Duration::from_secs(30));
        assert!(
            matches!(failure.error, UpstreamError::RateLimited { retry_after, .. } if retry_after == wait)
        );
    }

    #[test]
    fn our_own_waits_double_and_stay_in_their_bounds() {
        for _ in 0..100 {
            let (first, second) = (failure(500, &[]).wait(0), failure(500, &[]).wait(1));
            assert!((375..=500).contains(&first.unwrap().as_millis()));
            assert!((750..=1000).contains(&second.unwrap().as_millis()));
        }
    }
}
