//! What the user wants done with the task list, read from plain English.
//!
//! Several commands may stand in one message, parted by line ends, semicolons, commas, full stops
//! or "and". A part that begins no command belongs to the one before: "add a task buy bread and
//! butter" is one task.

use serde_json::{Value, json};

/// A thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// "add a task buy milk", "add a task call Bob with description about the house".
    Add {
        /// What is to be done.
        title: String,
        /// More about it.
        description: Option<String>,
    },
    /// "list my tasks", "show open tasks".
    List {
        /// `pending` or `completed`; all without it.
        status: Option<&'static str>,
    },
    /// "complete task 2", "mark task 2 as done".
    Complete(i64),
    /// "delete task 2".
    Delete(i64),
    /// "rename task 2 to buy bread", "change the description of task 2 to …".
    Update {
        /// Which task.
        task_id: i64,
        /// Its new title.
        title: Option<String>,
        /// Its new description.
        description: Option<String>,
    },
}

impl Command {
    /// The tool that does it.
    pub fn tool(&self) -> &'static str {
        match self {
            Self::Add { .. } => "add_task",
            Self::List { .. } => "list_tasks",
            Self::Complete(_) => "complete_task",
            Self::Delete(_) => "delete_task",
            Self::Update { .. } => "update_task",
        }
    }

    /// The tool's arguments; absent ones are left out.
    pub fn arguments(&self) -> Value {
        let mut arguments = json!({});
        let mut set = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                arguments[name] = json!(value);
            }
        };
        match self {
            Self::Add { title, description } => {
                set("title", Some(title));
                set("description", description.as_deref());
            }
            Self::List { status } => set("status", *status),
            Self::Complete(task_id) | Self::Delete(task_id) => {
                arguments["task_id"] = json!(task_id);
            }
            Self::Update { task_id, title, description } => {
                set("title", title.as_deref());
                set("description", description.as_deref());
                arguments["task_id"] = json!(task_id);
            }
        }
        arguments
    }
}

/// The commands of a message, in order.
pub fn parse(text: &str) -> Vec<Command> {
    let mut commands = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        // The clause ends where the next command begins.
        let next = clause_starts(rest).find(|at| parse_clause(&rest[*at..]).is_some());
        let (clause, remaining) = rest.split_at(next.unwrap_or(rest.len()));
        commands.extend(parse_clause(clause));
        rest = remaining;
    }
    commands
}

/// Where a further clause could begin: after each separator.
fn clause_starts(text: &str) -> impl Iterator<Item = usize> {
    const SEPARATORS: [&str; 8] = ["\n", ";", ",", ". ", "! ", "? ", " and ", " then "];
    text.char_indices().filter_map(|(at, _)| {
        let separator = SEPARATORS.iter().find(|separator| text[at..].starts_with(**separator))?;
        Some(at + separator.len())
    })
}

fn parse_clause(clause: &str) -> Option<Command> {
    const POLITE: [&str; 9] =
        ["please", "also", "then", "and", "now", "can you", "could you", "i want to", "-"];
    let mut words = Words(clause.trim_start_matches(|c: char| !c.is_alphanumeric()));
    while words.skip_any(&POLITE) {}
    add(words).or_else(|| list(words)).or_else(|| change(words))
}

fn add(mut words: Words) -> Option<Command> {
    words.skip_any(&["add", "create", "make"]).then_some(())?;
    words.skip_any(&["a", "an", "the", "another"]);
    words.skip_any(&["new"]);
    words.skip_any(&["task", "todo", "to-do"]).then_some(())?;
    words.skip_any(&["called", "named", "titled", "to", "for"]);
    let (title, description) = match split_once_ignore_case(words.0, " with description ") {
        Some((title, description)) => (title, Some(unquoted(description))),
        None => (words.0, None),
    };
    let title = unquoted(title);
    (!title.is_empty()).then_some(Command::Add { title, description })
}

fn list(mut words: Words) -> Option<Command> {
    words.skip_any(&["list", "show", "what are", "which are"]).then_some(())?;
    words.skip_any(&["me"]);
    while words.skip_any(&["all", "of", "the", "my"]) {}
    let status = if words.skip_any(&["open", "pending", "unfinished"]) {
        Some("pending")
    } else if words.skip_any(&["completed", "complete", "done", "finished"]) {
        Some("completed")
    } else {
        None
    };
    words.skip_any(&["tasks", "task list", "todos", "to-dos"]).then_some(Command::List { status })
}

