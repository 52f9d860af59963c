//! Errors as providers write them, in a body of their own or in the middle of a stream.

use serde_json::Value;

use super::UpstreamError;

/// Longest text of a provider that is kept, in characters: enough for the log, too little for a
/// whole prompt.
const MAX_DETAIL_CHARS: usize = 500;

/// What a provider says about a failure. Every member may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProviderError {
    /// Its code: text or, from vLLM and llama.cpp, a number such as `500`.
    pub(crate) code: String,
    /// Its type.
    pub(crate) kind: String,
    /// For people.
    pub(crate) message: String,
}

impl ProviderError {
    /// Reads the body of an answer: `{"error":{…}}`, `{"error":"…"}`, `{"message":…}`,
    /// `{"detail":…}`, a list of such (Gemini), HTML, or nothing.
    pub(crate) fn from_body(body: &[u8]) -> Self {
        match serde_json::from_slice(body) {
            Ok(value) => Self::from_value(&value),
            Err(_) => {
                Self { message: String::from_utf8_lossy(body).trim().to_owned(), ..Self::default() }
            }
        }
    }

    /// Reads an error object, or what contains one.
    pub(crate) fn from_value(value: &Value) -> Self {
        match value {
            Value::Array(list) => list.first().map(Self::from_value).unwrap_or_default(),
            Value::String(text) => Self { message: text.clone(), ..Self::default() },
            Value::Object(members) => match members.get("error") {
                Some(error) if !error.is_null() => Self::from_value(error),
                _ => Self {
                    code: text_of(members.get("code")),
                    kind: text_of(members.get("type")),
                    message: text_of(members.get("message").or_else(|| members.get("detail"))),
                },
            },
            _ => Self::default(),
        }
    }

    /// What it means in the middle of a stream, where the status is 200.
    pub(crate) fn into_stream_error(self) -> UpstreamError {
        let status = match self.code.as_str() {
            "rate_limit_exceeded" => 429,
            "invalid_api_key" => 401,
            "invalid_prompt" | "bio_policy" | "data_residency_mismatch" | "content_filter" => 400,
            code if code.contains("image") => 400,
            code => match code.parse::<u16>() {
                Ok(status @ 400..=599) => status,
                _ if self.kind == "invalid_request_error" => 400,
                _ => 500,
            },
        };
        self.into_error(status)
    }

    /// What it means with a status. Codes that say more than the status come first.
    pub(crate) fn into_error(self, status: u16) -> UpstreamError {
        if self.is_about_money() || status == 402 {
            return UpstreamError::QuotaExhausted { detail: self.message };
        }
        if self.is_about_length() {
            return UpstreamError::ContextTooLong { detail: self.message };
        }
        match status {
            401 | 403 => UpstreamError::Unauthorized { status, detail: self.message },
            429 => UpstreamError::RateLimited { retry_after: None, detail: self.message },
            408 | 409 | 500.. => {
                let code = if self.code.is_empty() { status.to_string() } else { self.code };
                UpstreamError::Failed { code, detail: self.message }
            }
            _ => {
                let code = if self.code.is_empty() { self.kind } else { self.code };
                UpstreamError::Refused { status, code, detail: self.message }
            }
        }
    }

    fn is_about_money(&self) -> bool {
        let known = ["insufficient_quota", "billing_hard_limit_reached", "billing_not_active"];
        known.contains(&self.code.as_str()) || self.kind == "insufficient_quota"
    }

    fn is_about_length(&self) -> bool {
        self.code == "context_length_exceeded"
            // llama.cpp
            || self.kind == "exceed_context_size_error"
            // vLLM, which gives no code for it
            || self.message.contains("maximum context length")
    }
}

