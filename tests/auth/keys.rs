//! Real keys, and tokens signed with them by other code than the gateway's.

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
        ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair,
        KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair, RsaPublicKeyComponents,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The claims of a token, unverified.
pub(crate) fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

pub(crate) enum TestKey {
    Ed25519(Ed25519KeyPair),
    Ec(EcdsaKeyPair, &'static str),
    Rsa(RsaKeyPair, &'static str),
    Secret(Vec<u8>),
}

impl TestKey {
    pub(crate) fn ed25519() -> Self {
        Self::Ed25519(Ed25519KeyPair::generate().unwrap())
    }

    pub(crate) fn p256() -> Self {
        Self::ec(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256")
    }

    pub(crate) fn p384() -> Self {
        Self::ec(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384")
    }

    pub(crate) fn p521() -> Self {
        Self::ec(&ECDSA_P521_SHA512_FIXED_SIGNING, "P-521")
    }

    fn ec(algorithm: &'static EcdsaSigningAlgorithm, curve: &'static str) -> Self {
        Self::Ec(EcdsaKeyPair::generate(algorithm).unwrap(), curve)
    }

    /// An RSA key for `RS256` or `PS256`.
    pub(crate) fn rsa(alg: &'static str) -> Self {
        Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap(), alg)
    }

    pub(crate) fn secret(bytes: &[u8]) -> Self {
        Self::Secret(bytes.to_vec())
    }

    /// The public key as a key set has it; that of a secret is the secret.
    pub(crate) fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Ed25519(pair) => json!({
                "kid": kid, "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA",
                "x": base64url(pair.public_key()),
            }),
            Self::Ec(pair, curve) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let alg = match *curve {
                    "P-256" => "ES256",
                    "P-384" => "ES384",
                    _ => "ES512",
                };
                json!({
                    "kid": kid, "kty": "EC", "crv": curve, "alg": alg,
                    "x": base64url(x), "y": base64url(y),
                })
            }
            Self::Rsa(pair, alg) => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({
                    "kid": kid, "kty": "RSA", "alg": alg,
                    "n": base64url(public.n), "e": base64url(public.e),
                })
            }
            Self::Secret(bytes) => {
                json!({"kid": kid, "kty": "oct", "alg": "HS256", "k": base64url(bytes)})
            }
        }
    }

    /// The bytes of the public key, which alg confusion takes for a secret.
    pub(crate) fn public_bytes(&self) -> Vec<u8> {
        match self {
            Self::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
            Self::Ec(pair, _) => pair.public_key().as_ref().to_vec(),
            Self::Rsa(pair, _) => pair.public_key().as_ref().to_vec(),
            Self::Secret(bytes) => bytes.clone(),
        }
    }

    /// The public key as `SubjectPublicKeyInfo`, which is what a PEM file holds; that of a secret is
    /// the secret.
    pub(crate) fn public_der(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = match self {
            Self::Ed25519(pair) => pair.public_key().as_der().unwrap(),
            Self::Ec(pair, _) => pair.public_key().as_der().unwrap(),
            Self::Rsa(pair, _) => pair.public_key().as_der().unwrap(),
            Self::Secret(bytes) => return bytes.clone(),
        };
        der.as_ref().to_vec()
    }

    pub(crate) fn token(&self, header: &Value, claims: &Value) -> String {
        self.token_of_text(header.to_string(), claims.to_string())
    }

    /// Signs any bytes, JSON or not.
    pub(crate) fn token_of_text(
        &self,
        header: impl AsRef<[u8]>,
        claims: impl AsRef<[u8]>,
    ) -> String {
        self.signed(&format!("{}.{}", base64url(header), base64url(claims)))
    }

    /// The first two parts of a token, however they are spelt, and their signature.
    pub(crate) fn signed(&self, message: &str) -> String {
        let signature = base64url(self.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Ec(pair, _) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Rsa(pair, alg) => {
                let padding: &dyn RsaEncoding =
                    if *alg == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                rsa_signature(pair, padding, message)
            }
            Self::Secret(bytes) => {
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, bytes), message).as_ref().to_vec()
            }
        }
    }
}

/// A signature as RSA makes it with this padding and this hash.
pub(crate) fn rsa_signature(
    pair: &RsaKeyPair,
    padding: &'static dyn RsaEncoding,
    message: &[u8],
) -> Vec<u8> {
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(padding, &SystemRandom::new(), message, &mut signature).unwrap();
    signature
}