/// The commands that name a task by its number.
fn change(mut words: Words) -> Option<Command> {
    if words.skip_any(&["complete", "finish", "mark", "check off", "close"]) {
        return words.task_id().map(Command::Complete);
    }
    if words.skip_any(&["delete", "remove"]) {
        return words.task_id().map(Command::Delete);
    }
    words.skip_any(&["rename", "update", "change", "edit"]).then_some(())?;
    words.skip_any(&["the"]);
    let is_description = words.skip_any(&["description of"]);
    words.skip_any(&["title of"]);
    let task_id = words.task_id()?;
    words.skip_any(&["to", "as", "into"]);
    let text = Some(unquoted(words.0)).filter(|text| !text.is_empty())?;
    let (title, description) = if is_description { (None, Some(text)) } else { (Some(text), None) };
    Some(Command::Update { task_id, title, description })
}

/// What is left of a clause. Words are compared without regard to case.
#[derive(Clone, Copy)]
struct Words<'a>(&'a str);

impl Words<'_> {
    /// Skips the first of these that stands here, a colon after it too.
    fn skip_any(&mut self, candidates: &[&str]) -> bool {
        let rest = candidates.iter().find_map(|word| strip_word(self.0, word));
        match rest {
            Some(rest) => self.0 = rest,
            None => return false,
        }
        true
    }

    /// "task 2", "task #2", "task number 2", "the task 2".
    fn task_id(&mut self) -> Option<i64> {
        self.skip_any(&["the", "my"]);
        let named = self.skip_any(&["task", "todo", "to-do"]);
        self.skip_any(&["number", "no."]);
        let hash = self.0.strip_prefix('#');
        let digits = hash.unwrap_or(self.0);
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        let task_id = digits[..end].parse().ok().filter(|_| named || hash.is_some())?;
        self.0 = digits[end..].trim_start_matches([' ', ':']);
        Some(task_id)
    }
}

fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let head = text.get(..word.len())?;
    let rest = &text[word.len()..];
    let ends = !rest.starts_with(|c: char| c.is_alphanumeric() || c == '-');
    (head.eq_ignore_ascii_case(word) && ends).then(|| rest.trim_start_matches([' ', ':']))
}

fn split_once_ignore_case<'a>(text: &'a str, separator: &str) -> Option<(&'a str, &'a str)> {
    let at = text.to_ascii_lowercase().find(separator)?;
    Some((&text[..at], &text[at + separator.len()..]))
}

/// The text without what surrounds it: blanks, quotes, closing punctuation, a trailing "and".
fn unquoted(text: &str) -> String {
    let mut text = text.trim();
    for end in [" and", " then", ","] {
        text = text.strip_suffix(end).unwrap_or(text).trim_end();
    }
    let is_wrapping = |c: char| c.is_whitespace() || ".,;!?:\"'“”„‘’`".contains(c);
    text.trim_matches(is_wrapping).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(title: &str) -> Command {
        Command::Add { title: title.to_owned(), description: None }
    }

    #[test]
    fn every_tool_has_its_words() {
        let cases = [
            ("Add a task: Buy milk.", added("Buy milk")),
            ("please create a new to-do called \"Call Bob\"", added("Call Bob")),
            ("List my tasks", Command::List { status: None }),
            ("show me all open tasks please", Command::List { status: Some("pending") }),
            ("What are my completed tasks?", Command::List { status: Some("completed") }),
            ("complete task 2", Command::Complete(2)),
            ("Mark task #12 as done!", Command::Complete(12)),
            ("can you delete task 3?", Command::Delete(3)),
            (
                "rename task 4 to Buy bread",
                Command::Update {
                    task_id: 4,
                    title: Some("Buy bread".to_owned()),
                    description: None,
                },
            ),
            (
                "change the description of task 4 to rye, not wheat",
                Command::Update {
                    task_id: 4,
                    title: None,
                    description: Some("rye, not wheat".to_owned()),
                },
            ),
        ];

        for (text, command) in cases {
            assert_eq!(parse(text), [command], "{text}");
        }
    }

    #[test]
    fn one_message_may_hold_several_commands() {
        let commands = parse("Add a task buy bread and butter, add a task run and list my tasks.");

        let expected =
            [added("buy bread and butter"), added("run"), Command::List { status: None }];
        assert_eq!(commands, expected);
    }

    #[test]
    fn a_description_is_an_argument_of_its_own() {
        let commands = parse("add a task Call Bob with description about the house");

        let expected = json!({ "title": "Call Bob", "description": "about the house" });
        assert_eq!(commands[0].arguments(), expected);
    }

    #[test]
    fn other_texts_are_no_commands() {
        for text in ["", "hello", "my list of regrets", "complete the sentence", "add", "ä1"] {
            assert_eq!(parse(text), [], "{text}");
        }
    }
}
