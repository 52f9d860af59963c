//! Texts around a good token that are no token, and tokens that are rightly signed in a spelling
//! that a lax reader takes.

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use serde_json::{Value, json};

use super::makers::{Maker, login_claims, session_claims, with};
use crate::keys::base64url;

/// The letters of base64url, by their value.
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

pub(super) fn bad(maker: &Maker) -> Vec<(String, String)> {
    let mut bad = broken(&maker.good());
    bad.extend(taken_apart(maker));
    bad.extend(misspelt(maker));
    bad.extend(serialised(maker));
    let oversized = with(maker.claims.clone(), json!({ "image": "x".repeat(9 * 1024) }));
    bad.push(("9 KiB".to_owned(), maker.key.token(&maker.header, &oversized)));
    let oversized = with(maker.header.clone(), json!({ "image": "x".repeat(9 * 1024) }));
    bad.push(("9 KiB of header".to_owned(), maker.key.token(&oversized, &maker.claims)));
    bad
}

/// Of letters alone.
fn broken(good: &str) -> Vec<(String, String)> {
    let parts: Vec<&str> = good.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!("three parts") };
    let cookie = "Zc1yXqVgU5kR3fN8.dGhlIHNpZ25hdHVyZSBvZiBhIGNvb2tpZQ%3D%3D";
    [
        ("empty", String::new()),
        ("dots", "..".to_owned()),
        ("one dot", ".".to_owned()),
        ("an opaque token", "Zc1yXqVgU5kR3fN8bT2wJ7mH4sD9aE6p".to_owned()),
        ("a session cookie", cookie.to_owned()),
        ("a header alone", header.to_owned()),
        ("two parts", format!("{header}.{payload}")),
        ("no signature", format!("{header}.{payload}.")),
        ("no payload", format!("{header}..{signature}")),
        ("no header", format!(".{payload}.{signature}")),
        ("four parts", format!("{good}.{signature}")),
        ("an empty fourth part", format!("{good}.")),
        ("an empty part before", format!(".{good}")),
        ("five parts", format!("{good}.{payload}.{signature}")),
        ("two dots", format!("{header}..{payload}.{signature}")),
        ("turned round", format!("{signature}.{payload}.{header}")),
        ("header and payload exchanged", format!("{payload}.{header}.{signature}")),
        ("payload and signature exchanged", format!("{header}.{signature}.{payload}")),
        ("padded", format!("{good}=")),
        ("padded twice", format!("{good}==")),
        ("leading space", format!(" {good}")),
        ("trailing space", format!("{good} ")),
        ("trailing tab", format!("{good}\t")),
        ("trailing line break", format!("{good}\r\n")),
        ("a line break inside", format!("{header}.\r\n{payload}.{signature}")),
        (
            "a space in the signature",
            format!("{header}.{payload}.{} {}", &signature[..4], &signature[4..]),
        ),
        ("a NUL", format!("{good}\0")),
        ("a NUL before", format!("\0{good}")),
        ("not ASCII", format!("{good}\u{e9}")),
        ("dots of another script", good.replace('.', "\u{3002}")),
        ("percent signs", good.replace('.', "%2E")),
        ("in capitals", good.to_uppercase()),
        ("in small letters", good.to_lowercase()),
        ("in quotes", format!("\"{good}\"")),
        ("with its scheme", format!("Bearer {good}")),
        ("twice", format!("{good},{good}")),
        ("twice, with a space", format!("{good} {good}")),
        ("encoded once more", base64url(good)),
        ("standard letters in the signature", format!("{header}.{payload}.{}+/", &signature[2..])),
    ]
    .map(|(name, text)| (name.to_owned(), text))
    .into()
}

/// Parts of one token in another.
fn taken_apart(maker: &Maker) -> Vec<(String, String)> {
    let good = maker.good();
    let parts: Vec<&str> = good.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!("three parts") };
    let mut apart = Vec::new();
    let mut add = |name: &str, header: &str, payload: &str, signature: &str| {
        apart.push((name.to_owned(), format!("{header}.{payload}.{signature}")));
    };
    let name = if maker.makes_sessions() { "user_id" } else { "sub" };
    let another = with(maker.claims.clone(), json!({ name: "mallory" }));
    add("another user", header, &base64url(another.to_string()), signature);
    let later = with(maker.claims.clone(), json!({ "exp": 4_000_000_000_u32 }));
    add("a later end", header, &base64url(later.to_string()), signature);
    let other_kind = if maker.makes_sessions() { login_claims() } else { session_claims() };
    add("the other kind of claims", header, &base64url(other_kind.to_string()), signature);
    let spaced = maker.claims.to_string().replace(':', ": ");
    add("the same claims in other bytes", header, &base64url(spaced), signature);
    let spaced = maker.header.to_string().replace(':', ": ");
    add("the same header in other bytes", &base64url(spaced), payload, signature);
    let more = with(maker.header.clone(), json!({ "cty": "JWT" }));
    add("another header", &base64url(more.to_string()), payload, signature);
    let unsigned = with(maker.header.clone(), json!({ "alg": "none" }));
    add("a header of none", &base64url(unsigned.to_string()), payload, signature);
    let (_, of_another) =
        maker.key.token(&maker.header, &another).rsplit_once('.').map(own).unwrap();
    add("the signature of another token", header, payload, &of_another);
    add("a signature of the payload alone", header, payload, &sign(maker, payload));
    let plain = format!("{}.{}", maker.header, maker.claims);
    add("a signature of the plain text", header, payload, &sign(maker, &plain));
    add(
        "a signature of the claims alone",
        header,
        payload,
        &sign(maker, &maker.claims.to_string()),
    );
    add(
        "a signature of a dot more",
        header,
        payload,
        &sign(maker, &format!("{header}.{payload}.")),
    );
    apart
}

