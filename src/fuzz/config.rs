//! `gateway.toml`.

use std::path::Path;

use crate::config::Config;

/// The configuration with this file is good, or its problems are named.
pub(super) fn config(data: &[u8]) -> bool {
    let Ok(file) = std::str::from_utf8(data) else { return false };
    let lookup = |name: &str| match name {
        "OPENAI_API_KEY" => Some("sk-test".to_owned()),
        // Also what `secret_env` and `${NAME}` of the file may name.
        "BETTER_AUTH_SECRET" | "SECRET" => Some("0123456789abcdef0123456789abcdef".to_owned()),
        _ => None,
    };
    match Config::from_vars(lookup, |_: &Path| Ok(file.to_owned())) {
        Ok(config) => {
            assert!(!format!("{config:?}").contains("0123456789abcdef"), "a secret is printed");
            true
        }
        Err(error) => {
            assert!(!error.0.is_empty(), "a refusal has a reason");
            assert!(error.0.iter().all(|problem| !problem.name.is_empty()));
            assert!(!error.to_string().contains("0123456789abcdef"), "a secret is printed");
            false
        }
    }
}
