//! Headers that no token may have, rightly signed, and some that are signed by a stranger.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::makers::{Maker, and, with, without};
use crate::keys::base64url;

/// All names of signatures and of encryptions that a reader might know, and some that none may.
const ALGORITHMS: [&str; 32] = [
    "none",
    "None",
    "NONE",
    "nOnE",
    "null",
    "",
    "HS256",
    "HS384",
    "HS512",
    "HS1",
    "ES256",
    "ES384",
    "ES512",
    "ES256K",
    "RS1",
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "EdDSA",
    "Ed25519",
    "Ed448",
    "ML-DSA-44",
    "dir",
    "A128KW",
    "A256GCMKW",
    "RSA-OAEP",
    "RSA1_5",
    "ECDH-ES",
    "PBES2-HS256+A128KW",
];

/// What a media type says of a token that is no login and no session.
const FOREIGN_TYPES: [&str; 18] = [
    "",
    " ",
    "JWT ",
    "JWT\0",
    "JW",
    "JWTS",
    "application/jwt",
    "JOSE",
    "JOSE+JSON",
    "JWE",
    "at+jwt",
    "application/at+jwt",
    "logout+jwt",
    "id_token+jwt",
    "secevent+jwt",
    "dpop+jwt",
    "oauth-authz-req+jwt",
    "session+jwt",
];

/// Tokens of this maker with something in the header that refuses them anywhere.
pub(super) fn bad(maker: &Maker) -> Vec<(String, String)> {
    let header = &maker.header;
    let alg = header["alg"].as_str().unwrap();
    let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
    let mut add = |name: &str, header: String| headers.push((name.to_owned(), header.into()));
    let change = |changes| with(header.clone(), changes).to_string();

    for other in ALGORITHMS.iter().filter(|other| **other != alg) {
        add(&format!("alg {other:?}"), change(json!({ "alg": other })));
    }
    for wrong in [
        json!(null),
        json!(true),
        json!(0),
        json!([]),
        json!([alg]),
        json!({ "0": alg }),
        json!(alg.to_lowercase()),
        json!(format!(" {alg}")),
        json!(format!("{alg} ")),
        json!(format!("{alg}\0")),
        json!(format!("{alg},none")),
    ] {
        add(&format!("alg {wrong}"), change(json!({ "alg": wrong })));
    }
    add("no alg", without(header.clone(), "alg").to_string());
    add("alg twice, then none", and(header, "\"alg\":\"none\""));
    add("alg twice, the same", and(header, &format!("\"alg\":\"{alg}\"")));
    add("alg twice, once escaped", and(header, "\"\\u0061lg\":\"none\""));
    add("alg in capitals alone", header.to_string().replace("\"alg\"", "\"ALG\""));

    for typ in FOREIGN_TYPES {
        add(&format!("typ {typ:?}"), change(json!({ "typ": typ })));
    }
    for wrong in [json!(null), json!(1), json!(true), json!(["JWT"]), json!({})] {
        add(&format!("typ {wrong}"), change(json!({ "typ": wrong })));
    }
    let typed = with(header.clone(), json!({ "typ": "JWT" }));
    add("typ twice", and(&typed, "\"typ\":\"JWT\""));
    add("typ twice, then a foreign one", and(&typed, "\"typ\":\"logout+jwt\""));

    for crit in [json!(["b64"]), json!(["exp"]), json!(["x"]), json!([]), json!(null), json!("b64")]
    {
        add(&format!("crit {crit}"), change(json!({ "crit": crit })));
    }
    add("crit and b64", change(json!({ "crit": ["b64"], "b64": false })));
    add("crit and b64, true", change(json!({ "b64": true, "crit": ["b64"] })));
    add("crit twice", and(header, "\"crit\":[],\"crit\":[]"));

    for wrong in [json!(null), json!(1), json!(true), json!(["ed"]), json!({})] {
        add(&format!("kid {wrong}"), change(json!({ "kid": wrong })));
    }
    let known = with(header.clone(), json!({ "kid": "ed" }));
    add("kid twice", and(&known, "\"kid\":\"ed\""));

    add("an array", format!("[\"{alg}\"]"));
    add("an array of the object", format!("[{header}]"));
    add("a string", json!(header.to_string()).to_string());
    add("null", "null".to_owned());
    add("not JSON", format!("alg={alg}"));
    add("cut off", header.to_string().trim_end_matches('}').to_owned());
    add("trailing text", format!("{header}x"));
    add("a trailing NUL", format!("{header}\0"));
    add("a comma too many", header.to_string().replace('}', ",}"));
    add("a byte order mark", format!("\u{feff}{header}"));
    add("an empty object", "{}".to_owned());
    add("empty", String::new());
    let utf16 = header.to_string().encode_utf16().flat_map(u16::to_be_bytes).collect();
    headers.push(("UTF-16".to_owned(), utf16));
    let mut latin = with(header.clone(), json!({ "x": "?" })).to_string().into_bytes();
    let mark = latin.iter().rposition(|byte| *byte == b'?').unwrap();
    latin[mark] = 0xe9;
    headers.push(("Latin-1".to_owned(), latin));

    let payload = maker.claims.to_string();
    let mut bad = Vec::new();
    for (name, header) in headers {
        let signed = maker.key.token_of_text(&header, &payload);
        let unsigned = format!("{}.", signed.rsplit_once('.').unwrap().0);
        bad.push((format!("{name}, unsigned"), unsigned));
        bad.push((name, signed));
    }
    bad.push(("b64 false, and the payload as it is".to_owned(), {
        let header = with(maker.header.clone(), json!({ "b64": false })).to_string();
        maker.key.signed(&format!("{}.{payload}", base64url(header)))
    }));
    bad
}

