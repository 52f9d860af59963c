//! A script played into one object.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::time::sleep;

use super::{Step, Steps, wire::Wire};
use crate::upstream::FinishReason;

/// An answer that is no stream.
pub(super) enum Whole {
    /// The dialect's object.
    Object(Value),
    /// The script's own bytes.
    Raw(Bytes),
    /// An error: its code and its message.
    Error(String, String),
    /// The connection is to be closed without an answer.
    Cut,
}

/// Plays a script whose answer is no stream: the same steps, one object at the end.
pub(super) async fn play_whole(
    mut wire: Box<dyn Wire>,
    first: Option<Step>,
    mut steps: Steps,
) -> Whole {
    let mut frames = BytesMut::new();
    let mut raw = BytesMut::new();
    let mut next = first;
    while let Some(step) = next {
        match step {
            Step::Text(delta) => wire.text(&delta, &mut frames),
            Step::Reasoning(delta) => wire.reasoning(&delta, &mut frames),
            Step::Refusal(delta) => wire.refusal(&delta, &mut frames),
            Step::Call { name, arguments } => wire.call(&name, &arguments, &mut frames),
            Step::Item(item) => wire.item(&item, &mut frames),
            Step::Image { drafts, result } => wire.image(&drafts, result.as_deref(), &mut frames),
            Step::Pause(pause) => sleep(pause).await,
            Step::Raw(bytes) => raw.extend_from_slice(&bytes),
            Step::Hang => std::future::pending().await,
            Step::Cut => return Whole::Cut,
            Step::EndWithoutMark => return Whole::Raw(raw.freeze()),
            Step::Error { code, message } => return Whole::Error(code, message),
            Step::Finish(reason) => {
                wire.finish(reason, &mut frames);
                return Whole::Object(wire.whole());
            }
            Step::Status { .. } => {
                return Whole::Error(
                    "script_error".to_owned(),
                    format!("misplaced step: {step:?}"),
                );
            }
        }
        frames.clear();
        next = steps.next().await;
    }
    if !raw.is_empty() {
        return Whole::Raw(raw.freeze());
    }
    wire.finish(FinishReason::Complete, &mut frames);
    Whole::Object(wire.whole())
}
