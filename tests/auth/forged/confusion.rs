//! Public keys taken for secrets: whoever lets the header choose the algorithm verifies these.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::makers::{Maker, with, without};
use crate::keys::{TestKey, base64url};

pub(super) fn bad(maker: &Maker) -> Vec<(String, String)> {
    let Some(kid) = maker.kid() else { return Vec::new() };
    let own = maker.header["alg"].as_str().unwrap();
    let mut bad = Vec::new();
    for (form, secret) in forms(maker.key, kid) {
        for (alg, hash) in [
            ("HS256", hmac::HMAC_SHA256),
            ("HS384", hmac::HMAC_SHA384),
            ("HS512", hmac::HMAC_SHA512),
            (own, hmac::HMAC_SHA256),
        ] {
            let named = with(maker.header.clone(), json!({ "alg": alg }));
            for header in [without(named.clone(), "kid"), named] {
                let claims = maker.claims.to_string();
                let message = format!("{}.{}", base64url(header.to_string()), base64url(claims));
                let tag = hmac::sign(&hmac::Key::new(hash, &secret), message.as_bytes());
                let name = format!("{form} as a secret under {header}");
                bad.push((name, format!("{message}.{}", base64url(tag))));
            }
        }
    }
    bad
}

/// Whatever may be had of a public key, as bytes.
fn forms(key: &TestKey, kid: &str) -> Vec<(String, Vec<u8>)> {
    let der = key.public_der();
    let lines = STANDARD.encode(&der);
    let lines: Vec<&str> =
        lines.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", lines.join("\n"));
    let jwk = key.jwk(kid);
    let mut forms = vec![
        ("its bytes".to_owned(), key.public_bytes()),
        ("its bytes in base64url".to_owned(), base64url(key.public_bytes()).into()),
        ("its DER".to_owned(), der.clone()),
        ("its DER in base64".to_owned(), STANDARD.encode(&der).into()),
        ("its PEM".to_owned(), pem.clone().into()),
        ("its PEM and a line break".to_owned(), format!("{pem}\n").into()),
        ("its PEM with other breaks".to_owned(), pem.replace('\n', "\r\n").into()),
        ("its PEM in one line".to_owned(), pem.replace('\n', "\\n").into()),
        ("its JWK".to_owned(), jwk.to_string().into()),
        ("its JWK, wider".to_owned(), serde_json::to_string_pretty(&jwk).unwrap().into()),
        ("its JWK without a name".to_owned(), without(jwk.clone(), "kid").to_string().into()),
        ("its key set".to_owned(), json!({ "keys": [jwk] }).to_string().into()),
        ("its name".to_owned(), kid.into()),
    ];
    if let TestKey::Rsa(..) = key {
        // What "BEGIN RSA PUBLIC KEY" holds is the bytes.
        let lines = STANDARD.encode(key.public_bytes());
        let pem =
            format!("-----BEGIN RSA PUBLIC KEY-----\n{lines}\n-----END RSA PUBLIC KEY-----\n");
        forms.push(("its PEM of PKCS #1".to_owned(), pem.into()));
    }
    for member in ["x", "y", "n", "e"] {
        let Some(Value::String(text)) = jwk.get(member) else { continue };
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap();
        forms.push((format!("its {member}"), bytes));
        forms.push((format!("its {member} in base64url"), text.clone().into()));
    }
    forms
}
