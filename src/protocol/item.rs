//! Thread items: everything that a thread is made of.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::{Annotation, Attachment, ItemId, Task, ThreadId, Timestamp, Workflow};

/// An item of a thread: the members that all items share, then those of its kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ThreadItem {
    /// Its identifier.
    pub id: ItemId,
    /// The thread that it is in.
    pub thread_id: ThreadId,
    /// When it was made.
    pub created_at: Timestamp,
    /// What it is.
    #[serde(flatten)]
    pub kind: ItemKind,
}

/// What an item is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ItemKind {
    /// What the user wrote.
    UserMessage(UserMessage),
    /// What the assistant wrote.
    AssistantMessage(AssistantMessage),
    /// A tool that runs in the user's page.
    ClientToolCall(ClientToolCall),
    /// A part of a user interface.
    Widget(WidgetItem),
    /// A picture that the model made.
    GeneratedImage {
        /// Absent until there is something to show.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        image: Option<GeneratedImage>,
    },
    /// Questions to the user.
    StructuredInput(StructuredInputItem),
    /// A list of steps.
    Workflow {
        /// The steps.
        workflow: Workflow,
    },
    /// A step that stands alone.
    Task {
        /// The step.
        task: Task,
    },
    /// The assistant has nothing to add.
    EndOfTurn {},
    /// Context for the model. Never sent to clients.
    HiddenContextItem {
        /// Any JSON.
        content: Value,
    },
    /// Context that the server itself leaves for the model. Never sent to clients.
    SdkHiddenContext {
        /// Plain text.
        content: String,
    },
}

/// What the user wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UserMessage {
    /// Text and tags in order.
    pub content: Vec<UserContent>,
    /// What came with it.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
    /// The part of an earlier message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted_text: Option<String>,
    /// The user's choice of model and tool.
    #[serde(default)]
    pub inference_options: InferenceOptions,
}

/// A part of a user message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum UserContent {
    /// Text.
    InputText {
        /// The text.
        text: String,
    },
    /// A thing of the application, named by `@`.
    InputTag {
        /// The application's identifier.
        id: String,
        /// Its shown name.
        text: String,
        /// Given by the page; absent reads as `{}`.
        #[serde(default)]
        data: Map<String, Value>,
        /// Heading under which tags are grouped.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<String>,
        /// Whether it can be clicked.
        #[serde(default)]
        interactive: bool,
    },
}

/// The user's choice of model and tool for one message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InferenceOptions {
    /// The tool picked in the composer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
    /// The model picked in the composer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// The tool picked in the composer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ToolChoice {
    /// The composer tool's identifier.
    pub id: String,
}

/// What the assistant wrote.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AssistantMessage {
    /// Its parts in order.
    pub content: Vec<AssistantContent>,
}

/// A part of an assistant message.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AssistantContent {
    /// Citations.
    #[serde(default)]
    pub annotations: Vec<Annotation>,
    /// Markdown.
    pub text: String,
    /// Always `output_text`.
    #[serde(rename = "type", default)]
    pub kind: OutputText,
}

impl AssistantContent {
    /// A part without citations.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

/// The one kind of assistant content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutputText {
    /// Text.
    #[default]
    OutputText,
}

/// A tool that runs in the user's page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ClientToolCall {
    /// Whether the page has answered.
    #[serde(default)]
    pub status: ClientToolStatus,
    /// The model's identifier of the call.
    pub call_id: String,
    /// The tool.
    pub name: String,
    /// Its arguments.
    pub arguments: Map<String, Value>,
    /// The page's answer; `null` counts as none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
}

impl ClientToolCall {
    /// Gives up waiting for the page's answer. The model learns that there was none.
    pub fn abandon(&mut self) {
        self.status = ClientToolStatus::Completed;
        self.output = Some(json!({ "error": "The user went on without waiting for the result." }));
    }
}

/// Whether the page has answered a client tool call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientToolStatus {
    /// Not yet.
    #[default]
    Pending,
    /// Yes.
    Completed,
}

/// A widget: stored and sent exactly as given, unknown members kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WidgetItem {
    /// The root component: a `Card`, a `ListView` or a `Basic`.
    pub widget: Value,
    /// What the copy button copies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_text: Option<String>,
}

/// A picture that the model made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GeneratedImage {
    /// Its identifier.
    pub id: String,
    /// An address or a data URL.
    pub url: String,
}

/// Questions to the user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StructuredInputItem {
    /// Whether the user has answered.
    #[serde(default)]
    pub status: StructuredInputStatus,
    /// The questions.
    pub inputs: Vec<StructuredInput>,
}

impl StructuredInputItem {
    /// Gives up waiting for answers.
    pub fn skip(&mut self) {
        self.status = StructuredInputStatus::Skipped;
        for question in &mut self.inputs {
            question.answer = Some(StructuredAnswer { values: Vec::new(), skipped: true });
        }
    }
}

/// Whether the user has answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StructuredInputStatus {
    /// Not yet.
    #[default]
    Pending,
    /// Yes.
    Answered,
    /// No, and will not.
    Skipped,
}

