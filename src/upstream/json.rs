//! Parsing the data of events.

use std::ops::ControlFlow;

use memchr::{memchr, memchr2};
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

/// A string, unescaped in one allocation; `None` for any other value. Half a surrogate pair becomes
/// U+FFFD, as above.
pub(super) fn string(value: &str) -> Option<String> {
    let mut rest = value.strip_prefix('"')?.strip_suffix('"')?;
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

/// Gives the name, less its quotes, and the value of each member of an object to `each`, as they stand
/// there, until that has all it wants. `None` when it wants more than there is, or what was read is no
/// object's; what lists and objects within it hold is passed over and not checked.
///
/// It takes a fraction of the time of a parser, for the one event of which an answer has hundreds.
pub(super) fn members<'a>(
    object: &'a str,
    mut each: impl FnMut(&'a str, &'a str) -> ControlFlow<()>,
) -> Option<()> {
    let mut cursor = Cursor { json: object, at: 0 };
    cursor.expect(b'{')?;
    loop {
        cursor.peek()?;
        let name = cursor.string()?;
        cursor.expect(b':')?;
        let value = cursor.value()?;
        if each(&name[1..name.len() - 1], value).is_break() {
            return Some(());
        }
        cursor.expect(b',')?;
    }
}

/// A place in JSON text, always between two characters.
struct Cursor<'a> {
    json: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn skip_space(&mut self) {
        let rest = &self.json.as_bytes()[self.at..];
        self.at +=
            rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        self.skip_space();
        self.json.as_bytes().get(self.at).copied()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// A string with its quotes.
    fn string(&mut self) -> Option<&'a str> {
        let start = self.at;
        let bytes = self.json.as_bytes();
        if *bytes.get(start)? != b'"' {
            return None;
        }
        let mut at = start + 1;
        loop {
            at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
            if bytes[at] == b'"' {
                self.at = at + 1;
                return self.json.get(start..self.at);
            }
            at += 2;
        }
    }

    fn value(&mut self) -> Option<&'a str> {
        match self.peek()? {
            b'"' => self.string(),
            b'{' | b'[' => self.nested(),
            _ => self.scalar(),
        }
    }

    fn scalar(&mut self) -> Option<&'a str> {
        let start = self.at;
        let rest = &self.json.as_bytes()[start..];
        let is_part =
            |byte: &&u8| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'E' | b'+' | b'-' | b'.');
        self.at += rest.iter().take_while(is_part).count();
        (self.at > start).then(|| &self.json[start..self.at])
    }

    fn nested(&mut self) -> Option<&'a str> {
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match self.json.as_bytes().get(self.at)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return self.json.get(start..self.at);
            }
        }
    }
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
        let string_of = string;
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

            prop_assert_eq!(string(&json), Some(text));
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

            let fast = string(&json);

            prop_assert_eq!(fast, parse::<String>(&json).ok());
        }
    }

    /// The first members, each value parsed; fewer when there are no more.
    fn members_of(json: &str, count: usize) -> Vec<(String, serde_json::Value)> {
        let mut found = Vec::new();
        let all = members(json, |name, value| {
            found.push((name.to_owned(), serde_json::from_str(value).unwrap()));
            if found.len() == count { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(all.is_some(), found.len() == count, "{json}");
        found
    }

    #[test]
    fn the_members_of_an_object_are_found_as_they_stand() {
        let json = r#" { "a\"" : "b\\" , "c":[{"]":1},"}"],"d":-1.5e+3, "e":null , "f" "#;
        let mut found = Vec::new();

        let all = members(json, |name, value| {
            found.push((name, value));
            if name == "e" { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });

        assert_eq!(all, Some(()));
        let expected =
            [(r#"a\""#, r#""b\\""#), ("c", r#"[{"]":1},"}"]"#), ("d", "-1.5e+3"), ("e", "null")];
        assert_eq!(found, expected);
    }

    #[test]
    fn the_search_for_members_ends_where_an_object_does_or_is_none() {
        for (json, count) in [
            ("", 0),
            ("[]", 0),
            ("null", 0),
            ("{}", 0),
            ("{,}", 0),
            ("{a:1}", 0),
            (r#"{"a""#, 0),
            (r#"{"a":"#, 0),
            (r#"{"a" 1}"#, 0),
            (r#"{"a":"b}"#, 0),
            (r#"{"a":"\"#, 0),
            (r#"{"é\"#, 0),
            (r#"{"a":[1"#, 0),
            (r#"{"a":1,}"#, 1),
            (r#"{"a":1}, "b":2"#, 1),
            (r#"{"a":1 "b":2}"#, 1),
        ] {
            let mut seen = 0;
            let all = members(json, |_, _| {
                seen += 1;
                ControlFlow::Continue(())
            });
            assert_eq!((all, seen), (None, count), "{json}");
        }
    }

    proptest! {
        /// Pretty or not, whatever stands in it.
        #[test]
        fn members_are_those_that_the_parser_finds(
            given in proptest::collection::vec(("[^\"\\\\\u{0}-\u{1f}]{0,6}", any_value()), 1..6),
            is_pretty: bool,
        ) {
            let object: serde_json::Map<_, _> = given.into_iter().collect();
            let json = if is_pretty {
                serde_json::to_string_pretty(&object).unwrap()
            } else {
                serde_json::to_string(&object).unwrap()
            };

            prop_assert_eq!(members_of(&json, object.len()), object.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn no_text_makes_the_search_for_members_fail(text: String, cut in 0..40_usize) {
            let whole = format!("{{\"a\":{text:?},\"b\":[{{}},{text}");
            let end = whole.floor_char_boundary(cut);
            let _ = members(&text, |_, _| ControlFlow::Continue(()));
            let _ = members(&whole[..end], |_, _| ControlFlow::Continue(()));
        }
    }

    fn any_value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            any::<String>().prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                proptest::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(serde_json::Value::from_iter),
            ]
        })
    }

    #[test]
    fn what_is_no_json_is_an_error_without_its_text() {
        for text in ["secret", "{\"secret\":", "\"\\", "\"\\é", "\"\\u12"] {
            let error = parse::<serde_json::Value>(text).unwrap_err().to_string();
            assert!(error.contains("no JSON") && !error.contains("secret"), "{error}");
        }
    }
}