/// The text of a member that may be text, a number, or a list of objects (`FastAPI`'s `detail`).
fn text_of(member: Option<&Value>) -> String {
    match member {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// The error with nothing in it that a log must not hold: the key is struck out, then texts are
/// shortened. In this order, lest a part of a key survive at the cut.
pub(crate) fn fit_for_log(error: UpstreamError, key: Option<&str>) -> UpstreamError {
    let fit = |text: String| {
        let text = match key {
            Some(key) if !key.is_empty() => text.replace(key, "[key]"),
            _ => text,
        };
        shortened(text)
    };
    match error {
        UpstreamError::Unauthorized { status, detail } => {
            UpstreamError::Unauthorized { status, detail: fit(detail) }
        }
        UpstreamError::RateLimited { retry_after, detail } => {
            UpstreamError::RateLimited { retry_after, detail: fit(detail) }
        }
        UpstreamError::QuotaExhausted { detail } => {
            UpstreamError::QuotaExhausted { detail: fit(detail) }
        }
        UpstreamError::ContextTooLong { detail } => {
            UpstreamError::ContextTooLong { detail: fit(detail) }
        }
        UpstreamError::Refused { status, code, detail } => {
            UpstreamError::Refused { status, code: fit(code), detail: fit(detail) }
        }
        UpstreamError::Failed { code, detail } => {
            UpstreamError::Failed { code: fit(code), detail: fit(detail) }
        }
        UpstreamError::Unreadable { reason } => UpstreamError::Unreadable { reason: fit(reason) },
        other @ (UpstreamError::Unreachable(_)
        | UpstreamError::TimedOut { .. }
        | UpstreamError::Truncated(_)) => other,
    }
}

fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_DETAIL_CHARS) {
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> ProviderError {
        ProviderError::from_body(body.as_bytes())
    }

    #[test]
    fn every_known_form_of_an_error_body_is_read() {
        let whole = read(r#"{"error":{"message":"no","type":"t","param":null,"code":"c"}}"#);
        assert_eq!((whole.code.as_str(), whole.kind.as_str()), ("c", "t"));

        let others = [
            r#"{"error":{"message":"no"}}"#,
            r#"{"error":"no"}"#,
            r#"{"message":"no"}"#,
            r#"{"detail":"no"}"#,
            r#"[{"error":{"message":"no"}}]"#,
            "no",
        ];
        for body in others {
            assert_eq!(read(body).message, "no", "{body}");
        }
        assert_eq!(read(""), ProviderError::default());
        assert_eq!(read(r#"{"error":{"code":503,"message":"x"}}"#).code, "503");
        assert_eq!(read(r#"{"detail":[{"loc":["body"]}]}"#).message, r#"[{"loc":["body"]}]"#);
    }

    #[test]
    fn a_used_up_quota_is_told_from_a_rate_limit() {
        let quota = read(r#"{"error":{"code":"insufficient_quota","message":"m"}}"#);
        assert!(matches!(quota.into_error(429), UpstreamError::QuotaExhausted { .. }));

        let rate = read(r#"{"error":{"code":"rate_limit_exceeded","message":"m"}}"#);
        assert!(matches!(rate.clone().into_error(429), UpstreamError::RateLimited { .. }));
        assert!(matches!(rate.into_stream_error(), UpstreamError::RateLimited { .. }));
    }

    #[test]
    fn a_code_in_the_stream_says_whose_fault_it_is() {
        let of = |code: &str| {
            ProviderError { code: code.to_owned(), ..ProviderError::default() }.into_stream_error()
        };
        assert!(matches!(of("server_error"), UpstreamError::Failed { .. }));
        assert!(matches!(of("500"), UpstreamError::Failed { .. }));
        assert!(matches!(of("400"), UpstreamError::Refused { status: 400, .. }));
        assert!(matches!(of("invalid_prompt"), UpstreamError::Refused { .. }));
        assert!(matches!(of("context_length_exceeded"), UpstreamError::ContextTooLong { .. }));
        assert!(matches!(of("never_heard_of"), UpstreamError::Failed { .. }));
    }

    #[test]
    fn the_key_is_struck_out_before_the_text_is_cut() {
        let key = "sk-secret-secret";
        let detail = format!("{}{key}", "x".repeat(MAX_DETAIL_CHARS - 3));
        let error = UpstreamError::Failed { code: key.to_owned(), detail };

        let printed = format!("{:?}", fit_for_log(error, Some(key)));

        assert!(!printed.contains("sk-"), "{printed}");
    }
}
