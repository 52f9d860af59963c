//! What users attach to messages.

use serde_json::{Map, Value};

use crate::protocol::{Attachment, Timestamp, UserId};

/// What a user attached, or is about to attach, to a message.
#[derive(Clone, Debug, PartialEq)]
pub struct AttachmentRecord {
    /// As clients see it. Its thread is that of the message that it came with.
    pub attachment: Attachment,
    /// Whose it is.
    pub user_id: UserId,
    /// Private to the place of the files.
    pub metadata: Map<String, Value>,
    /// When it was announced.
    pub created_at: Timestamp,
}
