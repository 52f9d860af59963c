//! Our own agent: a model with tools, asked again until it wants no more calls.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_stream::try_stream;
use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::watch;

use crate::{
    store::record::History,
    tools::{LiveTools, ToolRegistry, registry::DEFAULT_TIMEOUT},
    upstream::{FunctionTool, InputItem, Model, ModelRequest},
};

use super::{
    Agent, AgentStream, ClientTool, Turn, WidgetAction, conversation::Conversation, history,
    resume_point::ResumePoint, widget_action,
};

/// What the model is asked with.
#[derive(Clone, Debug)]
pub struct ModelAgentConfig {
    /// The model, unless the user's choice is allowed.
    pub model: String,
    /// What a user may choose.
    pub allowed_models: Vec<String>,
    /// The system's text.
    pub instructions: Option<String>,
    /// How often a model may be asked in one run.
    pub max_turns: u32,
    /// How many items of the thread the model sees: by default some hundred exchanges, so that a
    /// message costs no more however long its thread grows.
    pub history_items: usize,
    /// How many tokens of them, about: the oldest turns go first, and the last one stays whatever
    /// it costs.
    pub history_tokens: usize,
    /// How long one tool call may take.
    pub tool_timeout: Duration,
    /// Tools of the user's page, offered beside the gateway's.
    pub client_tools: Vec<ClientTool>,
    /// Tools that the provider runs itself, as the Responses API takes them.
    pub hosted_tools: Vec<Value>,
    /// How many drafts an image is expected to have, by which its progress is told; where nothing
    /// is said, the `partial_images` of the hosted tool.
    pub partial_images: Option<u32>,
}

impl Default for ModelAgentConfig {
    fn default() -> Self {
        Self {
            model: String::new(),
            allowed_models: Vec::new(),
            instructions: None,
            max_turns: 16,
            history_items: 200,
            history_tokens: 100_000,
            tool_timeout: DEFAULT_TIMEOUT,
            client_tools: Vec::new(),
            hosted_tools: Vec::new(),
            partial_images: None,
        }
    }
}

/// A model with tools.
pub struct ModelAgent {
    pub(super) model: Arc<dyn Model>,
    tools: LiveTools,
    /// What the model is told of the newest tools, made once for all turns.
    functions: Mutex<Option<(ToolRegistry, Arc<[FunctionTool]>)>>,
    pub(super) config: ModelAgentConfig,
}

impl ModelAgent {
    /// An agent that asks this model and lets it use these tools.
    pub fn new(model: Arc<dyn Model>, tools: ToolRegistry, config: ModelAgentConfig) -> Self {
        let tools = watch::Sender::new(tools).subscribe();
        Self::with_live_tools(model, tools, config)
    }

    /// The same with tools that come and go: each turn of the model has those there are when it
    /// begins.
    pub fn with_live_tools(
        model: Arc<dyn Model>,
        tools: LiveTools,
        config: ModelAgentConfig,
    ) -> Self {
        Self { model, tools, functions: Mutex::new(None), config }
    }

    /// The tools there are now.
    pub(super) fn tools(&self) -> ToolRegistry {
        self.tools.borrow().clone()
    }

    /// What the model is told of what was said before.
    pub(super) fn input(&self, history: &History) -> Vec<InputItem> {
        history::newest_within(history::model_input(history), self.config.history_tokens)
    }

    /// What the model is asked with this input and these tools.
    pub(super) fn request(
        &self,
        turn: &Turn,
        input: &[InputItem],
        tools: &ToolRegistry,
    ) -> ModelRequest {
        let chosen = turn.options.model.as_ref();
        let chosen = chosen.filter(|model| self.config.allowed_models.contains(model));
        ModelRequest {
            model: chosen.unwrap_or(&self.config.model).clone(),
            instructions: self.config.instructions.clone(),
            input: input.to_vec(),
            tools: self.functions(tools),
            hosted_tools: self.config.hosted_tools.clone(),
            cache_key: Some(turn.thread_id().to_string()),
            safety_identifier: Some(hashed(turn.user_id.as_str())),
            client_request_id: Some(turn.run_id.to_string()),
            unwanted: Some(turn.cancel.clone()),
        }
    }

    pub(super) fn partial_images(&self) -> Option<u32> {
        let mut tools = self.config.hosted_tools.iter();
        self.config.partial_images.or_else(|| {
            let drafts = tools.find_map(|tool| tool["partial_images"].as_u64())?;
            drafts.try_into().ok()
        })
    }

    fn functions(&self, tools: &ToolRegistry) -> Arc<[FunctionTool]> {
        let mut known = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, functions)) = known.as_ref().filter(|(of, _)| of.is_same(tools)) {
            return functions.clone();
        }
        let server = tools.iter().map(|tool| tool.spec()).map(|spec| FunctionTool {
            name: spec.name.clone(),
            description: spec.description.clone(),
            parameters: spec.parameters.clone(),
        });
        let client = self.config.client_tools.iter().map(|tool| FunctionTool {
            name: tool.name.clone(),
            description: tool.description.clone(),
            parameters: tool.parameters.clone(),
        });
        let functions: Arc<[FunctionTool]> = server.chain(client).collect();
        *known = Some((tools.clone(), functions.clone()));
        functions
    }
}

/// What the provider may know of a user: always the same, and nobody.
fn hashed(user: &str) -> String {
    use std::fmt::Write as _;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, user.as_bytes());
    digest.as_ref().iter().take(16).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[async_trait]
impl Agent for ModelAgent {
    fn respond(&self, turn: Turn) -> AgentStream<'_> {
        Box::pin(try_stream! {
            let mut conversation = Conversation::begin(self, turn).await?;
            for await event in conversation.hold() {
                yield event?;
            }
        })
    }

    fn resume(&self, turn: Turn, point: &str) -> Option<AgentStream<'_>> {
        let point: ResumePoint = serde_json::from_str(point).ok()?;
        let answer = self.model.reread(&point.response_id, turn.cancel.clone())?;
        Some(Box::pin(try_stream! {
            let mut conversation = Conversation::resume(self, turn, point, answer).await?;
            for await event in conversation.hold() {
                yield event?;
            }
        }))
    }

    fn action(&self, turn: Turn, action: WidgetAction) -> AgentStream<'_> {
        Box::pin(try_stream! {
            let call = widget_action::call(&action, &self.tools())?;
            let mut conversation = Conversation::begin(self, turn).await?;
            for await event in conversation.act(call, action.sender) {
                yield event?;
            }
        })
    }

    async fn settle(&self) {
        self.model.settle().await;
    }
}
