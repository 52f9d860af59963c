//! Signatures that do not hold, of each algorithm, below a header and claims that are good.

use aws_lc_rs::{
    digest, hmac,
    signature::{
        KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
        RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair, RsaPssSaltLength,
        RsaPublicKeyComponents, RsaSignatureEncoding,
    },
};

use super::makers::Maker;
use crate::keys::{TestKey, base64url, rsa_signature};

/// The order of the group of P-256, big-endian (SEC 2, section 2.4.2).
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
/// The order of the group of Ed25519, little-endian (RFC 8032, section 5.1).
const ED25519_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];
/// A salt of no bytes, where RFC 7518, section 3.5 wants as many as the hash has.
const UNSALTED: RsaSignatureEncoding =
    RSA_PSS_SHA256.with_pss_salt_length(RsaPssSaltLength::Custom(0));
const LONG_SALT: RsaSignatureEncoding = RSA_PSS_SHA256.with_pss_salt_length(RsaPssSaltLength::Max);

type Named = (&'static str, Vec<u8>);

pub(super) fn bad(maker: &Maker) -> Vec<(String, String)> {
    let good = maker.good();
    let (message, _) = good.rsplit_once('.').unwrap();
    let signature = maker.key.sign(message.as_bytes());
    let of_its_kind = match maker.key {
        TestKey::Ed25519(_) => of_ed25519(&signature),
        TestKey::Ec(..) => of_p256(&signature),
        TestKey::Rsa(pair, alg) => of_rsa(pair, alg, message.as_bytes(), &signature),
        TestKey::Secret(secret) => of_secret(secret, message.as_bytes(), &signature),
    };
    let bad = of_any_kind(&signature).into_iter().chain(of_its_kind);
    bad.map(|(name, signature)| {
        (format!("signature: {name}"), format!("{message}.{}", base64url(signature)))
    })
    .collect()
}

fn of_any_kind(good: &[u8]) -> Vec<Named> {
    let length = good.len();
    let flipped = |at: usize, bits: u8| {
        let mut flipped = good.to_vec();
        flipped[at] ^= bits;
        flipped
    };
    vec![
        ("none", Vec::new()),
        ("one zero", vec![0]),
        ("zeros", vec![0; length]),
        ("ones", vec![0xff; length]),
        ("zeros but for a one", [vec![0; length - 1], vec![1]].concat()),
        ("a byte short", good[..length - 1].to_vec()),
        ("a byte short in front", good[1..].to_vec()),
        ("half", good[..length / 2].to_vec()),
        ("a byte longer", [good, &[0]].concat()),
        ("a byte longer in front", [&[0][..], good].concat()),
        ("twice", good.repeat(2)),
        ("turned round", good.iter().rev().copied().collect()),
        ("the halves exchanged", [&good[length / 2..], &good[..length / 2]].concat()),
        ("the first bit", flipped(0, 0x80)),
        ("the last bit", flipped(length - 1, 1)),
        ("a bit in the middle", flipped(length / 2, 0x10)),
        ("as text", base64url(good).into()),
    ]
}

/// RFC 8032, section 5.1.7: S must be below the order, or each signature has others beside it.
fn of_ed25519(good: &[u8]) -> Vec<Named> {
    let (r, s) = good.split_at(32);
    let mut again = [0; 32];
    let mut carry = 0;
    for (at, sum) in again.iter_mut().enumerate() {
        let total = u16::from(s[at]) + u16::from(ED25519_ORDER[at]) + carry;
        [*sum, _] = total.to_le_bytes();
        carry = total >> 8;
    }
    assert_eq!(carry, 0, "the same S, once around");
    // Points of small order: the neutral one, one of order 2 and one of order 4.
    let point = |first: u8| [vec![first], vec![0; 31]].concat();
    let minus_one = [vec![0xec], vec![0xff; 30], vec![0x7f]].concat();
    vec![
        ("S and the order", [r, &again].concat()),
        ("S is the order", [r, &ED25519_ORDER].concat()),
        ("R alone", [r, &[0; 32]].concat()),
        ("S alone", [&[0; 32][..], s].concat()),
        ("R neutral, S zero", [point(1), vec![0; 32]].concat()),
        ("R neutral, S the order", [point(1), ED25519_ORDER.to_vec()].concat()),
        ("R of order 2, S zero", [minus_one.clone(), vec![0; 32]].concat()),
        ("R of order 4, S zero", [point(0), vec![0; 32]].concat()),
        ("R neutral, S as it is", [point(1), s.to_vec()].concat()),
        ("R of order 2, S as it is", [minus_one, s.to_vec()].concat()),
    ]
}

/// RFC 7518, section 3.4: two numbers of 32 bytes, neither zero nor as large as the order.
fn of_p256(good: &[u8]) -> Vec<Named> {
    let (r, s) = good.split_at(32);
    let number = |last: u8| [vec![0; 31], vec![last]].concat();
    let der = [der_integer(r), der_integer(s)].concat();
    let der = [&[0x30, u8::try_from(der.len()).unwrap()][..], &der].concat();
    let mut below = P256_ORDER;
    below[31] -= 1;
    vec![
        ("r zero", [&number(0)[..], s].concat()),
        ("s zero", [r, &number(0)].concat()),
        ("r and s one", [number(1), number(1)].concat()),
        ("r and s the order", P256_ORDER.repeat(2)),
        ("r the order", [&P256_ORDER[..], s].concat()),
        ("s the order", [r, &P256_ORDER].concat()),
        ("r and s below the order", below.repeat(2)),
        ("in DER", der.clone()),
        ("in DER, filled up", [der, vec![0; 72]].concat()[..72].to_vec()),
        ("DER of zeros", vec![0x30, 6, 2, 1, 0, 2, 1, 0]),
        ("numbers of 48 bytes", [&[0; 16][..], r, &[0; 16], s].concat()),
    ]
}

fn der_integer(number: &[u8]) -> Vec<u8> {
    let significant = number.iter().position(|byte| *byte != 0).unwrap();
    let number = &number[significant..];
    let sign = if number[0] >= 0x80 { vec![0] } else { Vec::new() };
    let length = u8::try_from(sign.len() + number.len()).unwrap();
    [vec![2, length], sign, number.to_vec()].concat()
}

/// The same key by the other padding, by other hashes, by another salt; and numbers about the
/// modulus.
fn of_rsa(pair: &RsaKeyPair, alg: &str, message: &[u8], good: &[u8]) -> Vec<Named> {
    let encodings: [(&str, &'static dyn RsaEncoding); 8] = [
        ("RS256", &RSA_PKCS1_SHA256),
        ("RS384", &RSA_PKCS1_SHA384),
        ("RS512", &RSA_PKCS1_SHA512),
        ("PS256", &RSA_PSS_SHA256),
        ("PS384", &RSA_PSS_SHA384),
        ("PS512", &RSA_PSS_SHA512),
        ("PS256 without salt", &UNSALTED),
        ("PS256 with a long salt", &LONG_SALT),
    ];
    let others = encodings.into_iter().filter(|(name, _)| *name != alg);
    let mut bad: Vec<Named> =
        others.map(|(name, encoding)| (name, rsa_signature(pair, encoding, message))).collect();
    let modulus = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key()).n;
    let mut below = modulus.clone();
    *below.last_mut().unwrap() -= 1;
    bad.push(("a number more than the modulus", sum(good, &modulus)));
    bad.push(("the modulus", modulus));
    bad.push(("below the modulus", below));
    // What stands inside of a signature by PKCS #1, without the key's part in it.
    let hash = digest::digest(&digest::SHA256, message);
    let padding = [vec![0, 1], vec![0xff; good.len() - 3 - 19 - 32], vec![0]].concat();
    let name = [
        0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
        0x05, 0x00, 0x04, 0x20,
    ];
    bad.push(("the padded hash itself", [&padding[..], &name, hash.as_ref()].concat()));
    bad.push(("the hash itself", hash.as_ref().to_vec()));
    bad
}

/// Of two numbers, big-endian and equally long; a byte longer when it must be.
fn sum(one: &[u8], other: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let mut sum = Vec::new();
    for (one, other) in one.iter().rev().zip(other.iter().rev()) {
        let total = u16::from(*one) + u16::from(*other) + carry;
        sum.push(total.to_le_bytes()[0]);
        carry = total >> 8;
    }
    if carry != 0 {
        sum.push(1);
    }
    sum.into_iter().rev().collect()
}

/// Tags that are cut, of other hashes, and by secrets near the secret.
fn of_secret(secret: &[u8], message: &[u8], good: &[u8]) -> Vec<Named> {
    let tag = |algorithm, secret: &[u8]| {
        hmac::sign(&hmac::Key::new(algorithm, secret), message).as_ref().to_vec()
    };
    let sha256 = |secret: &[u8]| tag(hmac::HMAC_SHA256, secret);
    let hash = |bytes: &[u8]| digest::digest(&digest::SHA256, bytes).as_ref().to_vec();
    let text = String::from_utf8_lossy(secret).into_owned();
    let as_hex = secret.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    vec![
        ("of 16 bytes", good[..16].to_vec()),
        ("of SHA-1", tag(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret)),
        ("of SHA-384", tag(hmac::HMAC_SHA384, secret)),
        ("of SHA-512", tag(hmac::HMAC_SHA512, secret)),
        ("of SHA-512, cut", tag(hmac::HMAC_SHA512, secret)[..32].to_vec()),
        ("a hash behind the secret", hash(&[secret, message].concat())),
        ("a hash before the secret", hash(&[message, secret].concat())),
        ("a hash alone", hash(message)),
        ("an empty secret", sha256(b"")),
        ("a secret of a zero", sha256(b"\0")),
        ("a secret of zeros", sha256(&[0; 32])),
        ("the secret of a guess", sha256(b"secret")),
        ("Better Auth's default secret", sha256(b"better-auth-secret-12345678901234567890")),
        ("the secret cut", sha256(&secret[..secret.len() - 1])),
        ("the secret and a line break", sha256(&[secret, b"\n"].concat())),
        ("the secret in capitals", sha256(text.to_uppercase().as_bytes())),
        ("the secret in quotes", sha256(format!("\"{text}\"").as_bytes())),
        ("the secret's hash", sha256(&hash(secret))),
        ("the secret in base64url", sha256(base64url(secret).as_bytes())),
        ("the secret in hexadecimal", sha256(as_hex.as_bytes())),
        ("the name of the variable", sha256(b"BETTER_AUTH_SECRET")),
        ("the name of the other variable", sha256(b"CHATKIT_SESSION_SECRET")),
    ]
}
