//! What a task may be: one place for the tools and the HTTP routes. Pure functions.
//!
//! Lengths are in Unicode characters and are measured without the white space around the text,
//! which is dropped. NUL is refused because PostgreSQL cannot store it in text.

use crate::store::record::{NewTask, TaskPatch};

/// The longest title, in characters.
pub const MAX_TITLE_CHARS: usize = 200;

/// The longest description, in characters.
pub const MAX_DESCRIPTION_CHARS: usize = 2000;

/// Why a task is refused. The text is fit for users and models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaskRuleError {
    /// No title, or white space only.
    #[error("title is empty")]
    TitleEmpty,
    /// Above [`MAX_TITLE_CHARS`].
    #[error("title is longer than {MAX_TITLE_CHARS} characters")]
    TitleTooLong,
    /// Above [`MAX_DESCRIPTION_CHARS`].
    #[error("description is longer than {MAX_DESCRIPTION_CHARS} characters")]
    DescriptionTooLong,
    /// A NUL character in one of the texts.
    #[error("{field} contains a NUL character")]
    Nul {
        /// `title` or `description`.
        field: &'static str,
    },
}

impl TaskRuleError {
    /// The member of the request that is at fault: `title` or `description`.
    pub fn field(self) -> &'static str {
        match self {
            Self::TitleEmpty | Self::TitleTooLong => "title",
            Self::DescriptionTooLong => "description",
            Self::Nul { field } => field,
        }
    }
}

/// A task to be inserted, from what a user or a model wrote.
pub fn new_task(title: &str, description: Option<&str>) -> Result<NewTask, TaskRuleError> {
    Ok(NewTask {
        title: parse_title(title)?,
        description: description.map(parse_description).transpose()?.flatten(),
    })
}

/// A change of a task's texts; `None` leaves as it is, a blank description takes it away.
pub fn text_patch(
    title: Option<&str>,
    description: Option<&str>,
) -> Result<TaskPatch, TaskRuleError> {
    Ok(TaskPatch {
        title: title.map(parse_title).transpose()?,
        description: description.map(parse_description).transpose()?,
        completed: None,
    })
}

/// A title without the white space around it.
fn parse_title(text: &str) -> Result<String, TaskRuleError> {
    let title = text.trim();
    if title.is_empty() {
        return Err(TaskRuleError::TitleEmpty);
    }
    if title.chars().count() > MAX_TITLE_CHARS {
        return Err(TaskRuleError::TitleTooLong);
    }
    refuse_nul("title", title)?;
    Ok(title.to_owned())
}

/// A description without the white space around it; `None` when nothing is left.
fn parse_description(text: &str) -> Result<Option<String>, TaskRuleError> {
    let description = text.trim();
    if description.chars().count() > MAX_DESCRIPTION_CHARS {
        return Err(TaskRuleError::DescriptionTooLong);
    }
    refuse_nul("description", description)?;
    Ok((!description.is_empty()).then(|| description.to_owned()))
}

fn refuse_nul(field: &'static str, text: &str) -> Result<(), TaskRuleError> {
    if text.contains('\0') {
        return Err(TaskRuleError::Nul { field });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_trimmed_and_must_not_be_blank() {
        assert_eq!(new_task("  buy milk\n", None).unwrap().title, "buy milk");
        for blank in ["", " \t\n"] {
            assert_eq!(new_task(blank, None), Err(TaskRuleError::TitleEmpty));
        }
    }

    #[test]
    fn lengths_are_counted_in_characters_after_trimming() {
        let title = format!(" {} ", "ü".repeat(MAX_TITLE_CHARS));
        let description = "ü".repeat(MAX_DESCRIPTION_CHARS);

        assert!(new_task(&title, Some(&description)).is_ok());
        assert_eq!(
            new_task(&"ü".repeat(MAX_TITLE_CHARS + 1), None),
            Err(TaskRuleError::TitleTooLong)
        );
        assert_eq!(
            new_task("milk", Some(&format!("{description}ü"))),
            Err(TaskRuleError::DescriptionTooLong)
        );
    }

    #[test]
    fn nul_is_refused_and_its_field_named() {
        let in_title = new_task("a\0b", None).unwrap_err();
        let in_description = new_task("a", Some("b\0")).unwrap_err();

        assert_eq!(in_title.field(), "title");
        assert_eq!(in_description.field(), "description");
    }

    #[test]
    fn a_blank_description_is_none_in_a_new_task_and_takes_it_away_in_a_patch() {
        assert_eq!(new_task("milk", Some("  ")).unwrap().description, None);
        assert_eq!(text_patch(None, Some("")).unwrap().description, Some(None));
        assert_eq!(text_patch(None, None).unwrap(), TaskPatch::default());
    }
}
