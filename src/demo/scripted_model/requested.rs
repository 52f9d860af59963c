//! A script that stands in the request, for tests and load generators in other processes.

use std::{fmt::Write as _, sync::Arc};

use async_stream::stream;
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{ModelCall, Script, Step, Steps, script::error_body};
use crate::upstream::{FinishReason, InputItem};

/// What is said when the request holds no script.
const GREETING: [&str; 6] = ["Hello", " from", " the", " scripted", " model", "."];

/// What fills a delta up to its size.
const FILLING: &str = "lorem ipsum dolor sit amet consectetur ";

/// Plays the script that the user's last message holds as JSON, `{"script": {…}}`, alone or within
/// a text; says a short greeting when there is none. A script that cannot be read is answered 400.
///
/// | member | unit, default | meaning |
/// |---|---|---|
/// | `deltas` | 1, with `text`, `refusal` or `calls` 0 | deltas of filling |
/// | `bytes` | 12 | size of each |
/// | `stamp` | `false` | each begins with `@NANOSECONDS@` of the clock, taken as it is sent |
/// | `text` | none | said after the filling, a word a delta |
/// | `interval_ms` | 0 | pause between two deltas; 0 sends them together |
/// | `first_delay_ms` | 0 | pause after the headers |
/// | `reasoning`, `refusal` | none | said before and after the text, a word a delta |
/// | `calls` | none | `[{"name", "arguments": {…}}]`, made at the end |
/// | `then` | `{"text": "Done."}` | the script of the turn that brings the calls' outputs |
/// | `fail` | none | `{"status", "code", "message", "retry_after"}`: an HTTP error, nothing else |
/// | `error` | none | `{"code", "message"}`: an error in the stream, after all deltas |
/// | `cut_after` | none | deltas after which the connection is cut; 0: without an answer |
/// | `hang_after` | none | deltas after which nothing comes |
/// | `end_after` | none | deltas after which the body ends without its terminal mark |
/// | `finish` | `stop` | `stop`, `length` or `content_filter` |
#[derive(Clone, Copy, Debug)]
pub struct RequestedScript {
    clock: fn() -> u64,
}

impl RequestedScript {
    /// Stamps are read from `clock`, in nanoseconds. Processes that compare stamps need the same
    /// clock, such as `CLOCK_MONOTONIC`.
    pub fn new(clock: fn() -> u64) -> Self {
        Self { clock }
    }
}