/// A question to the user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StructuredInput {
    /// Names it in the answers.
    pub id: String,
    /// What is asked.
    pub question: String,
    /// What was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<StructuredAnswer>,
    /// How it can be answered.
    #[serde(flatten)]
    pub kind: StructuredInputKind,
}

/// How a question can be answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum StructuredInputKind {
    /// By choosing.
    MultipleChoice {
        /// What is offered; answers of one's own are allowed.
        options: Vec<ChoiceOption>,
        /// Whether several may be chosen.
        #[serde(default)]
        multiple: bool,
    },
    /// By writing.
    Freeform {
        /// Shown with the question.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
    },
}

/// An offered answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChoiceOption {
    /// What is shown and answered.
    pub value: String,
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StructuredAnswer {
    /// What was chosen or written.
    #[serde(default)]
    pub values: Vec<String>,
    /// Whether it was left out.
    #[serde(default)]
    pub skipped: bool,
}

/// Who speaks in an item: the `role` column and the `role` of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The user.
    User,
    /// The model.
    Assistant,
    /// A tool, and what shows its work.
    Tool,
    /// The server: hidden context.
    System,
}

impl Role {
    /// As it stands in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
            Self::System => "system",
        }
    }

    /// From the database. What older systems wrote besides counts as the user's.
    pub fn from_stored(role: &str) -> Self {
        match role {
            "assistant" => Self::Assistant,
            "tool" => Self::Tool,
            "system" => Self::System,
            _ => Self::User,
        }
    }
}

impl ItemKind {
    /// The `type` on the wire.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::UserMessage(_) => "user_message",
            Self::AssistantMessage(_) => "assistant_message",
            Self::ClientToolCall(_) => "client_tool_call",
            Self::Widget(_) => "widget",
            Self::GeneratedImage { .. } => "generated_image",
            Self::StructuredInput(_) => "structured_input",
            Self::Workflow { .. } => "workflow",
            Self::Task { .. } => "task",
            Self::EndOfTurn {} => "end_of_turn",
            Self::HiddenContextItem { .. } => "hidden_context_item",
            Self::SdkHiddenContext { .. } => "sdk_hidden_context",
        }
    }

    /// Whether clients must never see it.
    pub fn is_hidden(&self) -> bool {
        matches!(self, Self::HiddenContextItem { .. } | Self::SdkHiddenContext { .. })
    }

    /// Who speaks.
    pub fn role(&self) -> Role {
        match self {
            Self::UserMessage(_) => Role::User,
            Self::AssistantMessage(_)
            | Self::Widget(_)
            | Self::GeneratedImage { .. }
            | Self::StructuredInput(_)
            | Self::EndOfTurn {} => Role::Assistant,
            Self::ClientToolCall(_) | Self::Workflow { .. } | Self::Task { .. } => Role::Tool,
            Self::HiddenContextItem { .. } | Self::SdkHiddenContext { .. } => Role::System,
        }
    }

    /// The text that a reader without ChatKit gets: the `content` column.
    pub fn plain_text(&self) -> String {
        match self {
            Self::UserMessage(message) => message.plain_text(),
            Self::AssistantMessage(message) => message.plain_text(),
            Self::ClientToolCall(call) => call.name.clone(),
            Self::Widget(widget) => widget.copy_text.clone().unwrap_or_default(),
            Self::StructuredInput(input) => {
                let questions: Vec<&str> =
                    input.inputs.iter().map(|input| input.question.as_str()).collect();
                questions.join("\n")
            }
            Self::Workflow { workflow } => {
                let titles: Vec<&str> = workflow.tasks.iter().filter_map(Task::title).collect();
                titles.join("\n")
            }
            Self::Task { task } => task.title().unwrap_or_default().to_owned(),
            Self::SdkHiddenContext { content }
            | Self::HiddenContextItem { content: Value::String(content) } => content.clone(),
            Self::HiddenContextItem { content } => content.to_string(),
            Self::GeneratedImage { .. } | Self::EndOfTurn {} => String::new(),
        }
    }
}

impl UserMessage {
    /// A message of one text.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self {
            content: vec![UserContent::InputText { text: text.into() }],
            attachments: Vec::new(),
            quoted_text: None,
            inference_options: InferenceOptions::default(),
        }
    }

    /// Its text, tags as `@name`.
    pub fn plain_text(&self) -> String {
        let mut text = String::new();
        for part in &self.content {
            match part {
                UserContent::InputText { text: part } => text.push_str(part),
                UserContent::InputTag { text: name, .. } => {
                    text.push('@');
                    text.push_str(name);
                }
            }
        }
        text
    }
}

impl AssistantMessage {
    /// A message of one text.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self { content: vec![AssistantContent::text(text)] }
    }

    /// Its parts, joined.
    pub fn plain_text(&self) -> String {
        self.content.iter().map(|part| part.text.as_str()).collect()
    }
}

impl Task {
    /// Its name, if it has one.
    pub fn title(&self) -> Option<&str> {
        use super::workflow::TaskKind::{Custom, File, Image, Thought, WebSearch};
        match &self.kind {
            Custom { title, .. }
            | WebSearch { title, .. }
            | Thought { title, .. }
            | File { title, .. }
            | Image { title } => title.as_deref(),
        }
    }
}
