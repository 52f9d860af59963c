//! ChatKit's wire format as serde types. No I/O, no rules: a leaf that every other part uses.
//!
//! The reference is the official Python server SDK, openai-chatkit 1.6.5. Three conventions hold
//! throughout:
//!
//! - **Member order is the SDK's**, so that an answer can be compared byte for byte.
//! - **Absent members are omitted**, never sent as `null`; defaults (`[]`, `{}`, `false`) are sent.
//! - **Unknown members are ignored** on reading, at every level.
//!
//! | module | holds |
//! |---|---|
//! | [`request`] | what a ChatKit page posts |
//! | [`event`] | what a stream answers: events and item updates |
//! | [`thread`], [`item`], [`annotation`], [`workflow`], [`attachment`] | the objects in them |
//! | [`claims`] | what a login says of its user |
//! | [`confirmation`] | the widget that asks whether a tool may be called |
//! | [`page`], [`id`], [`time`] | paging, identifiers, timestamps |

pub mod annotation;
pub mod attachment;
pub mod claims;
pub mod confirmation;
pub mod event;
pub mod id;
pub mod item;
pub mod page;
pub mod request;
pub mod thread;
pub mod time;
pub mod workflow;

pub use annotation::{Annotation, Source};
pub use attachment::Attachment;
pub use claims::Claims;
pub use event::{ItemUpdate, ThreadEvent};
pub use id::{AttachmentId, ItemId, RunId, ThreadId, UserId};
pub use item::{ItemKind, ThreadItem};
pub use page::{Order, Page};
pub use request::ChatKitRequest;
pub use thread::{Thread, ThreadStatus};
pub use time::Timestamp;
pub use workflow::{Task, Workflow};
