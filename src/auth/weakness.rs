//! Secrets that anybody might guess.

/// Parts of secrets that stand in examples and defaults, lower case. The first is Better Auth's own,
/// for which it warns in production.
const KNOWN: [&str; 9] = [
    "better-auth-secret-123456",
    "changeme",
    "change-me",
    "change_me",
    "change this",
    "your-secret",
    "your_secret",
    "replace-me",
    "placeholder",
];
/// A random secret of 32 bytes has far more different ones, in hexadecimal, too.
const LEAST_DIFFERENT: usize = 8;
/// The longest part that a secret may not be made of by repetition.
const LONGEST_PERIOD: usize = 8;

/// Why a secret is weak, to be read behind its name.
pub(super) fn weakness(secret: &[u8]) -> Option<&'static str> {
    let lower = secret.to_ascii_lowercase();
    let has = |known: &&str| lower.windows(known.len()).any(|part| part == known.as_bytes());
    if KNOWN.iter().any(has) {
        return Some(
            "stands in examples, where anybody finds it: make one by openssl rand -hex 32",
        );
    }
    let mut different = lower.clone();
    different.sort_unstable();
    different.dedup();
    let is_repeated = |period: usize| secret.iter().zip(&secret[period..]).all(|(a, b)| a == b);
    let longest = LONGEST_PERIOD.min(secret.len().saturating_sub(1));
    let is_regular = different.len() < LEAST_DIFFERENT || (1..=longest).any(is_repeated);
    is_regular.then_some("is too regular to be secret: make one by openssl rand -hex 32")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_that_anybody_might_guess_are_weak() {
        for weak in [
            "better-auth-secret-12345678901234567890",
            "CHANGEME-CHANGEME-CHANGEME-CHANGEME",
            "please-change-me-0123456789abcdefghij",
            "your-secret-key-of-32-bytes-or-more!",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "abababababababababababababababababab",
            "01234560123456012345601234560123456",
            "hunter2!hunter2!hunter2!hunter2!hunt",
        ] {
            assert!(weakness(weak.as_bytes()).is_some(), "{weak}");
        }
    }

    #[test]
    fn random_ones_are_not() {
        for strong in [
            "7b0f0c1f4c3c8f0c6d1a5e9b2d8f7a6c",
            "0123456789abcdef0123456789abcdef",
            "correct horse battery staple, and so on",
        ] {
            assert_eq!(weakness(strong.as_bytes()), None, "{strong}");
        }
    }
}
