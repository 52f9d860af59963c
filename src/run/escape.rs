//! JSON string escaping of text that grows piece by piece.

/// Appends `text` as it stands inside a JSON string, in the SDK's spelling: short escapes where
/// there are, `\u00xx` for other control characters, all else as it is.
///
/// U+0000 becomes U+FFFD: PostgreSQL cannot store it, and nobody can see it.
pub(super) fn escape_into(text: &str, out: &mut String) {
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0c => "\\f",
            0x00 => "\u{fffd}",
            0x01..=0x1f => {
                out.push_str(&text[plain..at]);
                plain = at + 1;
                out.push_str("\\u00");
                out.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
                out.push(char::from_digit(u32::from(byte & 0xf), 16).unwrap_or('0'));
                continue;
            }
            _ => continue,
        };
        out.push_str(&text[plain..at]);
        plain = at + 1;
        out.push_str(escape);
    }
    out.push_str(&text[plain..]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_without_nul_is_escaped_as_serde_does(text in "[^\u{0}]*") {
            let mut escaped = String::from("\"");
            escape_into(&text, &mut escaped);
            escaped.push('"');

            prop_assert_eq!(escaped, serde_json::to_string(&text).unwrap());
        }
    }
}
