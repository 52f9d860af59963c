//! What the demo's model says when there is nothing to do.

use crate::demo::scripted_model::ModelCall;

/// Words of the user's text that are said back.
const ECHOED_WORDS: usize = 12;

/// The answer to a text that holds no command.
pub(super) fn answer(text: &str, call: &ModelCall) -> String {
    if text.to_lowercase().contains("long answer") {
        return LONG.to_owned();
    }
    let tasks = if call.offers("add_task") { TASKS } else { "" };
    let quote = match echo(text) {
        quote if quote.is_empty() => "You sent no text.".to_owned(),
        quote => format!("You wrote: “{quote}”."),
    };
    format!(
        "{quote}\n\nI am a **scripted model**: part of the gateway's demo, with fixed answers and no \
         understanding. Everything around me is real, though: this answer was streamed word by \
         word, and this thread is stored.\n\n{tasks}- *long answer* gives you something to stop, or \
         to reload the page in the middle of\n\nFor real answers, set `OPENAI_API_KEY` and start \
         `chatkit-gateway serve`."
    )
}

/// The answer to a command whose tool is not offered.
pub(super) fn without_tool(tool: &str) -> String {
    format!(
        "I understood that, but the tool for it, `{tool}`, was not offered to me in this request. \
         I am a **scripted model** and can only use what I am given."
    )
}

/// A title of two to five words, made of the user's own.
pub(super) fn title(text: &str) -> String {
    const POLITE: [&str; 8] = ["please", "can", "could", "you", "user", "me", "hello", "hi"];
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let words =
        line.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
    let is_wanted = |word: &&str| !word.is_empty();
    let words: Vec<_> = words
        .filter(is_wanted)
        .skip_while(|word| POLITE.contains(&word.to_lowercase().as_str()))
        .take(5)
        .collect();
    match words.as_slice() {
        [] => "A friendly hello".to_owned(),
        [word] => format!("About {word}"),
        words => capitalised(&words.join(" ")),
    }
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(characters).collect()
}

/// The beginning of the text, on one line.
fn echo(text: &str) -> String {
    let mut words = text.split_whitespace();
    let mut quote = words.by_ref().take(ECHOED_WORDS).collect::<Vec<_>>().join(" ");
    if words.next().is_some() {
        quote.push_str(" …");
    }
    quote
}

const TASKS: &str = "I keep a task list through the gateway's tools. Try:\n\n\
- *add a task buy milk* and *list my tasks*\n\
- *complete task 1*, *rename task 1 to buy oat milk*, *delete task 1*\n\
- several at once: *add a task run, add a task rest and list my tasks*\n";

/// Some 400 words.
const LONG: &str = "\
## How this answer reaches you

You asked for a long answer, so here is one. It comes from a **scripted model**, which means that \
every word of it was written beforehand; what is worth watching is not the text but its way to you.

When you pressed Enter, the page sent one request. The gateway checked who you are, looked whether \
the thread is yours, and then wrote three things to its database in a single transaction: your \
message, a run, and the key that makes a repeated request harmless. Only after that was the model \
asked. If the power had failed a moment later, your message would still be there.

The model answers over HTTP, as OpenAI's does. Each word arrives as a small event. The gateway \
takes it from the connection, appends it to the text of the run, and wakes whoever is watching. \
That is you, and perhaps the same thread in another tab. Every watcher has a position of its own, \
so a slow one delays nobody, and one that lost its connection goes on where it stopped.

Try it now:

1. Reload the page while these words are still coming. The answer goes on, and nothing is missing.
2. Open the thread in a second window. Both show the same text at the same time.
3. Press Stop. The connection to the model is closed within a second, and what was written stays.

Meanwhile, twice a second, the text so far is saved. A crash therefore costs at most half a second \
of words. After a restart the run is marked as interrupted, with its text, and the thread can be \
used at once. Nothing is asked again behind your back, because a model's answer costs money and a \
tool may already have acted.

When the last word has been said, the whole message is committed, and only then does the page hear \
that it is done. Whoever has seen that mark will find the message after any failure.

There are limits as well. A run may last a certain time, a user may have a certain number of them, \
and a model that falls silent is given up with an honest error instead of a spinner that never \
ends. The numbers are in the configuration, each with its unit.

That is all there is to say, and it should have taken about twenty seconds. Ask for *help* to see \
what else a scripted model can do, or put a real one in its place.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_have_two_to_five_words() {
        let cases = [
            ("please add a task buy milk and eggs", "Add a task buy milk"),
            ("Hello!", "A friendly hello"),
            ("User: tokio?", "About tokio"),
            ("", "A friendly hello"),
            ("what is rust", "What is rust"),
        ];
        for (text, expected) in cases {
            assert_eq!(title(text), expected);
        }
    }

    #[test]
    fn the_long_answer_is_long() {
        let words = LONG.split_whitespace().count();

        assert!((380..=460).contains(&words), "{words} words");
    }

    #[test]
    fn an_echo_is_short() {
        assert_eq!(echo("a  b\nc"), "a b c");
        assert!(echo(&"word ".repeat(100)).ends_with("word …"));
    }
}
