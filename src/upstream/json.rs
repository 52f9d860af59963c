//! Parsing the data of events.

use memchr::memchr;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

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

/// A string, unescaped in one allocation; `None` for any other value. Half a surrogate pair becomes
/// U+FFFD, as above.
pub(super) fn string(value: &RawValue) -> Option<String> {
    let mut rest = value.get().strip_prefix('"')?.strip_suffix('"')?;
    let mut text = String::with_capacity(rest.len());
    while let Some(at) = memchr(b'\\', rest.as_bytes()) {
        let (character, len) = escaped(&rest[at..])?;
        text.push_str(&rest[..at]);
        text.push(character);
        rest = &rest[at + len..];
    }
    text.push_str(rest);
    Some(text)
}

/// The character of an escape, at which a text begins, and the escape's length.
fn escaped(text: &str) -> Option<(char, usize)> {
    let character = match text.as_bytes().get(1)? {
        b'n' => '\n',
        b't' => '\t',
        b'r' => '\r',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'u' => {
            let first = unit(text)?;
            let pair = [first, text.get(6..).and_then(unit).unwrap_or_default()];
            return match char::decode_utf16(pair).next()? {
                Ok(character) => Some((character, 6 * character.len_utf16())),
                Err(_half) => Some((char::REPLACEMENT_CHARACTER, 6)),
            };
        }
        itself @ (b'"' | b'\\' | b'/') => char::from(*itself),
        _ => return None,
    };
    Some((character, 2))
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn half_a_surrogate_pair_does_not_spoil_an_event() {
        assert_eq!(parse::<String>(r#""a\ud83d""#).unwrap(), "a\u{fffd}");
        assert_eq!(parse::<String>(r#""\ude00b""#).unwrap(), "\u{fffd}b");
        assert_eq!(parse::<String>(r#""\ud83d\ude00\ud83d""#).unwrap(), "😀\u{fffd}");
        assert_eq!(parse::<String>(r#""\\ud83d \ud83d\n""#).unwrap(), "\\ud83d \u{fffd}\n");
    }

    #[test]
    fn a_string_is_unescaped() {
        let string_of = |json| string(serde_json::from_str(json).unwrap());
        for json in [
            r#""""#,
            r#""plain é😀""#,
            r#""\"\\\/\b\f\n\r\t""#,
            r#""\u00e9\ud83d\ude00 \u0000\\u00e9""#,
        ] {
            assert_eq!(string_of(json), serde_json::from_str(json).ok(), "{json}");
        }
        assert_eq!(string_of(r#""a\ud83d""#).unwrap(), "a\u{fffd}");
        assert_eq!(string_of(r#""\ude00b""#).unwrap(), "\u{fffd}b");
        assert_eq!(string_of(r#""\ud83d\ud83d\ude00""#).unwrap(), "\u{fffd}😀");
        for json in ["null", "7", "[\"a\"]", "{}"] {
            assert_eq!(string_of(json), None, "{json}");
        }
    }

    proptest! {
        #[test]
        fn any_string_comes_back(text in any::<String>(), escape_all: bool) {
            let units = text.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
            let escaped = format!("\"{}\"", units.collect::<String>());
            let json = if escape_all { escaped } else { serde_json::to_string(&text).unwrap() };

            prop_assert_eq!(string(serde_json::from_str(&json).unwrap()), Some(text));
        }

        /// Surrogates in any order, whole pairs and halves.
        #[test]
        fn any_escapes_are_read_as_by_the_slow_way(
            units in proptest::collection::vec(
                prop::sample::select(vec!["\\ud83d", "\\ude00", "\\u0041", "\\\\", "u", "\\n"]),
                0..12,
            ),
        ) {
            let json = format!("\"{}\"", units.concat());

            let fast = string(serde_json::from_str(&json).unwrap());

            prop_assert_eq!(fast, parse::<String>(&json).ok());
        }
    }

    #[test]
    fn what_is_no_json_is_an_error_without_its_text() {
        for text in ["secret", "{\"secret\":", "\"\\", "\"\\é", "\"\\u12"] {
            let error = parse::<serde_json::Value>(text).unwrap_err().to_string();
            assert!(error.contains("no JSON") && !error.contains("secret"), "{error}");
        }
    }
}
