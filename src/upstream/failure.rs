//! What a provider's error means: HTTP errors, and errors in the middle of a stream.

use std::time::Duration;

use serde_json::Value;

use super::{UpstreamError, redact};

/// An error as providers write it, in one of many shapes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ProviderError {
    /// Such as `rate_limit_exceeded`; the kind where there is no code.
    pub(super) code: String,
    /// For the log.
    pub(super) message: String,
}

impl ProviderError {
    /// Reads `{"error":{…}}`, `{"error":"…"}`, `{"message":…}`, `{"detail":…}`, the members at the
    /// top, or a list of these. Codes may be numbers.
    pub(super) fn read(body: &Value) -> Self {
        let body = body.get(0).unwrap_or(body);
        match body.get("error") {
            Some(Value::String(message)) => Self { code: String::new(), message: message.clone() },
            Some(error @ Value::Object(_)) => Self::of_object(error),
            _ => Self::of_object(body),
        }
    }

    fn of_object(error: &Value) -> Self {
        let text = |name: &str| match error.get(name) {
            Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let kind = text("type").filter(|kind| kind != "error");
        let detail =
            || error.get("detail").filter(|detail| !detail.is_null()).map(Value::to_string);
        Self {
            code: text("code").or(kind).unwrap_or_default(),
            message: text("message").or_else(detail).unwrap_or_default(),
        }
    }

    /// An error in a stream that began well.
    pub(super) fn in_stream(self) -> UpstreamError {
        let Self { code, message: detail } = self;
        let detail = redact::detail(&detail, None);
        match code.as_str() {
            "rate_limit_exceeded" => UpstreamError::RateLimited { retry_after: None, detail },
            "insufficient_quota" => UpstreamError::QuotaExhausted { detail },
            code if is_too_long(code) => UpstreamError::ContextTooLong { detail },
            _ => UpstreamError::Failed { code, detail },
        }
    }

    /// An HTTP error.
    pub(super) fn with_status(
        self,
        status: u16,
        retry_after: Option<Duration>,
        key: Option<&str>,
    ) -> UpstreamError {
        let Self { code, message } = self;
        let detail = redact::detail(&message, key);
        match status {
            401 | 403 => UpstreamError::Unauthorized { status, detail },
            402 => UpstreamError::QuotaExhausted { detail },
            429 if code == "insufficient_quota" => UpstreamError::QuotaExhausted { detail },
            429 => UpstreamError::RateLimited { retry_after, detail },
            _ if is_too_long(&code) => UpstreamError::ContextTooLong { detail },
            500.. | 408 | 409 => {
                let code = if code.is_empty() { status.to_string() } else { code };
                UpstreamError::Failed { code, detail }
            }
            _ => UpstreamError::Refused { status, code, detail },
        }
    }
}

fn is_too_long(code: &str) -> bool {
    matches!(
        code,
        "context_length_exceeded" | "exceed_context_size_error" | "string_above_max_length"
    )
}

/// Whether a status may be better a moment later, when nothing of an answer was used.
pub(super) fn is_worth_a_retry(status: u16, error: &UpstreamError) -> bool {
    let is_transient_status = matches!(status, 408 | 409 | 429 | 500..=504 | 520..=524 | 529);
    is_transient_status && !matches!(error, UpstreamError::QuotaExhausted { .. })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_shape_of_an_error_is_read() {
        for (body, code, message) in [
            (json!({"error": {"code": "c", "message": "m", "type": "t"}}), "c", "m"),
            (json!({"error": {"code": null, "message": "m", "type": "t"}}), "t", "m"),
            (json!({"error": {"code": 500, "message": "m"}}), "500", "m"),
            (json!({"error": "m"}), "", "m"),
            (json!({"message": "m"}), "", "m"),
            (json!({"detail": "m"}), "", "\"m\""),
            (json!([{"error": {"code": 429, "message": "m"}}]), "429", "m"),
            (json!({"type": "error", "code": "c", "message": "m"}), "c", "m"),
            (json!("nonsense"), "", ""),
        ] {
            let read = ProviderError::read(&body);
            assert_eq!((read.code.as_str(), read.message.as_str()), (code, message), "{body}");
        }
    }

    #[test]
    fn money_is_no_reason_to_wait() {
        let quota = ProviderError { code: "insufficient_quota".to_owned(), message: String::new() };

        let error = quota.with_status(429, None, None);

        assert!(!is_worth_a_retry(429, &error));
        assert!(matches!(error, UpstreamError::QuotaExhausted { .. }));
    }
}
