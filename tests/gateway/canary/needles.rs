//! Finds texts again, whole or in pieces, as they are or in another coding.

use std::collections::{BTreeSet, HashMap};

use base64::{
    Engine,
    alphabet::{STANDARD, URL_SAFE},
    engine::{GeneralPurpose, general_purpose::NO_PAD},
};

/// The shortest piece that is recognised, in bytes: nothing is that long by chance.
const PIECE: usize = 12;

/// A letter of base64 holds six bits; so many letters hold the shortest piece.
const PIECE_IN_BASE64: usize = PIECE * 8 / 6;

/// Texts that are looked for, each with a name.
#[derive(Default)]
pub(super) struct Needles {
    names: Vec<String>,
    /// Every piece in every coding, by its length; whose it is.
    pieces: HashMap<usize, HashMap<Vec<u8>, usize>>,
    /// By the first two bytes, whether a piece begins so.
    beginnings: Vec<bool>,
}

impl Needles {
    pub(super) fn add(&mut self, name: &str, text: &str) {
        assert!(text.len() >= 2 * PIECE, "{name} is too short to be told from chance");
        let number = self.names.len();
        self.names.push(name.to_owned());
        self.beginnings.resize(1 << 16, false);
        for (form, length) in codings(text.as_bytes()) {
            let pieces = self.pieces.entry(length).or_default();
            for piece in form.windows(length) {
                self.beginnings[beginning(piece)] = true;
                pieces.entry(piece.to_vec()).or_insert(number);
            }
        }
    }

    /// Something random to be looked for, of letters and digits alone: no coding of text as text, be it
    /// JSON or a URL, changes it.
    pub(super) fn make(&mut self, name: &str) -> String {
        let text: String = std::iter::repeat_with(fastrand::alphanumeric).take(40).collect();
        self.add(name, &text);
        text
    }

    /// The names of those that a piece was found of.
    pub(super) fn found_in(&self, text: &[u8]) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        for at in 0..text.len().saturating_sub(1) {
            let rest = &text[at..];
            if !self.beginnings[beginning(rest)] {
                continue;
            }
            for (length, pieces) in &self.pieces {
                let number = rest.get(..*length).and_then(|piece| pieces.get(piece));
                found.extend(number.map(|number| self.names[*number].as_str()));
            }
        }
        found
    }

    pub(super) fn names(&self) -> BTreeSet<&str> {
        self.names.iter().map(String::as_str).collect()
    }
}

fn beginning(bytes: &[u8]) -> usize {
    usize::from(u16::from_be_bytes([bytes[0], bytes[1]]))
}

/// A text in each coding, and how long a piece is in it.
fn codings(text: &[u8]) -> Vec<(Vec<u8>, usize)> {
    let each = |code: fn(&u8) -> String| text.iter().map(code).collect::<String>().into_bytes();
    let mut codings = vec![
        (text.to_vec(), PIECE),
        (text.to_ascii_lowercase(), PIECE),
        (text.to_ascii_uppercase(), PIECE),
        (text.iter().rev().copied().collect(), PIECE),
        (each(|byte| format!("{byte:02x}")), 2 * PIECE),
        (each(|byte| format!("{byte:02X}")), 2 * PIECE),
        (each(|byte| format!("%{byte:02x}")), 3 * PIECE),
        (each(|byte| format!("%{byte:02X}")), 3 * PIECE),
        (each(|byte| format!("\\x{byte:02x}")), 4 * PIECE),
        (each(|byte| format!("\\u{byte:04x}")), 6 * PIECE),
        // As Rust prints bytes.
        (each(|byte| format!("{byte}, ")), 4 * PIECE),
    ];
    for alphabet in [STANDARD, URL_SAFE] {
        let engine = GeneralPurpose::new(&alphabet, NO_PAD);
        for before in 0..3 {
            // Behind so many other bytes; the letters that hold some of those say nothing, nor does
            // the last.
            let shifted = [&[0; 2][..before], text].concat();
            let coded = engine.encode(shifted).into_bytes();
            let first = (before * 8).div_ceil(6);
            codings.push((coded[first..coded.len() - 1].to_vec(), PIECE_IN_BASE64));
        }
    }
    codings
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD as PLAIN, URL_SAFE_NO_PAD};

    use super::*;

    const SECRET: &str = "sk-Zq7\u{fc}RtY2mN8vB4xC6wL1kJ3hG5fD9sA0pO";

    fn needles() -> Needles {
        let mut needles = Needles::default();
        needles.add("the key", SECRET);
        needles.make("another");
        needles
    }

    fn percent(text: &str) -> String {
        text.bytes().fold(String::new(), |out, byte| format!("{out}%{byte:02X}"))
    }

    fn hexadecimal(text: &str) -> String {
        text.bytes().fold(String::new(), |out, byte| format!("{out}{byte:02x}"))
    }

    #[test]
    fn a_planted_text_is_found_however_it_is_coded() {
        let needles = needles();
        let json = serde_json::json!({ "error": { "message": format!("bad key \"{SECRET}\"\n") } });
        let escaped: String =
            SECRET.encode_utf16().fold(String::new(), |out, unit| format!("{out}\\u{unit:04x}"));
        for (coding, planted) in [
            ("as it is", SECRET.to_owned()),
            ("in a sentence", format!("Incorrect API key: {SECRET}.")),
            ("cut off", format!("{}…", &SECRET[..14])),
            ("its end", format!("***{}", &SECRET[SECRET.len() - 12..])),
            ("in capitals", SECRET.to_uppercase()),
            ("in small letters", SECRET.to_lowercase()),
            ("backwards", SECRET.chars().rev().collect()),
            ("in JSON", json.to_string()),
            ("in JSON in JSON", serde_json::Value::from(json.to_string()).to_string()),
            ("in escapes of JSON", escaped),
            ("as Rust prints text", format!("{SECRET:?}")),
            ("as Rust prints bytes", format!("{:?}", SECRET.as_bytes())),
            ("as Rust prints a buffer", format!("{:?}", bytes::Bytes::from(SECRET))),
            ("in a URL", format!("/?key={}", percent(SECRET))),
            ("in base64", PLAIN.encode(SECRET)),
            ("in base64url", URL_SAFE_NO_PAD.encode(SECRET)),
            ("in base64 behind a byte", PLAIN.encode(format!("a{SECRET}"))),
            ("in base64 behind two bytes", URL_SAFE_NO_PAD.encode(format!("ab{SECRET}c"))),
            ("as basic credentials", format!("Basic {}", PLAIN.encode(format!("user:{SECRET}")))),
            ("in hexadecimal", hexadecimal(SECRET)),
        ] {
            let line = format!("2026-01-01 INFO gateway: {planted} end of the line");

            let found = needles.found_in(line.as_bytes());

            assert_eq!(found, ["the key"].into(), "{coding}: {planted}");
        }
    }

    #[test]
    fn what_only_resembles_a_text_is_not_it() {
        let needles = needles();
        let others = ["", "s", "sk-Zq7", "sk-00000000000000000000000000000000", "0pO sk-Zq7"];

        for other in others {
            assert_eq!(needles.found_in(other.as_bytes()), [].into(), "{other}");
        }
    }
}
