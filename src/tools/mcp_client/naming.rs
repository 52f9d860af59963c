//! The names of servers' tools, as models take them.

use crate::tools::registry::is_valid_name;

/// The longest name of a server, in bytes: what is left of the 64 holds most tools' names as they
/// are.
pub(super) const MAX_SERVER_LEN: usize = 24;
/// Stands between the server's name and the tool's.
const BETWEEN: &str = "__";
/// How many bytes of a name that cannot be kept stay readable.
const READABLE_LEN: usize = 26;

/// What the model calls a server's tool: `server__tool`. A tool's name that is too long or has
/// other characters than models take is made readable, with a part of its hash behind it, so that
/// it is always the same and no other tool's.
pub(super) fn offered_name(server: &str, tool: &str) -> String {
    let plain = format!("{server}{BETWEEN}{tool}");
    if is_valid_name(&plain) && !tool.is_empty() {
        return plain;
    }
    let is_kept = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let readable: String =
        tool.chars().take(READABLE_LEN).map(|c| if is_kept(c) { c } else { '_' }).collect();
    format!("{server}{BETWEEN}{readable}_{}", short_hash(tool))
}

/// 10 hexadecimal digits.
fn short_hash(text: &str) -> String {
    use std::fmt::Write as _;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().take(5).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_names_stay_as_they_are_behind_the_servers() {
        assert_eq!(offered_name("time", "get_current_time"), "time__get_current_time");
    }

    #[test]
    fn what_models_do_not_take_is_replaced_and_told_apart_by_a_hash() {
        let long = "x".repeat(128);
        for odd in ["files.read", "a\nb", "a b", "", "tâche", &long] {
            let name = offered_name("server", odd);
            assert!(is_valid_name(&name), "{name:?}");
            assert!(name.starts_with("server__"), "{name}");
        }
        assert_ne!(offered_name("s", "a\nb"), offered_name("s", "a b"));
        assert_eq!(offered_name("s", "a\nb"), offered_name("s", "a\nb"));
    }

    #[test]
    fn the_longest_server_leaves_room_for_every_tool() {
        let server = "s".repeat(MAX_SERVER_LEN);

        assert!(is_valid_name(&offered_name(&server, &"é".repeat(128))));
    }
}