impl Script for RequestedScript {
    fn answer(&self, call: Arc<ModelCall>) -> Steps {
        if call.wants_title() {
            return Box::pin(stream::iter([Step::text("Scripted title")]));
        }
        match find_script(&call.last_user_text()) {
            Ok(Some(script)) => play(script.turn(count_outputs(&call)), self.clock),
            Ok(None) => Box::pin(stream::iter(GREETING.map(Step::text))),
            Err(error) => Box::pin(stream::iter([Step::status(
                400,
                "invalid_script",
                &format!("the script cannot be read: {error}"),
            )])),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    script: Requested,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Requested {
    deltas: Option<u64>,
    bytes: Option<usize>,
    stamp: bool,
    text: Option<String>,
    interval_ms: u64,
    first_delay_ms: u64,
    reasoning: Option<String>,
    refusal: Option<String>,
    calls: Vec<RequestedCall>,
    then: Option<Box<Requested>>,
    fail: Option<Failure>,
    error: Option<StreamError>,
    cut_after: Option<u64>,
    hang_after: Option<u64>,
    end_after: Option<u64>,
    finish: Finish,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestedCall {
    name: String,
    #[serde(default)]
    arguments: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Failure {
    status: u16,
    #[serde(default = "failure_code")]
    code: String,
    #[serde(default = "failure_message")]
    message: String,
    /// Seconds.
    retry_after: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamError {
    #[serde(default = "failure_code")]
    code: String,
    #[serde(default = "failure_message")]
    message: String,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Finish {
    #[default]
    Stop,
    Length,
    ContentFilter,
}

fn failure_code() -> String {
    "server_error".to_owned()
}

fn failure_message() -> String {
    "failed by the script".to_owned()
}

impl Requested {
    /// The script of the turn in which so many outputs have come.
    fn turn(self, outputs: usize) -> Self {
        match outputs.checked_sub(self.calls.len()) {
            Some(rest) if !self.calls.is_empty() => {
                let then = self.then.map_or_else(Self::done, |then| *then);
                then.turn(rest)
            }
            _ => self,
        }
    }

    fn done() -> Self {
        Self { text: Some("Done.".to_owned()), ..Self::default() }
    }

    /// How many deltas of filling there are.
    fn filling(&self) -> u64 {
        let says_else = self.text.is_some() || self.refusal.is_some() || !self.calls.is_empty();
        self.deltas.unwrap_or(u64::from(!says_else))
    }

    /// What ends the answer early after so many deltas.
    fn break_after(&self, deltas: u64) -> Option<Step> {
        if self.cut_after == Some(deltas) {
            Some(Step::Cut)
        } else if self.hang_after == Some(deltas) {
            Some(Step::Hang)
        } else if self.end_after == Some(deltas) {
            Some(Step::EndWithoutMark)
        } else {
            None
        }
    }

    /// What stands after the last delta.
    fn ending(&mut self) -> Vec<Step> {
        let calls = std::mem::take(&mut self.calls).into_iter();
        let mut steps: Vec<_> = calls
            .map(|call| Step::Call { name: call.name, arguments: json_text(call.arguments) })
            .collect();
        steps.push(match self.error.take() {
            Some(error) => Step::Error { code: error.code, message: error.message },
            None => Step::Finish(match self.finish {
                Finish::Stop => FinishReason::Complete,
                Finish::Length => FinishReason::Length,
                Finish::ContentFilter => FinishReason::ContentFilter,
            }),
        });
        steps
    }

    /// The deltas, made one by one so that each is stamped as it is sent.
    fn deltas(&self, clock: fn() -> u64) -> impl Iterator<Item = Step> + Send + use<> {
        let (bytes, stamp) = (self.bytes.unwrap_or(12), self.stamp);
        let filling =
            (0..self.filling()).map(move |_| Step::Text(filling_delta(bytes, stamp.then(clock))));
        words(self.reasoning.as_deref(), Step::Reasoning)
            .chain(filling)
            .chain(words(self.text.as_deref(), Step::Text))
            .chain(words(self.refusal.as_deref(), Step::Refusal))
    }
}

/// The steps of one turn.
fn play(mut script: Requested, clock: fn() -> u64) -> Steps {
    if let Some(failure) = &script.fail {
        return Box::pin(stream::iter([failure_step(failure)]));
    }
    Box::pin(stream! {
        if script.first_delay_ms > 0 {
            yield Step::pause_ms(script.first_delay_ms);
        }
        let mut deltas = script.deltas(clock);
        let mut sent = 0;
        loop {
            if let Some(end) = script.break_after(sent) {
                yield end;
                return;
            }
            if deltas.size_hint().0 == 0 {
                break;
            }
            // Paused before a delta is made, or its stamp would be older than its sending.
            if sent > 0 && script.interval_ms > 0 {
                yield Step::pause_ms(script.interval_ms);
            }
            let Some(delta) = deltas.next() else { break };
            yield delta;
            sent += 1;
        }
        for step in script.ending() {
            yield step;
        }
    })
}

fn failure_step(failure: &Failure) -> Step {
    let retry_after = failure.retry_after.map(|seconds| ("retry-after", seconds.to_string()));
    Step::Status {
        status: failure.status,
        headers: retry_after.into_iter().collect(),
        body: error_body(failure.status, &failure.code, &failure.message),
    }
}

/// Text in words, each with the blank before it.
fn words<F>(text: Option<&str>, step: F) -> impl Iterator<Item = Step> + Send + use<F>
where
    F: Fn(String) -> Step + Send,
{
    let words: Vec<_> = text.into_iter().flat_map(super::split_words).map(str::to_owned).collect();
    words.into_iter().map(step)
}

/// A delta of this size, or as large as its stamp.
fn filling_delta(bytes: usize, stamp: Option<u64>) -> String {
    let mut delta = String::with_capacity(bytes.max(24));
    if let Some(nanoseconds) = stamp {
        // Writing into a string cannot fail.
        let _ = write!(delta, "@{nanoseconds}@");
    }
    while delta.len() < bytes {
        let missing = bytes - delta.len();
        delta.push_str(&FILLING[..missing.min(FILLING.len())]);
    }
    delta
}

fn json_text(arguments: Map<String, Value>) -> String {
    Value::Object(arguments).to_string()
}

/// Outputs since the user's last message, of all turns.
fn count_outputs(call: &ModelCall) -> usize {
    let is_output = |item: &&InputItem| matches!(item, InputItem::FunctionCallOutput { .. });
    call.since_last_user().iter().filter(is_output).count()
}

/// The first object of the text whose first member is `script`.
fn find_script(text: &str) -> serde_json::Result<Option<Requested>> {
    let begins = |at: &usize| text[at + 1..].trim_start().starts_with("\"script\"");
    let Some(at) = text.match_indices('{').map(|(at, _)| at).find(begins) else { return Ok(None) };
    let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Envelope>();
    Ok(values.next().transpose()?.map(|envelope| envelope.script))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_found_within_a_text() {
        let script = find_script("please {} play { \"script\": {\"deltas\": 7}} now").unwrap();

        assert_eq!(script.unwrap().filling(), 7);
    }

    #[test]
    fn an_unknown_member_is_named() {
        let error = find_script(r#"{"script":{"delats":1}}"#).unwrap_err();

        assert!(error.to_string().contains("unknown field `delats`"), "{error}");
    }

    #[test]
    fn turns_are_counted_by_outputs() {
        let text = r#"{"script":{"calls":[{"name":"a"},{"name":"b"}],"then":{"text":"end"}}}"#;
        let script = || find_script(text).unwrap().unwrap();

        assert_eq!(script().turn(0).calls.len(), 2);
        assert_eq!(script().turn(1).calls.len(), 2);
        assert_eq!(script().turn(2).text.as_deref(), Some("end"));
        assert_eq!(script().turn(2).turn(0).text.as_deref(), Some("end"));
    }

    #[test]
    fn deltas_have_their_size_and_their_stamp() {
        assert_eq!(filling_delta(100, None).len(), 100);
        assert_eq!(filling_delta(12, Some(123)), "@123@lorem i");
        assert_eq!(filling_delta(2, Some(123)), "@123@");
    }
}