/// Tokens of this maker's own key under a name that is another's or nobody's.
pub(super) fn misnamed(maker: &Maker) -> Vec<(String, String)> {
    let Some(own) = maker.kid() else { return Vec::new() };
    let long = "k".repeat(4096);
    let others = ["ed", "p256", "p384", "p521", "rs", "ps", "oct", "enc"];
    let strange = [
        "",
        " ",
        "0",
        "null",
        "undefined",
        "unknown",
        "*",
        "%",
        ".",
        "..",
        "/",
        "/dev/null",
        "../../../../../../dev/null",
        "..\\..\\windows\\win.ini",
        "file:///etc/hostname",
        "http://127.0.0.1:9/key.pem",
        "' OR '1'='1",
        "' UNION SELECT 'secret' --",
        "\"; DROP TABLE chatkit_session; --",
        "$(id)",
        "| id",
        "${jndi:ldap://127.0.0.1:9/x}",
        "{{7*7}}",
        "\0",
        "\u{202e}de",
    ];
    let own_spelt = [
        own.to_uppercase(),
        format!("{own} "),
        format!(" {own}"),
        format!("{own}\0"),
        format!("{own}\n"),
        format!("{own}/../{own}"),
        format!("{own},p256"),
        own[..1].to_owned(),
        long,
    ];
    let kids = others.into_iter().filter(|kid| *kid != own).chain(strange).map(str::to_owned);
    let mut misnamed = Vec::new();
    for kid in kids.chain(own_spelt) {
        let header = with(maker.header.clone(), json!({ "kid": kid }));
        let name = format!("kid {:?}", &kid[..kid.floor_char_boundary(40)]);
        misnamed.push((name.clone(), maker.key.token(&header, &maker.claims)));
        // A name that leads to nothing, or to a file that is empty, must not make it the secret.
        for secret in [&b""[..], b"\0", kid.as_bytes()] {
            let header = json!({ "alg": "HS256", "kid": kid });
            let message = format!(
                "{}.{}",
                base64url(header.to_string()),
                base64url(maker.claims.to_string())
            );
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
            let tag = base64url(hmac::sign(&key, message.as_bytes()));
            misnamed
                .push((format!("{name} with a secret of {secret:?}"), format!("{message}.{tag}")));
        }
    }
    misnamed
}

/// A rightly signed token that names no key, which says enough where there is but one.
pub(super) fn unnamed(maker: &Maker) -> Vec<(String, String)> {
    if maker.kid().is_none() {
        return Vec::new();
    }
    let header = without(maker.header.clone(), "kid");
    vec![("no kid".to_owned(), maker.key.token(&header, &maker.claims))]
}

/// Tokens that a stranger signed, who offers a key to verify them with.
pub(super) fn offered(maker: &Maker) -> Vec<(String, String)> {
    let stranger = maker.stranger;
    let der = STANDARD.encode(stranger.public_der());
    let url = "http://127.0.0.1:9/keys";
    let kids = [maker.kid().map(str::to_owned), Some("stranger".to_owned()), None];
    let mut offered = Vec::new();
    for kid in kids {
        let bare = json!({ "alg": maker.header["alg"] });
        let header = match &kid {
            Some(kid) => with(bare, json!({ "kid": kid })),
            None => bare,
        };
        let own_jwk = stranger.jwk(kid.as_deref().unwrap_or("stranger"));
        for offer in [
            json!({}),
            json!({ "jwk": own_jwk }),
            json!({ "jwk": own_jwk.to_string() }),
            json!({ "jwks": { "keys": [own_jwk] } }),
            json!({ "jku": url }),
            json!({ "jku": "data:application/json,{}" }),
            json!({ "x5u": url }),
            json!({ "x5c": [der] }),
            json!({ "x5c": der }),
            json!({ "x5t": "AAAA", "x5t#S256": "AAAA" }),
            json!({ "epk": own_jwk }),
            json!({ "iss": url, "jku": url, "jwk": own_jwk, "x5c": [der], "x5u": url }),
        ] {
            let names: Vec<&String> = offer.as_object().unwrap().keys().collect();
            let name = format!("a stranger's under kid {kid:?} with {names:?}");
            let header = with(header.clone(), offer.clone());
            offered.push((name, stranger.token(&header, &maker.claims)));
        }
    }
    offered
}

/// Tokens of one maker's key under another's header, or half of it.
pub(super) fn crossed(maker: &Maker, others: &[Maker]) -> Vec<(String, String)> {
    let mut crossed = Vec::new();
    for other in others.iter().filter(|other| other.header != maker.header) {
        let halves = [
            other.header.clone(),
            with(maker.header.clone(), json!({ "alg": other.header["alg"] })),
            with(other.header.clone(), json!({ "alg": maker.header["alg"] })),
        ];
        for header in halves.into_iter().filter(|header| !is_own(header, maker)) {
            let name = format!("the header {header}");
            crossed.push((name, maker.key.token(&header, &maker.claims)));
        }
    }
    crossed
}

/// Whether a token with this header is as good as one with the maker's own, at least where there is
/// but one key.
fn is_own(header: &Value, maker: &Maker) -> bool {
    let names_another = header.get("kid").is_some_and(|kid| *kid != maker.header["kid"]);
    header["alg"] == maker.header["alg"] && (maker.kid().is_none() || !names_another)
}
