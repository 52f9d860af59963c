//! How a thread gets its title.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use tokio::time::timeout;

use crate::upstream::{InputItem, Model, ModelEvent, ModelRequest};

use super::asked::count_tokens;

/// How long a model may take for a title.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The longest title, in characters.
const MAX_TITLE: usize = 60;
/// How much of the first message the model sees, in characters.
const MAX_INPUT: usize = 2_000;

const INSTRUCTIONS: &str = "Write a title of two to five words, in the user's language, for a \
     conversation that begins with the user's message. Answer with the title alone, without \
     quotation marks.";

/// Makes a title from the first message of a thread.
#[async_trait]
pub trait TitleMaker: Send + Sync + 'static {
    /// A title; `None` when there is none to be had.
    async fn title(&self, first_message: &str) -> Option<String>;
}

/// The first words of the message.
pub struct FirstWords;

#[async_trait]
impl TitleMaker for FirstWords {
    async fn title(&self, first_message: &str) -> Option<String> {
        tidy(first_message)
    }
}

/// A short call of a model.
pub struct ModelTitles {
    model: Arc<dyn Model>,
    name: String,
}

impl ModelTitles {
    /// Titles by the model of that name.
    pub fn new(model: Arc<dyn Model>, name: String) -> Self {
        Self { model, name }
    }

    async fn ask(&self, first_message: &str) -> Option<String> {
        let text: String = first_message.chars().take(MAX_INPUT).collect();
        let request = ModelRequest {
            model: self.name.clone(),
            instructions: Some(INSTRUCTIONS.to_owned()),
            input: vec![InputItem::user_text(text)],
            ..ModelRequest::default()
        };
        let mut answer = self.model.stream(request);
        let mut title = String::new();
        while let Some(event) = answer.next().await {
            match event {
                Ok(ModelEvent::TextDelta { delta, .. }) => title.push_str(&delta),
                Ok(ModelEvent::Finished { usage, .. }) => {
                    if let Some(usage) = usage {
                        count_tokens(&self.name, usage);
                    }
                    return tidy(&title);
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::info!(error = %error, "no title from the model");
                    return None;
                }
            }
        }
        None
    }
}

#[async_trait]
impl TitleMaker for ModelTitles {
    async fn title(&self, first_message: &str) -> Option<String> {
        timeout(TIMEOUT, self.ask(first_message)).await.ok().flatten()
    }
}

/// The first line that says something, without quotation marks, cut behind a word.
fn tidy(text: &str) -> Option<String> {
    let is_dressing = |char: char| char.is_whitespace() || "\"'“”«»*#`".contains(char);
    let line = text.lines().map(|line| line.trim_matches(is_dressing)).find(|l| !l.is_empty())?;
    let line: String = line.chars().filter(|char| !char.is_control()).collect();
    if line.chars().count() <= MAX_TITLE {
        return Some(line);
    }
    let cut: String = line.chars().take(MAX_TITLE).collect();
    let whole_words = cut.rfind(' ').map_or(cut.as_str(), |space| &cut[..space]);
    Some(format!("{}…", whole_words.trim_end_matches([',', '.', ';', ':'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_line_without_quotes_cut_behind_a_word() {
        assert_eq!(tidy("\n \"Plants and water\"\nmore").unwrap(), "Plants and water");
        assert_eq!(tidy(" \n\"\""), None);
        let long = tidy(&"wörd ".repeat(30)).unwrap();
        assert!(long.chars().count() <= MAX_TITLE + 1 && long.ends_with("wörd…"), "{long}");
    }
}
