//! What the gateway sent, and the SDK's judgement on it.

use std::{
    collections::BTreeMap,
    io::{Seek as _, Write as _},
    process::{Command, Stdio},
};

use serde::{Deserialize, Serialize};

use super::{program, python};

/// What the gateway sent, to be read by the SDK's types.
#[derive(Default)]
pub(crate) struct Sent {
    lines: Vec<Line>,
    /// Answers of another form than their requests have.
    odd: Vec<String>,
}

/// A text as it was sent.
#[derive(Serialize)]
struct Line {
    from: String,
    kind: &'static str,
    json: String,
}

/// The judgement.
#[derive(Debug, Deserialize)]
pub(crate) struct Report {
    /// How many texts there were.
    pub(crate) parsed: usize,
    /// What is wrong with them.
    pub(crate) problems: Vec<String>,
    /// The SDK's classes in them.
    pub(crate) seen: BTreeMap<String, usize>,
    /// The classes that might have been.
    pub(crate) unseen: Vec<String>,
}

impl Sent {
    /// The events of a stream.
    pub(crate) fn stream(&mut self, from: &str, body: &str) {
        for event in body.lines().filter_map(|line| line.strip_prefix("data: ")) {
            self.add(from, "event", event);
        }
    }

    /// The answer to a request of this type.
    pub(crate) fn answer(&mut self, from: &str, request: &str, body: &str) {
        let kind = match request {
            "threads.get_by_id" | "threads.update" => "thread",
            "threads.list" => "page_of_threads",
            "items.list" => "page_of_items",
            "threads.sync_custom_action" => "sync_action",
            "attachments.create" => "attachment",
            "input.transcribe" => "transcription",
            "threads.delete" | "items.feedback" | "attachments.delete" => {
                if body != "{}" {
                    self.odd.push(format!("{from}: {body}"));
                }
                return;
            }
            _ => return self.stream(from, body),
        };
        self.add(from, kind, body);
    }

    pub(crate) fn add(&mut self, from: &str, kind: &'static str, json: &str) {
        self.lines.push(Line { from: from.to_owned(), kind, json: json.to_owned() });
    }

    /// What another client was sent.
    pub(crate) fn add_all(&mut self, other: Self) {
        self.lines.extend(other.lines);
        self.odd.extend(other.odd);
    }

    /// Lets the SDK read all of it.
    pub(crate) fn judge(self) -> Report {
        let mut input = tempfile::tempfile().unwrap();
        for line in &self.lines {
            writeln!(input, "{}", serde_json::to_string(line).unwrap()).unwrap();
        }
        input.rewind().unwrap();

        let output = Command::new(python())
            .arg(program("parse.py"))
            .stdin(input)
            .stderr(Stdio::inherit())
            .output()
            .unwrap();

        let mut report: Report = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{}: no report: {error}", output.status));
        assert_eq!(report.parsed, self.lines.len());
        assert_eq!(output.status.success(), report.problems.is_empty());
        report.problems.extend(self.odd);
        report
    }
}

impl Report {
    /// What was read, for whoever looks at the test's output.
    pub(crate) fn figures(&self) -> String {
        let classes: Vec<String> =
            self.seen.iter().map(|(class, count)| format!("{class} {count}")).collect();
        format!("{} texts read; {}", self.parsed, classes.join(", "))
    }

    /// Fails with the problems, if there are any.
    pub(crate) fn assert_read(&self) {
        let shown = self.problems.join("\n");
        assert!(self.problems.is_empty(), "{} problems:\n{shown}", self.problems.len());
    }
}

/// A judge that finds nothing would prove nothing.
#[test]
#[ignore = "needs TEST_SDK_PYTHON"]
fn the_judge_notices_what_is_unknown_wrong_lost_added_or_out_of_order() {
    let notice = r#"{"type":"notice","level":"info","message":"hi","title":"t"}"#;
    let wrong = [
        ("no such type", notice.replace("notice", "remark")),
        ("no such level", notice.replace("info", "mild")),
        ("not strictly typed", notice.replace(r#""hi""#, "1")),
        ("an unknown member", notice.replace("title", "heading")),
        ("a null", notice.replace(r#""t""#, "null")),
        ("another order", r#"{"level":"info","type":"notice","message":"hi"}"#.to_owned()),
        ("a default left out", r#"{"type":"client_effect","name":"x"}"#.to_owned()),
    ];
    let mut sent = Sent::default();
    sent.stream("right", &format!(": comment\n\ndata: {notice}\n\n"));
    for (from, event) in &wrong {
        sent.add(from, "event", event);
    }

    let report = sent.judge();

    let noticed: Vec<&str> =
        report.problems.iter().map(|problem| problem.split(':').next().unwrap()).collect();
    assert_eq!(noticed, wrong.map(|(from, _)| from));
    assert_eq!(report.seen["NoticeEvent"], 4);
    assert!(report.unseen.contains(&"ThreadCreatedEvent".to_owned()));
}
