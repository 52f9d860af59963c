//! `ask_user`: the model asks, the user answers in a form. The answers are what the call gives.

use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Asks, Tool, ToolContext, ToolOutput, ToolSpec, arguments};
use crate::protocol::item::{ChoiceOption, StructuredInput, StructuredInputKind};

/// How many questions are asked at a time.
const MAX_QUESTIONS: usize = 10;
/// The longest question, and the longest explanation of one, in characters.
const MAX_QUESTION: usize = 1_000;
/// How many answers are offered.
const MAX_OPTIONS: usize = 20;
/// The longest of them, in characters.
const MAX_OPTION: usize = 200;

/// The tool. It is for our own agent, which shows the questions; nobody can answer them elsewhere.
pub fn ask_user() -> Arc<dyn Tool> {
    Arc::new(AskUser {
        spec: ToolSpec {
            name: "ask_user".to_owned(),
            title: "Ask the user".to_owned(),
            description:
                "Asks the user questions by a form and waits for the answers. Use it when \
                          you cannot go on without knowing what the user wants. The user may skip \
                          a question, and may answer something else than what is offered."
                    .to_owned(),
            parameters: arguments::schema::<Arguments>(),
            read_only: true,
            destructive: false,
            idempotent: true,
        },
    })
}

struct AskUser {
    spec: ToolSpec,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The questions, in the order in which they are shown.
    #[schemars(length(min = 1, max = MAX_QUESTIONS))]
    questions: Vec<Asked>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// What is asked.
    #[schemars(length(min = 1, max = MAX_QUESTION))]
    question: String,
    /// Answers to choose from; left out, the user writes.
    #[schemars(length(max = MAX_OPTIONS))]
    options: Option<Vec<String>>,
    /// Whether several of them may be chosen.
    multiple: Option<bool>,
}

impl Asked {
    fn input(self, number: usize) -> StructuredInput {
        let Self { question, options, multiple } = self;
        let offered = options.unwrap_or_default().into_iter().map(|value| ChoiceOption { value });
        let options: Vec<ChoiceOption> = offered.collect();
        let kind = if options.is_empty() {
            StructuredInputKind::Freeform { description: None }
        } else {
            StructuredInputKind::MultipleChoice { options, multiple: multiple.unwrap_or(false) }
        };
        StructuredInput { id: format!("question_{number}"), question, answer: None, kind }
    }
}

#[async_trait]
impl Tool for AskUser {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn asks(&self, arguments: &Map<String, Value>) -> Option<Asks> {
        questions(arguments.clone()).ok().map(Asks::Questions)
    }

    /// Called only with arguments that cannot be asked.
    async fn call(&self, _: &ToolContext, arguments: Map<String, Value>) -> ToolOutput {
        match questions(arguments) {
            Err(problem) => problem,
            Ok(_) => ToolOutput::error("the user cannot be asked here"),
        }
    }
}

fn questions(arguments: Map<String, Value>) -> Result<Vec<StructuredInput>, ToolOutput> {
    let Arguments { questions } = arguments::parse(arguments)?;
    let questions = (1..).zip(questions).map(|(number, question)| question.input(number));
    let questions: Vec<StructuredInput> = questions.collect();
    check(&questions)
        .map_err(|problem| ToolOutput::error(format!("wrong arguments: {problem}")))?;
    Ok(questions)
}

/// Whether questions can be asked: some, in bounds, not answered yet, each with a name of its own.
pub(super) fn check(questions: &[StructuredInput]) -> Result<(), String> {
    if !(1..=MAX_QUESTIONS).contains(&questions.len()) {
        return Err(format!("there must be 1 to {MAX_QUESTIONS} questions"));
    }
    for (place, StructuredInput { id, question, answer, kind }) in questions.iter().enumerate() {
        let is_repeated = questions[..place].iter().any(|other| other.id == *id);
        if is_repeated || !is_text(id, MAX_OPTION) || answer.is_some() {
            return Err("each question needs an id of its own and no answer".to_owned());
        }
        if !is_text(question, MAX_QUESTION) {
            return Err(format!("a question must have 1 to {MAX_QUESTION} characters"));
        }
        let is_bounded = match kind {
            StructuredInputKind::MultipleChoice { options, .. } => {
                options.len() <= MAX_OPTIONS
                    && options.iter().all(|option| is_text(&option.value, MAX_OPTION))
            }
            StructuredInputKind::Freeform { description } => {
                description.as_ref().is_none_or(|text| is_text(text, MAX_QUESTION))
            }
        };
        if !is_bounded {
            return Err(format!(
                "there may be {MAX_OPTIONS} options of 1 to {MAX_OPTION} characters"
            ));
        }
    }
    Ok(())
}

fn is_text(text: &str, max: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= max
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(arguments: Value) -> Result<Vec<StructuredInput>, String> {
        let Value::Object(arguments) = arguments else { panic!("no object") };
        questions(arguments).map_err(|problem| problem.text)
    }

    #[test]
    fn questions_are_answered_by_choosing_or_by_writing() {
        let asked = read(json!({ "questions": [
            { "question": "Which?", "options": ["a", "b"], "multiple": true },
            { "question": "Why?" },
        ] }));

        let asked = serde_json::to_value(asked.unwrap()).unwrap();
        assert_eq!(
            asked,
            json!([
                { "id": "question_1", "question": "Which?", "type": "multiple_choice",
                  "options": [{ "value": "a" }, { "value": "b" }], "multiple": true },
                { "id": "question_2", "question": "Why?", "type": "freeform" },
            ])
        );
    }

    #[test]
    fn what_cannot_be_asked_is_told_to_the_model() {
        let long = "x".repeat(MAX_QUESTION + 1);
        let option = "x".repeat(MAX_OPTION + 1);
        let many = vec![json!({ "question": "a" }); MAX_QUESTIONS + 1];
        for wrong in [
            json!({}),
            json!({ "questions": [] }),
            json!({ "questions": many }),
            json!({ "questions": [{ "question": " " }] }),
            json!({ "questions": [{ "question": long }] }),
            json!({ "questions": [{ "question": "a", "options": [option] }] }),
            json!({ "questions": [{ "question": "a", "answer": "b" }] }),
        ] {
            assert!(read(wrong).unwrap_err().starts_with("wrong arguments: "));
        }
    }
}
