//! What of a provider's answer may stand in our log: shortened, without the key.

/// The longest detail, in characters.
const MAX_DETAIL: usize = 500;

/// A provider's text for the log. Providers quote parts of keys; ours is taken out.
pub(super) fn detail(text: &str, key: Option<&str>) -> String {
    let short: String = text.trim().chars().take(MAX_DETAIL).collect();
    match key.filter(|key| !key.is_empty()) {
        Some(key) => short.replace(key, "[key]"),
        None => short,
    }
}

/// An error of the client without the address, which may hold a secret of the operator.
pub(super) fn without_url(error: reqwest::Error) -> reqwest::Error {
    error.without_url()
}
