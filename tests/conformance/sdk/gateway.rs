//! A gateway whose own agent asks a model of the test.

use std::sync::Arc;

use chatkit_gateway::{
    agent::{ModelAgent, model_agent::ModelAgentConfig},
    app::Parts,
    store::Store,
    tools::{ToolRegistry, tasks::task_tools},
    upstream::{
        client::{UpstreamClient, UpstreamConfig},
        responses::ResponsesModel,
    },
};

use super::model::TestModel;
use crate::server::TestServer;

/// What both servers ask for.
pub(crate) const MODEL: &str = "test-model";

/// With the tools of the task list.
pub(crate) async fn with_tools(model: &TestModel) -> TestServer {
    start(model, |store| ToolRegistry::new(task_tools(store)).unwrap()).await
}

/// With a model that can only talk.
pub(crate) async fn without_tools(model: &TestModel) -> TestServer {
    start(model, |_| ToolRegistry::default()).await
}

async fn start(
    model: &TestModel,
    tools: impl FnOnce(Arc<dyn Store>) -> ToolRegistry,
) -> TestServer {
    let model = responses(model);
    TestServer::start_of(|store| {
        let tools = tools(store.clone());
        let config = ModelAgentConfig { model: MODEL.to_owned(), ..ModelAgentConfig::default() };
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
