//! What several routes take: parts of the path, headers.
//!
//! For the description alone: the handlers read them by extractors of their own, which answer what is
//! malformed as what does not exist.

#![expect(dead_code, reason = "the members are described, not read")]

use utoipa::IntoParams;

use crate::protocol::{RunId, ThreadId};

/// The stream of a short answer, as it is sent.
pub(in crate::http) const STREAM_EXAMPLE: &str = concat!(
    "id: 01a2063c-9428-72ea-96dd-12474326a050:11\n",
    r#"data: {"type":"thread.item.updated","item_id":"01a2063c-947d-732e-9e60-836b0da6cc6f","#,
    r#""update":{"type":"assistant_message.content_part.text_delta","content_index":0,"delta":"Added"}}"#,
    "\n\n",
);

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct ThreadPath {
    /// The thread.
    id: ThreadId,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct RunPath {
    /// The run.
    id: RunId,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct UserPath {
    /// The caller.
    user_id: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct TaskPath {
    /// The caller.
    user_id: String,
    /// The task's number.
    id: i64,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(in crate::http) struct IdempotencyHeader {
    /// Makes a retry safe: for 24 h the same key with the same body gives the run that the first
    /// request made.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 255, pattern = "^[!-~]+$")]
    idempotency_key: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(in crate::http) struct OwnClientHeader {
    /// From a client that turns Stop into the cancel request: the stream has ids, and offers Stop.
    #[param(rename = "ChatKit-Gateway-Client")]
    client: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(in crate::http) struct LastEventHeader {
    /// The `id` of the last event that was seen: `RUN_ID:SEQ` of this run, or `SEQ` alone.
    #[param(rename = "Last-Event-ID", pattern = "^([0-9a-f-]{36}:)?[0-9]{1,19}$")]
    last_event_id: Option<String>,
}
