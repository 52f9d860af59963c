//! What texts may be.

use crate::protocol::item::UserContent;

use super::ChatError;

/// The longest message, in characters.
const MAX_MESSAGE: usize = 32_000;
/// The longest title, in characters.
const MAX_TITLE: usize = 500;
/// The longest quotation, in characters.
const MAX_QUOTE: usize = 32_000;

/// A message has text, not too much of it, and none that a database cannot keep.
pub(super) fn check_content(content: &[UserContent]) -> Result<(), ChatError> {
    let texts = content.iter().map(|part| match part {
        UserContent::InputText { text } | UserContent::InputTag { text, .. } => text.as_str(),
    });
    let mut length = 0;
    let mut is_blank = true;
    for text in texts {
        check_nul(text, "content")?;
        length += text.chars().count();
        is_blank &= text.trim().is_empty();
    }
    if is_blank {
        return Err(ChatError::Invalid("content must not be empty".to_owned()));
    }
    if length > MAX_MESSAGE {
        return Err(ChatError::Invalid(format!(
            "content must have at most {MAX_MESSAGE} characters; it has {length}"
        )));
    }
    Ok(())
}

pub(super) fn check_quote(quote: Option<&str>) -> Result<(), ChatError> {
    quote.map_or(Ok(()), |quote| check_text(quote, "quoted_text", MAX_QUOTE))
}

pub(super) fn check_title(title: &str) -> Result<(), ChatError> {
    check_text(title, "title", MAX_TITLE)
}

fn check_text(text: &str, name: &str, max: usize) -> Result<(), ChatError> {
    check_nul(text, name)?;
    if text.chars().count() > max {
        return Err(ChatError::Invalid(format!("{name} must have at most {max} characters")));
    }
    Ok(())
}

/// `PostgreSQL` cannot keep U+0000; where it is not refused, it is replaced without a word.
fn check_nul(text: &str, name: &str) -> Result<(), ChatError> {
    if text.contains('\0') {
        return Err(ChatError::Invalid(format!("{name} must not contain U+0000")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), ChatError> {
        check_content(&[UserContent::InputText { text: text.to_owned() }])
    }

    #[test]
    fn a_message_has_1_to_32_000_characters_of_any_script() {
        assert!(check("é").is_ok());
        assert!(check(&"é".repeat(32_000)).is_ok());
        for refused in ["", " \n", "a\0b", &"é".repeat(32_001)] {
            assert!(check(refused).is_err(), "{} characters", refused.chars().count());
        }
    }
}
