//! What a ChatKit page posts: sixteen requests, told apart by `type`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    AttachmentId, ItemId, Order, ThreadId,
    item::{InferenceOptions, StructuredAnswer, UserContent},
};

/// A request. `metadata` is integration data and not read.
#[derive(Clone, Debug, PartialEq, Deserialize, ToSchema)]
#[serde(tag = "type", content = "params")]
pub enum ChatKitRequest {
    /// A new thread with its first message. Answers a stream.
    #[serde(rename = "threads.create")]
    ThreadsCreate {
        /// The message.
        input: UserMessageInput,
    },
    /// A message. Answers a stream.
    #[serde(rename = "threads.add_user_message")]
    ThreadsAddUserMessage {
        /// The message.
        input: UserMessageInput,
        /// Where to.
        thread_id: ThreadId,
    },
    /// What a client tool gave. Answers a stream.
    #[serde(rename = "threads.add_client_tool_output")]
    ThreadsAddClientToolOutput {
        /// Which thread; its newest item is the call.
        thread_id: ThreadId,
        /// Any JSON, `null` too, but not absent.
        result: Value,
    },
    /// The answers to a structured input. Answers a stream.
    #[serde(rename = "threads.add_structured_input")]
    ThreadsAddStructuredInput {
        /// Which thread.
        thread_id: ThreadId,
        /// Which structured input.
        item_id: ItemId,
        /// The answers.
        input: StructuredInputSubmission,
    },
    /// Delete what follows a user message and answer it anew. Answers a stream.
    #[serde(rename = "threads.retry_after_item")]
    ThreadsRetryAfterItem {
        /// Which thread.
        thread_id: ThreadId,
        /// Which user message.
        item_id: ItemId,
    },
    /// Something was done with a widget. Answers a stream.
    #[serde(rename = "threads.custom_action")]
    ThreadsCustomAction(CustomAction),
    /// Something was done with a widget that can be answered at once. Answers JSON.
    #[serde(rename = "threads.sync_custom_action")]
    ThreadsSyncCustomAction(CustomAction),
    /// A thread with its first items. Answers JSON.
    #[serde(rename = "threads.get_by_id")]
    ThreadsGetById {
        /// Which thread.
        thread_id: ThreadId,
    },
    /// The caller's threads. Answers JSON.
    #[serde(rename = "threads.list")]
    ThreadsList(ListParams),
    /// A new title. Answers JSON.
    #[serde(rename = "threads.update")]
    ThreadsUpdate {
        /// Which thread.
        thread_id: ThreadId,
        /// The title.
        title: String,
    },
    /// Delete a thread. Answers JSON.
    #[serde(rename = "threads.delete")]
    ThreadsDelete {
        /// Which thread.
        thread_id: ThreadId,
    },
    /// A thread's items. Answers JSON.
    #[serde(rename = "items.list")]
    ItemsList {
        /// Which thread.
        thread_id: ThreadId,
        /// Which page.
        #[serde(flatten)]
        page: ListParams,
    },
    /// A thumb up or down. Answers JSON.
    #[serde(rename = "items.feedback")]
    ItemsFeedback {
        /// Which thread.
        thread_id: ThreadId,
        /// Which items.
        item_ids: Vec<ItemId>,
        /// Up or down.
        kind: FeedbackKind,
    },
    /// Announce an upload. Answers JSON.
    #[serde(rename = "attachments.create")]
    AttachmentsCreate {
        /// File name.
        name: String,
        /// Bytes.
        #[serde(deserialize_with = "lenient_integer")]
        size: i64,
        /// Media type.
        mime_type: String,
    },
    /// Delete an attachment. Answers JSON.
    #[serde(rename = "attachments.delete")]
    AttachmentsDelete {
        /// Which attachment.
        attachment_id: AttachmentId,
    },
    /// Speech to text. Answers JSON.
    #[serde(rename = "input.transcribe")]
    InputTranscribe {
        /// The recording.
        audio_base64: String,
        /// Its media type, parameters included.
        mime_type: String,
    },
}

