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
    protocol::item::InferenceOptions,
    store::record::History,
    tools::{LiveTools, ToolRegistry, registry::DEFAULT_TIMEOUT},
    upstream::{FunctionTool, InputItem, Model, ModelRequest},
};

use super::{
    Agent, AgentError, AgentStream, Choices, ClientTool, NotOffered, Turn, WidgetAction,
    choices::Offer, conversation::Conversation, history, resume_point::ResumePoint, widget_action,
};

/// What the model is asked with.
#[derive(Clone, Debug)]
pub struct ModelAgentConfig {
    /// The model, unless the user has chosen another.
    pub model: String,
    /// What a user may choose.
    pub choices: Choices,
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
            choices: Choices::default(),
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

    /// The tools there are now for a turn with these options.
    pub(super) fn tools(&self, options: &InferenceOptions) -> ToolRegistry {
        let (tools, offer) = (self.tools.borrow().clone(), self.config.choices.offer(options));
        if offer.is_all() { tools } else { tools.only(|name| offer.has(name)) }
    }

    /// The tools of the page for a turn with these options.
    pub(super) fn client_tools(&self, options: &InferenceOptions) -> Vec<ClientTool> {
        let offer = self.config.choices.offer(options);
        self.config.client_tools.iter().filter(|tool| offer.has(&tool.name)).cloned().collect()
    }

    /// The model that answers a turn.
    pub(super) fn model_of(&self, turn: &Turn) -> &str {
        self.config.choices.model(&turn.options).unwrap_or(&self.config.model)
    }

    /// What the model is told of what was said before.
    pub(super) fn input(&self, history: &History) -> Vec<InputItem> {
        history::newest_within(history::model_input(history), self.config.history_tokens)
    }

    /// What the model is asked with this input and these tools. `number` is that of the model turn,
    /// from 0. Fails where the user has chosen a tool that is not there now.
    pub(super) fn request(
        &self,
        turn: &Turn,
        number: u32,
        input: &[InputItem],
        tools: &ToolRegistry,
    ) -> Result<ModelRequest, AgentError> {
        let choices = &self.config.choices;
        let offer = choices.offer(&turn.options);
        let mut tools = self.functions(tools, offer);
        let hosted = self.config.hosted_tools.iter();
        let mut hosted: Vec<Value> =
            hosted.filter(|tool| offer.has_hosted(tool)).cloned().collect();
        // Only the first question of a message: with each, the model would never come to an answer.
        let is_first = number == 0 && turn.answers_message();
        let required = offer.required().filter(|_| is_first);
        if let Some(required) = required {
            // Every server knows "call one of these"; which of more than these it must be is said
            // in many ways.
            tools = tools.iter().filter(|tool| required.has(&tool.name)).cloned().collect();
            hosted.retain(|tool| required.has_hosted(tool));
            if tools.is_empty() && hosted.is_empty() {
                return Err(AgentError::Custom {
                    message: format!("{:?} cannot be used at the moment.", required.id()),
                    allow_retry: true,
                });
            }
        }
        Ok(ModelRequest {
            model: self.model_of(turn).to_owned(),
            instructions: self.config.instructions.clone(),
            input: input.to_vec(),
            tools,
            must_call: required.is_some(),
            hosted_tools: hosted,
            cache_key: Some(turn.thread_id().to_string()),
            safety_identifier: Some(hashed(turn.user_id.as_str())),
            client_request_id: Some(turn.run_id.to_string()),
            unwanted: Some(turn.cancel.clone()),
        })
    }

    pub(super) fn partial_images(&self) -> Option<u32> {
        let mut tools = self.config.hosted_tools.iter();
        self.config.partial_images.or_else(|| {
            let drafts = tools.find_map(|tool| tool["partial_images"].as_u64())?;
            drafts.try_into().ok()
        })
    }

    fn functions(&self, tools: &ToolRegistry, offer: Offer<'_>) -> Arc<[FunctionTool]> {
        if !offer.is_all() {
            return self.described(tools, offer);
        }
        let mut known = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, functions)) = known.as_ref().filter(|(of, _)| of.is_same(tools)) {
            return functions.clone();
        }
        let functions = self.described(tools, offer);
        *known = Some((tools.clone(), functions.clone()));
        functions
    }

    fn described(&self, tools: &ToolRegistry, offer: Offer<'_>) -> Arc<[FunctionTool]> {
        let server = tools.iter().map(|tool| tool.spec()).map(|spec| FunctionTool {
            name: spec.name.clone(),
            description: spec.description.clone(),
            parameters: spec.parameters.clone(),
        });
        let client = self.config.client_tools.iter().filter(|tool| offer.has(&tool.name));
        let client = client.map(|tool| FunctionTool {
            name: tool.name.clone(),
            description: tool.description.clone(),
            parameters: tool.parameters.clone(),
        });
        server.chain(client).collect()
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
    fn check_options(&self, options: &InferenceOptions) -> Result<(), NotOffered> {
        self.config.choices.check(options, &self.config.model)
    }

    fn respond(&self, turn: Turn) -> AgentStream<'_> {
        Box::pin(Conversation::hold(Conversation::begin(self, turn)))
    }

    fn resume(&self, turn: Turn, point: &str) -> Option<AgentStream<'_>> {
        let point: ResumePoint = serde_json::from_str(point).ok()?;
        let answer = self.model.reread(&point.response_id, turn.cancel.clone())?;
        Some(Box::pin(Conversation::hold(Conversation::resume(self, turn, point, answer))))
    }

    fn action(&self, turn: Turn, action: WidgetAction) -> AgentStream<'_> {
        Box::pin(try_stream! {
            let call = widget_action::call(&action, &self.tools(&turn.options))?;
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
