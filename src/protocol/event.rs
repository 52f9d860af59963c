//! What a stream answers: events, and the updates of items that some of them carry.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{Annotation, ItemId, Task, Thread, ThreadItem, item};

/// An event of a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type")]
pub enum ThreadEvent {
    /// The thread exists now.
    #[serde(rename = "thread.created")]
    ThreadCreated {
        /// The thread, without its items.
        thread: Box<Thread>,
    },
    /// Title, status or something private of the thread changed.
    #[serde(rename = "thread.updated")]
    ThreadUpdated {
        /// The thread, without its items.
        thread: Box<Thread>,
    },
    /// An item begins. Not yet stored.
    #[serde(rename = "thread.item.added")]
    ItemAdded {
        /// The item as far as it is.
        item: Box<ThreadItem>,
    },
    /// An item grows.
    #[serde(rename = "thread.item.updated")]
    ItemUpdated {
        /// Which item.
        item_id: ItemId,
        /// What changes.
        update: ItemUpdate,
    },
    /// An item is complete, and stored: whoever sees this finds it after any crash.
    #[serde(rename = "thread.item.done")]
    ItemDone {
        /// The whole item.
        item: Box<ThreadItem>,
    },
    /// An item is gone.
    #[serde(rename = "thread.item.removed")]
    ItemRemoved {
        /// Which item.
        item_id: ItemId,
    },
    /// An item has another content now.
    #[serde(rename = "thread.item.replaced")]
    ItemReplaced {
        /// The whole item.
        item: Box<ThreadItem>,
    },
    /// How the page may treat the stream.
    #[serde(rename = "stream_options")]
    StreamOptions {
        /// The options.
        stream_options: StreamOptions,
    },
    /// A line that says what is going on; the next event replaces it.
    #[serde(rename = "progress_update")]
    ProgressUpdate {
        /// A ChatKit icon.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        icon: Option<String>,
        /// The line.
        text: String,
    },
    /// Something that the page shall do, without an answer.
    #[serde(rename = "client_effect")]
    ClientEffect {
        /// Which effect.
        name: String,
        /// Its arguments.
        #[serde(default)]
        data: Map<String, Value>,
    },
    /// A banner.
    #[serde(rename = "notice")]
    Notice {
        /// How serious it is.
        level: NoticeLevel,
        /// Markdown.
        message: String,
        /// Heading.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
    },
    /// The turn went wrong.
    #[serde(rename = "error")]
    Error(ErrorEvent),
}

/// How the page may treat the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StreamOptions {
    /// Whether a Stop button is shown.
    pub allow_cancel: bool,
}

/// How serious a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NoticeLevel {
    /// Good to know.
    Info,
    /// Worth a thought.
    Warning,
    /// Serious.
    Danger,
}

/// The turn went wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorEvent {
    /// Whether the client shows a text of its own.
    #[serde(default)]
    pub code: ErrorCode,
    /// Shown with the code `custom`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Whether a retry button is shown.
    #[serde(default)]
    pub allow_retry: bool,
}

/// Whether the client shows a text of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum ErrorCode {
    /// Yes, in the user's language.
    #[serde(rename = "stream.error")]
    StreamError,
    /// No: the message of the event.
    #[default]
    #[serde(rename = "custom")]
    Custom,
}

/// How an item grows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type")]
pub enum ItemUpdate {
    /// An assistant message has a further part.
    #[serde(rename = "assistant_message.content_part.added")]
    ContentPartAdded {
        /// Which part.
        content_index: usize,
        /// The part.
        content: Box<item::AssistantContent>,
    },
    /// Text of an assistant message.
    #[serde(rename = "assistant_message.content_part.text_delta")]
    TextDelta {
        /// Which part.
        content_index: usize,
        /// To be appended.
        delta: String,
    },
    /// A citation in an assistant message.
    #[serde(rename = "assistant_message.content_part.annotation_added")]
    AnnotationAdded {
        /// Which part.
        content_index: usize,
        /// Which citation of the part.
        annotation_index: usize,
        /// The citation.
        annotation: Box<Annotation>,
    },
    /// A part of an assistant message is complete.
    #[serde(rename = "assistant_message.content_part.done")]
    ContentPartDone {
        /// Which part.
        content_index: usize,
        /// The whole part.
        content: Box<item::AssistantContent>,
    },
    /// Text of a widget.
    #[serde(rename = "widget.streaming_text.value_delta")]
    WidgetTextDelta {
        /// Which component.
        component_id: String,
        /// To be appended.
        delta: String,
        /// Whether it is the last.
        done: bool,
    },
    /// A widget is another now.
    #[serde(rename = "widget.root.updated")]
    WidgetRootUpdated {
        /// The whole widget.
        widget: Value,
    },
    /// A component of a widget is another now.
    #[serde(rename = "widget.component.updated")]
    WidgetComponentUpdated {
        /// Which component.
        component_id: String,
        /// The whole component.
        component: Value,
    },
    /// A workflow has a further task.
    #[serde(rename = "workflow.task.added")]
    WorkflowTaskAdded {
        /// Its place.
        task_index: usize,
        /// The task.
        task: Task,
    },
    /// A task of a workflow is another now.
    #[serde(rename = "workflow.task.updated")]
    WorkflowTaskUpdated {
        /// Its place.
        task_index: usize,
        /// The whole task.
        task: Task,
    },
    /// A picture is further.
    #[serde(rename = "generated_image.updated")]
    GeneratedImageUpdated {
        /// The picture so far.
        image: item::GeneratedImage,
        /// From 0 to 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        progress: Option<f64>,
    },
}

impl ThreadEvent {
    /// A text delta, the event that there are most of.
    pub fn text_delta(item_id: ItemId, content_index: usize, delta: impl Into<String>) -> Self {
        let update = ItemUpdate::TextDelta { content_index, delta: delta.into() };
        Self::ItemUpdated { item_id, update }
    }

    /// The whole item that the event carries, if it carries one.
    pub fn item(&self) -> Option<&ThreadItem> {
        match self {
            Self::ItemAdded { item } | Self::ItemDone { item } | Self::ItemReplaced { item } => {
                Some(item)
            }
            _ => None,
        }
    }
}

impl ErrorEvent {
    /// The client's own text, with a retry button.
    pub fn stream_error() -> Self {
        Self { code: ErrorCode::StreamError, message: None, allow_retry: true }
    }

    /// A text of one's own.
    pub fn custom(message: impl Into<String>, allow_retry: bool) -> Self {
        Self { code: ErrorCode::Custom, message: Some(message.into()), allow_retry }
    }
}
