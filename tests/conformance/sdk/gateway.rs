//! A gateway whose own agent asks a model of the test.

use std::sync::Arc;

use chatkit_gateway::{
    agent::{
        Choices, ClientTool, ModelAgent,
        choices::{ComposerTool, ModelChoice},
        model_agent::ModelAgentConfig,
    },
    app::Parts,
    store::Store,
    tools::{ToolRegistry, tasks::task_tools},
    upstream::{
        client::{UpstreamClient, UpstreamConfig},
        responses::ResponsesModel,
    },
};

use serde_json::json;

use super::model::TestModel;
use crate::server::TestServer;

/// What both servers ask for.
pub(crate) const MODEL: &str = "test-model";

/// With the tools of the task list.
pub(crate) async fn with_tools(model: &TestModel) -> TestServer {
    start(model, |store| ToolRegistry::new(task_tools(store)).unwrap(), Vec::new()).await
}

/// With the tool of the page that the official server has.
pub(crate) async fn with_a_client_tool(model: &TestModel) -> TestServer {
    start(model, |_| ToolRegistry::default(), vec![get_selection()]).await
}

/// What the messages of these conversations choose; it changes nothing in what is told.
fn choices() -> Choices {
    let fast = ModelChoice { id: "fast-1".to_owned(), model: MODEL.to_owned() };
    let search = ComposerTool {
        id: "search".to_owned(),
        tools: vec!["web_search".to_owned()],
        required: false,
        only_when_chosen: true,
    };
    Choices { models: vec![fast], tools: vec![search] }
}

fn get_selection() -> ClientTool {
    let properties = json!({ "scope": { "type": "string" } });
    ClientTool {
        name: "get_selection".to_owned(),
        description: "What the user has selected.".to_owned(),
        parameters: json!({ "type": "object", "properties": properties, "required": ["scope"] }),
    }
}

async fn start(
    model: &TestModel,
    tools: impl FnOnce(Arc<dyn Store>) -> ToolRegistry,
    client_tools: Vec<ClientTool>,
) -> TestServer {
    let model = responses(model);
    TestServer::start_of(|store| {
        let tools = tools(store.clone());
        let model_name = MODEL.to_owned();
        let config = ModelAgentConfig {
            model: model_name,
            choices: choices(),
            client_tools,
            ..ModelAgentConfig::default()
        };
        let agent = Arc::new(ModelAgent::new(Arc::new(model), tools.clone(), config));
        Parts { store, tools, agent, titles: None, files: None }
    })
    .await
}

fn responses(model: &TestModel) -> ResponsesModel {
    let base_url = model.running.base_url();
    let config = UpstreamConfig { base_url, ..UpstreamConfig::default() };
    ResponsesModel::new(UpstreamClient::new(config).unwrap())
}
