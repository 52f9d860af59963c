//! Payloads that nobody may show, rightly signed.

use serde_json::{Value, json};

use super::makers::{ISSUER, Maker, and, login_claims, session_claims, with, without};
use crate::START;

type Named = (String, Vec<u8>);

/// What no token of this maker may say, wherever it is shown.
pub(super) fn bad(maker: &Maker) -> Vec<Named> {
    let mut bad = not_an_object(&maker.claims);
    bad.extend(if maker.makes_sessions() { bad_session() } else { bad_login() });
    let names = maker.claims.as_object().unwrap().keys();
    for name in names.filter(|name| *name != "email") {
        // By both spellings of a name, the later one being what a lax reader keeps.
        let value = &maker.claims[name];
        let escaped = format!("\\u{:04x}{}", name.as_bytes()[0], &name[1..]);
        for (spelling, value) in [(name, value), (name, &json!("mallory")), (&escaped, value)] {
            let twice = and(&maker.claims, &format!("\"{spelling}\":{value}"));
            bad.push((format!("{name} twice, then {value} as {spelling}"), twice.into()));
        }
    }
    bad
}

/// Claims for another issuer or audience, which matter where one is asked for.
pub(super) fn foreign() -> Vec<Named> {
    let mut foreign = Vec::new();
    for name in ["iss", "aud"] {
        foreign.push((format!("no {name}"), text(&without(login_claims(), name))));
        let cyrillic = ISSUER.replace('e', "\u{435}");
        for value in [
            json!(null),
            json!(true),
            json!(1),
            json!(""),
            json!("null"),
            json!({ "0": ISSUER }),
            json!([ISSUER]),
            json!([ISSUER, "https://other.example"]),
            json!(["https://other.example", ISSUER]),
            json!([]),
            json!("https://other.example"),
            json!("client-id-of-an-id-token"),
            json!(format!("{ISSUER}/")),
            json!(format!("{ISSUER}/api/auth")),
            json!(format!("{ISSUER}:443")),
            json!(format!("{ISSUER}.")),
            json!(format!("{ISSUER}.evil.example")),
            json!(format!("{ISSUER}\0")),
            json!(format!(" {ISSUER}")),
            json!(format!("{ISSUER} ")),
            json!(format!("{ISSUER},{ISSUER}")),
            json!(format!("https://evil.example/?{ISSUER}")),
            json!(ISSUER.replace("https", "http")),
            json!(ISSUER.replace("app", "App")),
            json!(ISSUER.to_uppercase()),
            json!(ISSUER.trim_start_matches("https://")),
            json!(&ISSUER[..ISSUER.len() - 1]),
            json!("https://"),
            json!(cyrillic),
        ] {
            let claims = with(login_claims(), json!({ name: value }));
            foreign.push((format!("{name} {value}"), text(&claims)));
        }
    }
    foreign
}

fn bad_login() -> Vec<Named> {
    let good = login_claims();
    let exp = &good["exp"];
    let mut bad = Vec::new();
    for (name, values) in [
        ("sub", vec![json!(null), json!(true), json!(7), json!(1.5), json!(["alice"]), json!({})]),
        ("sub", ["", "alice\n", "\0", "a\u{7f}", "a\u{85}"].map(Value::from).into()),
        ("sub", vec![json!("a".repeat(256)), json!("\u{e9}".repeat(128))]),
        ("exp", vec![json!(null), json!(true), json!(exp.to_string()), json!([exp]), json!({})]),
        ("exp", vec![json!(2_000_000_900.5), json!(2_000_000_900.0), json!(1e300)]),
        ("exp", vec![json!(u64::MAX), json!("NaN"), json!("never"), json!("")]),
        ("exp", vec![json!(START - 30), json!(START - 86_400), json!(0), json!(-1)]),
        ("exp", vec![json!(i64::MIN)]),
        (
            "iat",
            vec![json!(null), json!(true), json!("now"), json!([START]), json!(START.to_string())],
        ),
        ("iat", vec![json!(2_000_000_000.5), json!(2_000_000_000.0), json!({})]),
        ("iat", vec![json!(START + 31), json!(START + 86_400), json!(i64::MAX), json!(u64::MAX)]),
        ("nbf", vec![json!(null), json!(false), json!("now"), json!([START]), json!({})]),
        ("nbf", vec![json!(1.5), json!(START + 31), json!(i64::MAX), json!(u64::MAX)]),
        ("type", vec![json!("chatkit_session")]),
    ] {
        for value in values {
            bad.push((
                format!("{name} {value}"),
                text(&with(good.clone(), json!({ name: value }))),
            ));
        }
    }
    for name in ["sub", "exp", "iat"] {
        bad.push((format!("no {name}"), text(&without(good.clone(), name))));
    }
    // Numbers that JSON has not, or that have no 64 bits.
    let nowhere = without(good.clone(), "exp");
    for number in
        ["NaN", "Infinity", "-Infinity", "1e400", "1e3000000000", "0x7fffffff", "+1", "2e9"]
    {
        bad.push((format!("exp {number}"), and(&nowhere, &format!("\"exp\":{number}")).into()));
    }
    let digits = "9".repeat(400);
    bad.push(("exp of 400 digits".to_owned(), and(&nowhere, &format!("\"exp\":{digits}")).into()));
    // What the login's system signs with the same key for other ends: a link to verify an address
    // and one to change it, a cached session, an ID token, a logout token.
    let times = json!({ "iat": START, "exp": START + 900 });
    let id_token = json!({ "sub": "alice", "iss": ISSUER, "aud": ISSUER, "nonce": "n" });
    let event = "http://schemas.openid.net/event/backchannel-logout";
    for (name, claims) in [
        ("a verification link", json!({ "email": "alice@example.com" })),
        ("a change of address", json!({ "email": "alice@example.com", "updateTo": "m@x.example" })),
        (
            "a cached session",
            json!({ "session": { "userId": "alice" }, "user": { "id": "alice" }, "version": "1" }),
        ),
        ("user_id in place of sub", json!({ "user_id": "alice", "iss": ISSUER, "aud": ISSUER })),
        ("an id in place of sub", json!({ "id": "alice", "iss": ISSUER, "aud": ISSUER })),
        ("a logout token without sub", json!({ "sid": "s", "events": { event: {} } })),
    ] {
        bad.push((name.to_owned(), text(&with(claims, times.clone()))));
    }
    bad.push(("an ID token without times".to_owned(), text(&id_token)));
    bad
}

