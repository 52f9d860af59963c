//! What texts may be.

use serde_json::Value;

use crate::protocol::{
    AttachmentId,
    item::{InferenceOptions, UserContent},
    request::StructuredInputSubmission,
};

use super::ChatError;

/// The longest title, in characters.
const MAX_TITLE: usize = 500;
/// The longest quotation, in characters.
const MAX_QUOTE: usize = 32_000;

/// The longest name of a file or media type, in characters.
const MAX_NAME: usize = 255;

/// What a message may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageLimits {
    /// The longest text, in characters.
    pub max_characters: usize,
    /// The most attachments; ChatKit's composer takes 10 unless told otherwise.
    pub max_attachments: usize,
}

impl Default for MessageLimits {
    fn default() -> Self {
        Self { max_characters: 32_000, max_attachments: 32 }
    }
}

/// A message has text, unless it has attachments; not too much of it, and none that a database
/// cannot keep.
pub(super) fn check_content(
    content: &[UserContent],
    has_attachments: bool,
    limits: MessageLimits,
) -> Result<(), ChatError> {
    let max = limits.max_characters;
    let mut length = 0;
    let mut is_blank = true;
    for part in content {
        let text = match part {
            UserContent::InputText { text } => text,
            UserContent::InputTag { id, text, data, group, .. } => {
                check_nul(id, "content")?;
                check_nul(group.as_deref().unwrap_or_default(), "content")?;
                check_members(data.iter(), "content")?;
                text
            }
        };
        check_nul(text, "content")?;
        length += text.chars().count();
        is_blank &= text.trim().is_empty();
    }
    if is_blank && !has_attachments {
        return Err(ChatError::Invalid("content must not be empty".to_owned()));
    }
    if length > max {
        return Err(ChatError::Invalid(format!(
            "content must have at most {max} characters; it has {length}"
        )));
    }
    Ok(())
}

pub(super) fn check_quote(quote: Option<&str>) -> Result<(), ChatError> {
    quote.map_or(Ok(()), |quote| check_text(quote, "quoted_text", MAX_QUOTE))
}

pub(super) fn check_options(options: &InferenceOptions) -> Result<(), ChatError> {
    let tool = options.tool_choice.as_ref().map(|choice| choice.id.as_str());
    let texts = [tool, options.model.as_deref()];
    texts.into_iter().flatten().try_for_each(|text| check_nul(text, "inference_options"))
}

pub(super) fn check_title(title: &str) -> Result<(), ChatError> {
    check_text(title, "title", MAX_TITLE)
}

/// Each once, and not too many.
pub(super) fn check_attachments(
    ids: &[AttachmentId],
    limits: MessageLimits,
) -> Result<(), ChatError> {
    let max = limits.max_attachments;
    if ids.len() > max {
        return Err(ChatError::Invalid(format!("a message can have at most {max} attachments")));
    }
    let is_repeated = |at: usize| ids[..at].contains(&ids[at]);
    if (0..ids.len()).any(is_repeated) {
        return Err(ChatError::invalid("attachments must not name one attachment twice"));
    }
    Ok(())
}

/// Answers the size of a file that may be announced.
pub(super) fn check_file(name: &str, size: i64, mime_type: &str) -> Result<u64, ChatError> {
    check_text(name, "name", MAX_NAME)?;
    check_text(mime_type, "mime_type", MAX_NAME)?;
    if name.trim().is_empty() || mime_type.trim().is_empty() {
        return Err(ChatError::invalid("name and mime_type must not be empty"));
    }
    u64::try_from(size).map_err(|_| ChatError::invalid("size must not be negative"))
}

/// As much as a message may have, and nothing that a database cannot keep.
pub(super) fn check_answers(
    submission: &StructuredInputSubmission,
    limits: MessageLimits,
) -> Result<(), ChatError> {
    let max = limits.max_characters;
    let values = submission.answers.values().flat_map(|answer| &answer.values);
    let mut length = 0;
    for value in values {
        check_nul(value, "answers")?;
        length += value.chars().count();
    }
    if length > max {
        return Err(ChatError::Invalid(format!(
            "answers must have at most {max} characters; they have {length}"
        )));
    }
    Ok(())
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

fn check_members<'a>(
    mut members: impl Iterator<Item = (&'a String, &'a Value)>,
    name: &str,
) -> Result<(), ChatError> {
    members.try_for_each(|(key, value)| {
        check_nul(key, name)?;
        check_value(value, name)
    })
}

/// The same for all texts in any JSON, which is read no deeper than 128 levels.
fn check_value(value: &Value, name: &str) -> Result<(), ChatError> {
    match value {
        Value::String(text) => check_nul(text, name),
        Value::Array(entries) => entries.iter().try_for_each(|entry| check_value(entry, name)),
        Value::Object(members) => check_members(members.iter(), name),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), ChatError> {
        let content = [UserContent::InputText { text: text.to_owned() }];
        check_content(&content, false, MessageLimits::default())
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
