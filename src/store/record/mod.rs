//! What goes into the store and comes out of it. Plain data: ids and times are made by the caller.

mod acceptance;
mod attachment;
mod expiry;
mod item;
mod run;
mod session;
mod task;
mod thread;
mod token_use;
mod tool_call;

pub use acceptance::{Begun, ExpectedItem, IdempotencyKey, NewRun, RunThread};
pub use attachment::AttachmentRecord;
pub use expiry::Expiry;
pub use item::{History, ItemRecord, ItemStatus, ItemWrite};
pub use run::{
    EventChunk, Lease, RunEnd, RunError, RunRecord, RunStatus, RunWrite, StopRequest, Usage,
    WriteOutcome,
};
pub use session::SessionRecord;
pub use task::{NewTask, TaskFilter, TaskPatch, TaskRecord};
pub use thread::{NewThread, ThreadPatch, ThreadRecord};
pub use token_use::{Day, TokensUsed};
pub use tool_call::{GIVEN_UP, ToolCallRecord, ToolCallState};
