//! The demo's model: it keeps a task list with the tools that it is offered, says plainly that it
//! is scripted, and takes its time as a model does.
//!
//! | the user says | it answers |
//! |---|---|
//! | "add a task buy milk", "list my tasks", "complete task 2", … ([`commands`]) | tool calls |
//! | the tools' outputs ([`results`]) | what they did, one sentence each |
//! | "long answer" | some 400 words |
//! | anything else | what it is and what it can do |
//!
//! A request for a title ([`ModelCall::wants_title`]) is answered with two to five words.

pub mod commands;
mod prose;
pub mod results;

use std::sync::Arc;

use futures_util::stream;

use super::scripted_model::{ModelCall, Script, Step, Steps, split_words};

/// Milliseconds between two words.
const WORD_PACE_MS: std::ops::RangeInclusive<u64> = 30..=60;

/// The script of the demo's model.
#[derive(Clone, Copy, Debug)]
pub struct DemoAssistant {
    paced: bool,
}

impl DemoAssistant {
    /// At a human pace: 30 to 60 ms a word.
    pub fn new() -> Self {
        Self { paced: true }
    }

    /// Without pauses, for tests.
    pub fn unpaced() -> Self {
        Self { paced: false }
    }

    fn say(self, text: &str) -> Steps {
        let words: Vec<_> = split_words(text).map(str::to_owned).collect();
        Box::pin(stream::iter(words.into_iter().flat_map(move |word| {
            let pause = self.paced.then(|| Step::pause_ms(fastrand::u64(WORD_PACE_MS)));
            pause.into_iter().chain([Step::Text(word)])
        })))
    }
}

impl Default for DemoAssistant {
    fn default() -> Self {
        Self::new()
    }
}

impl Script for DemoAssistant {
    fn answer(&self, call: Arc<ModelCall>) -> Steps {
        if call.wants_title() {
            return Box::pin(stream::iter([Step::Text(prose::title(&call.first_user_text()))]));
        }
        let outputs = call.new_outputs();
        if !outputs.is_empty() {
            return self.say(&results::sentences(&outputs));
        }
        let text = call.last_user_text();
        let commands = commands::parse(&text);
        if let Some(missing) = commands.iter().find(|command| !call.offers(command.tool())) {
            return self.say(&prose::without_tool(missing.tool()));
        }
        if commands.is_empty() {
            return self.say(&prose::answer(&text, &call));
        }
        let calls: Vec<_> = commands
            .iter()
            .map(|command| Step::call(command.tool(), &command.arguments()))
            .collect();
        Box::pin(stream::iter(calls))
    }
}
