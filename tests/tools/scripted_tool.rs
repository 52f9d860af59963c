//! Tools that do what a test tells them.

use std::sync::Arc;

use async_trait::async_trait;
use chatkit_gateway::tools::{Tool, ToolContext, ToolOutput, ToolSpec};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

/// What a scripted tool does when it is called.
pub(crate) enum Script {
    /// Answers its arguments.
    Echo,
    /// Answers so many bytes.
    Talk(usize),
    /// Panics.
    Panic,
    /// Cancels `started`, never answers, and cancels `dropped` when it is given up.
    Hang { started: CancellationToken, dropped: CancellationToken },
}

/// A tool of that name.
pub(crate) fn tool(name: &str, script: Script) -> Arc<dyn Tool> {
    let spec = ToolSpec {
        name: name.to_owned(),
        title: "Scripted".to_owned(),
        description: "Does as it is told.".to_owned(),
        parameters: json!({ "type": "object", "properties": {} }),
        read_only: true,
        destructive: false,
        idempotent: true,
    };
    Arc::new(ScriptedTool { spec, script })
}

struct ScriptedTool {
    spec: ToolSpec,
    script: Script,
}

#[async_trait]
impl Tool for ScriptedTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, _: &ToolContext, arguments: Map<String, Value>) -> ToolOutput {
        match &self.script {
            Script::Echo => ToolOutput::json(&arguments),
            Script::Talk(bytes) => ToolOutput { text: "x".repeat(*bytes), ..Default::default() },
            Script::Panic => panic!("as the test wants it"),
            Script::Hang { started, dropped } => {
                let _guard = dropped.clone().drop_guard();
                started.cancel();
                std::future::pending().await
            }
        }
    }
}