fn own((before, behind): (&str, &str)) -> (String, String) {
    (before.to_owned(), behind.to_owned())
}

fn sign(maker: &Maker, message: &str) -> String {
    base64url(maker.key.sign(message.as_bytes()))
}

/// Signed over the text as it stands, so that only its spelling speaks against it.
fn misspelt(maker: &Maker) -> Vec<(String, String)> {
    // Blanks behind the object so that its last byte stands alone; marks for the letters that the
    // two alphabets differ in.
    let stretch = |value: Value| {
        let mut text = with(value, json!({ "x": "????" })).to_string();
        while text.len() % 3 != 1 {
            text.push(' ');
        }
        text
    };
    let texts = [stretch(maker.header.clone()), stretch(maker.claims.clone())];
    let parts = texts.each_ref().map(base64url);
    let standard = texts.each_ref().map(|text| STANDARD_NO_PAD.encode(text));
    assert!(
        standard.iter().all(|part| part.contains('/')),
        "there is something to tell them apart"
    );
    let ways: [(&str, [String; 2]); 9] = [
        ("padded", parts.each_ref().map(|part| format!("{part}=="))),
        ("padded too little", parts.each_ref().map(|part| format!("{part}="))),
        ("in standard letters", standard),
        ("with stray bits", parts.each_ref().map(|part| with_stray_bits(part))),
        ("with a space", parts.each_ref().map(|part| format!("{} {}", &part[..8], &part[8..]))),
        ("with a line break", parts.each_ref().map(|part| format!("{part}\n"))),
        ("with a letter too many", parts.each_ref().map(|part| format!("{part}AAA"))),
        ("with percent signs", parts.each_ref().map(|part| part.replace('_', "%5F"))),
        ("encoded twice", parts.each_ref().map(base64url)),
    ];
    let mut misspelt = Vec::new();
    for (name, [header, payload]) in ways {
        for (which, header, payload) in [
            ("header", &header, &parts[1]),
            ("payload", &parts[0], &payload),
            ("header and payload", &header, &payload),
        ] {
            let message = format!("{header}.{payload}");
            misspelt.push((format!("{which} {name}"), maker.key.signed(&message)));
        }
    }
    let (message, signature) = maker.good().rsplit_once('.').map(own).unwrap();
    let stray = with_stray_bits(&signature);
    misspelt.push(("signature with stray bits".to_owned(), format!("{message}.{stray}")));
    misspelt
}

/// The same bytes to a reader that overlooks the bits behind the last one.
fn with_stray_bits(part: &str) -> String {
    assert_ne!(part.len() % 4, 0, "there are such bits");
    let mut letters = part.as_bytes().to_vec();
    let last = letters.last_mut().unwrap();
    let value = ALPHABET.iter().position(|letter| letter == last).unwrap();
    assert_eq!(value % 4, 0, "they are zero");
    *last = ALPHABET[value + 1];
    String::from_utf8(letters).unwrap()
}

/// The other forms of RFC 7515 and RFC 7516, and a token in a token.
fn serialised(maker: &Maker) -> Vec<(String, String)> {
    let good = maker.good();
    let parts: Vec<&str> = good.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!("three parts") };
    let flat = json!({ "protected": header, "payload": payload, "signature": signature });
    let general = json!({
        "payload": payload, "signatures": [{ "protected": header, "signature": signature }],
    });
    let mut forms = vec![
        ("flattened JSON".to_owned(), flat.to_string()),
        ("general JSON".to_owned(), general.to_string()),
        ("JSON in base64url".to_owned(), base64url(flat.to_string())),
        ("detached".to_owned(), format!("{header}..{signature}")),
    ];
    let nested = with(maker.header.clone(), json!({ "cty": "JWT" }));
    forms.push(("nested".to_owned(), maker.key.token_of_text(nested.to_string(), &good)));
    for header in [
        json!({ "alg": "dir", "enc": "A256GCM" }),
        json!({ "alg": "dir", "enc": "A256CBC-HS512", "typ": "JWT" }),
        json!({ "alg": "RSA-OAEP-256", "enc": "A128GCM", "kid": maker.header["kid"] }),
        with(maker.header.clone(), json!({ "enc": "A256GCM" })),
    ] {
        let header_part = base64url(header.to_string());
        let key = base64url([7; 32]);
        for key in ["", &key] {
            let jwe = format!(
                "{header_part}.{key}.{}.{payload}.{}",
                base64url([1; 12]),
                base64url([2; 16])
            );
            forms.push((format!("encrypted, {header}"), jwe));
        }
    }
    forms
}