fn bad_session() -> Vec<Named> {
    let good = session_claims();
    let mut bad = Vec::new();
    for (name, value) in good.as_object().unwrap() {
        bad.push((format!("no {name}"), text(&without(good.clone(), name))));
        let as_text = value.to_string();
        for wrong in
            [json!(null), json!(true), json!([value]), json!({}), json!(1.5), json!(as_text)]
        {
            // Quoted once more, an identifier is another one, and as good.
            if wrong == json!(as_text) && ["sid", "jti", "user_id"].contains(&name.as_str()) {
                continue;
            }
            let claims = with(good.clone(), json!({ name: wrong }));
            bad.push((format!("{name} {wrong}"), text(&claims)));
        }
    }
    for (name, value) in [
        ("type", json!("session")),
        ("type", json!("")),
        ("type", json!("CHATKIT_SESSION")),
        ("type", json!("chatkit_session ")),
        ("user_id", json!("")),
        ("user_id", json!("alice\n")),
        ("user_id", json!("a".repeat(256))),
        ("claims", json!(null)),
        ("claims", json!([])),
        ("claims", json!("roles")),
    ] {
        bad.push((format!("{name} {value}"), text(&with(good.clone(), json!({ name: value })))));
    }
    // Signed with the key of sessions, and no session.
    let bare_login = without(without(login_claims(), "iss"), "aud");
    for (name, claims) in [
        ("nothing at all", json!({})),
        ("its type alone", json!({ "type": "chatkit_session" })),
        ("a user alone", json!({ "user_id": "alice", "exp": START + 900 })),
        ("a login of that type", with(login_claims(), json!({ "type": "chatkit_session" }))),
        ("a bare login of that type", with(bare_login, json!({ "type": "chatkit_session" }))),
    ] {
        bad.push((name.to_owned(), text(&claims)));
    }
    bad
}

fn not_an_object(good: &Value) -> Vec<Named> {
    let values: Vec<&Value> = good.as_object().unwrap().values().collect();
    // In a member that nobody looks at.
    let latin = and(good, "\"x\":\"?\"");
    let latin = latin.bytes().map(|byte| if byte == b'?' { 0xe9 } else { byte }).collect();
    let good = good.to_string();
    let named = |name: &str, payload: Vec<u8>| (name.to_owned(), payload);
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    vec![
        named("empty", Vec::new()),
        named("null", b"null".to_vec()),
        named("a string", b"\"alice\"".to_vec()),
        named("a number", b"7".to_vec()),
        named("an empty array", b"[]".to_vec()),
        named("an array of the claims", json!(values).to_string().into()),
        named("an array of the object", format!("[{good}]").into()),
        named("the object as a string", json!(good).to_string().into()),
        named("cut off", good[..good.len() - 1].into()),
        named("an object and more", format!("{good}x").into()),
        named("two objects", format!("{good}{good}").into()),
        named("an object and a NUL", format!("{good}\0").into()),
        named("a comma too many", good.replace('}', ",}").into()),
        named("a comment", good.replacen('{', "{/**/", 1).into()),
        named("single quotes", good.replace('"', "'").into()),
        named("a byte order mark", format!("\u{feff}{good}").into()),
        named("UTF-16", utf16),
        named("Latin-1", latin),
    ]
}

fn text(claims: &Value) -> Vec<u8> {
    claims.to_string().into()
}
