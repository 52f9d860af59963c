//! Every recording, and what the gateway does with it.

/// What the gateway does with a flow.
#[derive(Clone, Copy)]
pub(crate) enum State {
    /// The same answer and the same stored items.
    Equal,
    /// Another result on purpose; `docs/differences.md` says more.
    Different { reason: &'static str, expected: Expected },
}

/// A result that differs from the recorded one on purpose.
#[derive(Clone, Copy)]
pub(crate) enum Expected {
    /// An error before the first byte, and nothing stored.
    Refused { status: u16, code: &'static str },
    /// The recorded answer and the recorded store but for these changes.
    Changed(Changes),
}

/// Changes of what was recorded, in the form in which it is compared.
#[derive(Clone, Copy, Default)]
pub(crate) struct Changes {
    /// Widgets are as the agent gave them.
    pub(crate) widgets_as_given: bool,
    /// In the answer.
    pub(crate) answer: &'static [Change],
    /// In the store; see `Play::stored` for its form.
    pub(crate) store: &'static [Change],
}

/// One change. The text that it goes by stands there once, so that a stale change is noticed.
#[derive(Clone, Copy)]
pub(crate) enum Change {
    /// The line with this text is gone.
    Without(&'static str),
    /// The line with this text is the last.
    AtEnd(&'static str),
    /// Another line stands in place of the one with this text.
    Instead(&'static str, &'static str),
    /// A further line stands before the one with this text.
    Before(&'static str, &'static str),
    /// A further line stands at the end.
    Added(&'static str),
}

use Change::{Added, AtEnd, Before, Instead, Without};
use State::Equal;

const NONE: Changes = Changes { widgets_as_given: false, answer: &[], store: &[] };

/// The line with which the message of a model run begins.
const FIRST_MESSAGE: &str = r#""type":"assistant_message","content":[]}"#;

/// Widgets come back as they were given.
const WIDGETS_AS_GIVEN: State = changed(
    "widgets are sent and kept as they are given",
    Changes { widgets_as_given: true, ..NONE },
);
const UNKNOWN_THREAD: State = refused("an unknown thread is not found", 404, "not_found");
const UNKNOWN_ITEM: State = refused("an unknown item is not found", 404, "not_found");
const WRONG_ITEM: State = refused("an item of another kind is told so", 400, "invalid_request");
const NOT_PENDING: State =
    refused("an answer to what does not wait for one is refused", 409, "not_pending");
const NOT_SUPPORTED: State =
    refused("what the server does not support is told so", 400, "not_supported");
const INVALID: State = refused("an invalid request is told so", 400, "invalid_request");

const fn refused(reason: &'static str, status: u16, code: &'static str) -> State {
    State::Different { reason, expected: Expected::Refused { status, code } }
}

const fn changed(reason: &'static str, changes: Changes) -> State {
    State::Different { reason, expected: Expected::Changed(changes) }
}

impl Changes {
    /// The recorded lines with changes made.
    pub(crate) fn make(changes: &[Change], recorded: &str) -> String {
        let mut lines: Vec<&str> = recorded.lines().collect();
        for change in changes {
            match change {
                Without(text) => {
                    lines.remove(place(&lines, text));
                }
                AtEnd(text) => {
                    let line = lines.remove(place(&lines, text));
                    lines.push(line);
                }
                Instead(text, line) => {
                    let place = place(&lines, text);
                    lines[place] = line;
                }
                Before(text, line) => lines.insert(place(&lines, text), line),
                Added(line) => lines.push(line),
            }
        }
        lines.join("\n")
    }
}

fn place(lines: &[&str], text: &str) -> usize {
    let places: Vec<usize> = (0..lines.len()).filter(|line| lines[*line].contains(text)).collect();
    assert_eq!(places.len(), 1, "a change that fits nowhere, or twice: {text}");
    places[0]
}

/// All of them.
pub(crate) const FLOWS: &[(&str, State)] = &[
    ("01-create-thread-simple", Equal),
    ("02-create-thread-token-stream", Equal),
    ("03-add-user-message-rich", Equal),
    ("04-add-user-message-no-output", Equal),
    ("05-title-set-mid-stream", Equal),
    ("06-thread-metadata-only-change", Equal),
    ("07-thread-locked-then-closed", Equal),
    ("08-locked-thread-still-answers", Equal),
    ("09-side-events", Equal),
    ("10-no-cancel-option", Equal),
    ("11-workflow-all-task-kinds", Equal),
    ("12-workflow-duration-and-task-item", Equal),
    ("13-widget-static", WIDGETS_AS_GIVEN),
    ("14-widget-stream-text", WIDGETS_AS_GIVEN),
    ("14b-widget-stream-text-done-flag", WIDGETS_AS_GIVEN),
    ("14c-widget-stream-text-without-id", Equal),
    ("15-widget-stream-root-replaced", WIDGETS_AS_GIVEN),
    ("16-widget-component-updated", WIDGETS_AS_GIVEN),
    ("17-generated-image", Equal),
    ("18-client-tool-1-call", Equal),
    ("19-client-tool-2-output", Equal),
    ("20-client-tool-output-null", Equal),
    ("21-client-tool-output-not-pending", NOT_PENDING),
    ("22-client-tool-output-older-pending-removed", Equal),
    (
        "23-user-message-while-tool-pending",
        changed(
            "a client tool call does not wait for ever once the user has moved on",
            Changes {
                store: &[Instead(
                    r#""status":"pending""#,
                    r#"{"id":"tc_1","thread_id":"thr_a","created_at":"2025-03-04T05:00:03.100000Z","type":"client_tool_call","status":"completed","call_id":"call_1","name":"get_selection","arguments":{"scope":"page","max":null},"output":{"error":"The user went on without waiting for the result."}}"#,
                )],
                ..NONE
            },
        ),
    ),
    ("24-structured-input-1-ask", Equal),
    ("25-structured-input-2-answered", Equal),
    ("26-structured-input-3-skipped", Equal),
    ("27-structured-input-not-pending", NOT_PENDING),
    ("28-structured-input-wrong-item", WRONG_ITEM),
    ("29-retry-after-item", Equal),
    ("30-retry-not-a-user-message", WRONG_ITEM),
    ("31-retry-unknown-item", UNKNOWN_ITEM),
    ("32-custom-action-widget", WIDGETS_AS_GIVEN),
    ("33-custom-action-no-sender", Equal),
    ("34-custom-action-not-a-widget", WRONG_ITEM),
    ("35-custom-action-not-supported", Equal),
    ("36-custom-action-unknown-item", UNKNOWN_ITEM),
    (
        "37-sync-custom-action",
        changed(
            "the widget that answers an action at once is kept",
            Changes {
                widgets_as_given: true,
                store: &[Instead(
                    r#""value":"Packing""#,
                    r#"{"id":"msg_w1","thread_id":"thr_a","created_at":"2025-03-04T05:00:03.100000Z","type":"widget","widget":{"type":"Card","id":"root","size":"md","children":[{"type":"Title","value":"Order 7"},{"type":"Text","id":"status","value":"On","streaming":false},{"type":"Button","label":"Cancel","onClickAction":{"type":"order.cancel","payload":{"order":7},"handler":"server","loadingBehavior":"auto","streaming":true}}]},"copy_text":"Order 7: packing"}"#,
                )],
                ..NONE
            },
        ),
    ),
    ("38-sync-custom-action-empty", WIDGETS_AS_GIVEN),
    ("39-sync-custom-action-not-a-widget", WRONG_ITEM),
    ("40-feedback", refused("feedback on an unknown item is refused", 404, "not_found")),
    ("41-feedback-unknown-thread", UNKNOWN_THREAD),
    ("42-cancel-mid-message", changed("only a cancel stops a run, no lost connection does", NONE)),
    (
        "43-cancel-widget-workflow-pending",
        changed(
            "only a cancel stops a run; a workflow with tasks is kept, its tools may have acted",
            Changes {
                widgets_as_given: true,
                store: &[Before(
                    r#""type":"sdk_hidden_context""#,
                    r#"{"id":"wf_x1","thread_id":"thr_a","created_at":"2025-03-04T05:07:00.000001Z","type":"workflow","workflow":{"type":"custom","tasks":[{"status_indicator":"complete","type":"custom","title":"Read","icon":"document","content":"read *it*"}],"expanded":true}}"#,
                )],
                ..NONE
            },
        ),
    ),
    ("44-error-stream-error", Equal),
    ("45-error-stream-error-no-retry", Equal),
    ("46-error-custom", Equal),
    (
        "47-error-unexpected",
        changed(
            "an error is the last event; a partial answer is kept when the agent fails",
            Changes {
                answer: &[AtEnd(r#"data: {"type":"error""#)],
                store: &[Added(
                    r#"{"id":"msg_x1","thread_id":"thr_a","created_at":"2025-03-04T05:07:00.000001Z","type":"assistant_message","content":[{"annotations":[],"text":"Half","type":"output_text"}]}"#,
                )],
                ..NONE
            },
        ),
    ),
    ("48-item-removed-and-replaced", Equal),
    (
        "49-hidden-context-events",
        changed(
            "hidden items in added and replaced are held back",
            Changes {
                answer: &[
                    Without(r#"{"type":"thread.item.added","item":{"id":"msg_h2""#),
                    Without(r#"{"type":"thread.item.replaced","item":{"id":"msg_h2""#),
                ],
                ..NONE
            },
        ),
    ),
    ("50-get-thread-by-id", Equal),
    ("51-get-thread-hidden-filtered", WIDGETS_AS_GIVEN),
    ("52-get-thread-unknown", UNKNOWN_THREAD),
    ("53-list-threads-default", Equal),
    ("54-list-threads-next-page", Equal),
    ("55-list-threads-last-page", Equal),
    ("56-list-threads-empty", Equal),
    ("57-list-threads-limit-zero", Equal),
    ("58-list-items-default", Equal),
    ("59-list-items-page", Equal),
    ("60-list-items-unknown-thread", UNKNOWN_THREAD),
    ("61-update-thread", Equal),
    ("62-delete-thread", Equal),
    ("63-delete-thread-unknown", UNKNOWN_THREAD),
    ("64-attachment-create-file", Equal),
    ("65-attachment-create-image", Equal),
    ("66-attachment-create-not-configured", NOT_SUPPORTED),
    ("67-attachment-delete", Equal),
    (
        "68-attachment-unknown-in-message",
        refused("an unknown attachment is not found, and no thread is left", 404, "not_found"),
    ),
    ("69-transcribe", Equal),
    ("70-transcribe-not-implemented", NOT_SUPPORTED),
    ("71-bad-json", INVALID),
    ("72-unknown-type", INVALID),
    ("73-missing-type", INVALID),
    ("74-missing-params", INVALID),
    ("75-missing-field", INVALID),
    ("76-bad-enum", INVALID),
    ("77-unknown-thread-stream", UNKNOWN_THREAD),
    ("78-extra-fields-ignored", Equal),
    ("80-bridge-text-and-citations", Equal),
    ("81-bridge-reasoning-workflow", Equal),
    ("82-bridge-image-generation", Equal),
    ("83-bridge-client-tool-call", Equal),
    (
        "84-bridge-web-and-file-search-ignored",
        changed(
            "the provider's searches are shown as tasks of a workflow",
            Changes {
                answer: &[
                    Before(
                        FIRST_MESSAGE,
                        r#"data: {"type":"thread.item.added","item":{"id":"new-workflow","thread_id":"thr_a","created_at":"now","type":"workflow","workflow":{"type":"custom","tasks":[],"expanded":false}}}"#,
                    ),
                    Before(
                        FIRST_MESSAGE,
                        r#"data: {"type":"thread.item.updated","item_id":"new-workflow","update":{"type":"workflow.task.added","task_index":0,"task":{"status_indicator":"loading","type":"web_search","title_query":"acme","queries":["acme"],"sources":[]}}}"#,
                    ),
                    Before(
                        FIRST_MESSAGE,
                        r#"data: {"type":"thread.item.updated","item_id":"new-workflow","update":{"type":"workflow.task.updated","task_index":0,"task":{"status_indicator":"complete","type":"web_search","title_query":"acme","queries":["acme"],"sources":[]}}}"#,
                    ),
                    Before(
                        FIRST_MESSAGE,
                        r#"data: {"type":"thread.item.updated","item_id":"new-workflow","update":{"type":"workflow.task.added","task_index":1,"task":{"status_indicator":"loading","type":"file","title":"acme","sources":[]}}}"#,
                    ),
                    Before(
                        FIRST_MESSAGE,
                        r#"data: {"type":"thread.item.done","item":{"id":"new-workflow","thread_id":"thr_a","created_at":"now","type":"workflow","workflow":{"type":"custom","tasks":[{"status_indicator":"complete","type":"web_search","title_query":"acme","queries":["acme"],"sources":[]},{"status_indicator":"complete","type":"file","title":"acme","sources":[]}],"summary":{"duration":1},"expanded":false}}}"#,
                    ),
                ],
                store: &[Before(
                    r#""text":"Hello","type":"output_text""#,
                    r#"{"id":"new-workflow","thread_id":"thr_a","created_at":"now","type":"workflow","workflow":{"type":"custom","tasks":[{"status_indicator":"complete","type":"web_search","title_query":"acme","queries":["acme"],"sources":[]},{"status_indicator":"complete","type":"file","title":"acme","sources":[]}],"summary":{"duration":1},"expanded":false}}"#,
                )],
                ..NONE
            },
        ),
    ),
    (
        "85-bridge-refusal",
        changed(
            "a refusal is text like any other, and streamed like it",
            Changes {
                answer: &[
                    Before(
                        r#""text":"I can't.""#,
                        r#"data: {"type":"thread.item.updated","item_id":"new-2","update":{"type":"assistant_message.content_part.text_delta","content_index":0,"delta":"I can't"}}"#,
                    ),
                    Before(
                        r#""type":"thread.item.done","item":{"id":"new-2""#,
                        r#"data: {"type":"thread.item.updated","item_id":"new-2","update":{"type":"assistant_message.content_part.done","content_index":0,"content":{"annotations":[],"text":"I can't.","type":"output_text"}}}"#,
                    ),
                ],
                ..NONE
            },
        ),
    ),
    ("86-bridge-guardrail", Equal),
    ("87-bridge-tool-events", WIDGETS_AS_GIVEN),
    ("88-bridge-explicit-workflow", Equal),
    ("89-bridge-workflow-left-open", Equal),
    (
        "90-bridge-workflow-resumed",
        changed(
            "a workflow that is gone on with stays one item, in its place",
            Changes {
                store: &[
                    Without(r#""content":"Only thought."}],"expanded""#),
                    Without(r#""content":"More.""#),
                    Before(
                        r#""type":"client_tool_call""#,
                        r#"{"id":"wf_1","thread_id":"thr_a","created_at":"2025-03-04T05:05:50.678901Z","type":"workflow","workflow":{"type":"reasoning","tasks":[{"status_indicator":"none","type":"thought","content":"Only thought."},{"status_indicator":"none","type":"thought","content":"More."}],"summary":{"duration":11},"expanded":false}}"#,
                    ),
                ],
                ..NONE
            },
        ),
    ),
    (
        "91-bridge-run-fails",
        changed(
            "a partial answer is kept when the run fails",
            Changes {
                store: &[Added(
                    r#"{"id":"new-2","thread_id":"thr_a","created_at":"now","type":"assistant_message","content":[{"annotations":[],"text":"Hello","type":"output_text"}]}"#,
                )],
                ..NONE
            },
        ),
    ),
    ("a1-input-text-turns", Equal),
    ("a2-input-tags-quote-attachments", Equal),
    (
        "a3-input-tag-without-converter",
        changed("a tag needs no converter: the model is told its id, name and data", NONE),
    ),
    ("a4-input-tools-hidden-misc", WIDGETS_AS_GIVEN),
    (
        "a5-input-hidden-not-text",
        changed("hidden context needs no converter: the model is told its JSON", NONE),
    ),
];
