//! Parsing the data of events.

use serde::de::DeserializeOwned;

use super::UpstreamError;

/// Parses an event's data. The text itself stays out of the error.
///
/// Servers that count UTF-16 units may cut between the escapes of a surrogate pair. Half a pair is
/// no character: each becomes U+FFFD, and the whole text, which comes later, makes it good.
pub(super) fn parse<T: DeserializeOwned>(data: &str) -> Result<T, UpstreamError> {
    serde_json::from_str(data).or_else(|error| {
        let mended = without_half_pairs(data);
        serde_json::from_str(&mended).map_err(|_| {
            let (line, column) = (error.line(), error.column());
            UpstreamError::unreadable(format!("an event is no JSON at line {line} column {column}"))
        })
    })
}

/// JSON text with `\ufffd` for every escape of a surrogate that has no partner.
fn without_half_pairs(json: &str) -> String {
    let mut mended = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        mended.push_str(&rest[..at]);
        rest = &rest[at..];
        let escape = match (unit(rest), rest.get(6..).and_then(unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => &rest[..12],
            (Some(0xd800..=0xdfff), _) => {
                mended.push_str("\\ufffd");
                rest = &rest[6..];
                continue;
            }
            // The escaped character goes with its backslash, lest `\\` begin another escape.
            _ => &rest[..rest.chars().take(2).map(char::len_utf8).sum()],
        };
        mended.push_str(escape);
        rest = &rest[escape.len()..];
    }
    mended + rest
}

/// The UTF-16 unit of a text that begins with `\uXXXX`.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_surrogate_pair_does_not_spoil_an_event() {
        assert_eq!(parse::<String>(r#""a\ud83d""#).unwrap(), "a\u{fffd}");
        assert_eq!(parse::<String>(r#""\ude00b""#).unwrap(), "\u{fffd}b");
        assert_eq!(parse::<String>(r#""\ud83d\ude00\ud83d""#).unwrap(), "😀\u{fffd}");
        assert_eq!(parse::<String>(r#""\\ud83d \ud83d\n""#).unwrap(), "\\ud83d \u{fffd}\n");
    }

    #[test]
    fn what_is_no_json_is_an_error_without_its_text() {
        for text in ["secret", "{\"secret\":", "\"\\", "\"\\é", "\"\\u12"] {
            let error = parse::<serde_json::Value>(text).unwrap_err().to_string();
            assert!(error.contains("no JSON") && !error.contains("secret"), "{error}");
        }
    }
}