/// A message as the composer sends it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UserMessageInput {
    /// Text and tags in order.
    pub content: Vec<UserContent>,
    /// What comes with it.
    pub attachments: Vec<AttachmentId>,
    /// The part of an earlier message that it answers.
    #[serde(default)]
    pub quoted_text: Option<String>,
    /// The user's choice of model and tool.
    pub inference_options: InferenceOptions,
}

/// The answers to a structured input.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
pub struct StructuredInputSubmission {
    /// Answered or skipped as a whole.
    #[serde(default)]
    pub status: SubmissionStatus,
    /// By question.
    #[serde(default)]
    pub answers: BTreeMap<String, StructuredAnswer>,
}

/// Answered or skipped as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SubmissionStatus {
    /// Answered.
    #[default]
    Answered,
    /// Skipped.
    Skipped,
}

/// Something that was done with a widget, or by the page itself.
#[derive(Clone, Debug, PartialEq, Deserialize, ToSchema)]
pub struct CustomAction {
    /// Which thread.
    pub thread_id: ThreadId,
    /// The widget's item, absent for an action of the page. The empty string counts as absent.
    #[serde(default, deserialize_with = "empty_as_absent")]
    pub item_id: Option<ItemId>,
    /// What was done.
    pub action: Action,
}

/// What was done with a widget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Action {
    /// The application's name for it.
    #[serde(rename = "type")]
    pub kind: String,
    /// The application's data.
    #[serde(default)]
    pub payload: Value,
}

/// Which page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
pub struct ListParams {
    /// How many; absent, `null` and numbers below 1 mean the default.
    #[serde(default, deserialize_with = "lenient_optional_integer")]
    pub limit: Option<i64>,
    /// In which direction.
    #[serde(default)]
    pub order: Order,
    /// The last entry of the page before.
    #[serde(default)]
    pub after: Option<String>,
}

impl ListParams {
    /// The cursor; an empty one is none.
    pub fn after(&self) -> Option<&str> {
        self.after.as_deref().filter(|after| !after.is_empty())
    }
}

/// Up or down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FeedbackKind {
    /// Thumb up.
    Positive,
    /// Thumb down.
    Negative,
}

impl FeedbackKind {
    /// As it stands in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Positive => "positive",
            Self::Negative => "negative",
        }
    }
}

/// The SDK takes numbers in strings for integers, and so do we.
#[derive(Deserialize)]
#[serde(untagged)]
enum Lenient {
    Number(i64),
    Text(String),
}

impl Lenient {
    fn read<E: de::Error>(self) -> Result<i64, E> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Text(text) => text.trim().parse().map_err(|_| E::custom("not an integer")),
        }
    }
}

fn lenient_integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    Lenient::deserialize(deserializer).map_err(|_| de::Error::custom("not an integer"))?.read()
}

fn lenient_optional_integer<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<i64>, D::Error> {
    Option::<Lenient>::deserialize(deserializer)
        .map_err(|_| de::Error::custom("not an integer"))?
        .map(Lenient::read)
        .transpose()
}

fn empty_as_absent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ItemId>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.is_empty()).map(|text| ItemId::parse_or_unknown(&text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<ChatKitRequest, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn unknown_members_are_ignored_and_metadata_may_be_absent() {
        let request =
            read(r#"{"x":1,"type":"threads.list","params":{"limit":"9999","y":{},"after":null}}"#);

        let ChatKitRequest::ThreadsList(page) = request.unwrap() else { panic!("another type") };
        assert_eq!(page, ListParams { limit: Some(9999), order: Order::Desc, after: None });
    }

    #[test]
    fn params_are_required_even_if_all_in_them_is_optional() {
        assert!(read(r#"{"type":"threads.list"}"#).is_err());
    }

    #[test]
    fn a_null_client_tool_result_is_a_result() {
        let json =
            r#"{"type":"threads.add_client_tool_output","params":{"thread_id":"t","result":null}}"#;

        assert!(read(json).is_ok());
        assert!(read(&json.replace(r#","result":null"#, "")).is_err());
    }
}
