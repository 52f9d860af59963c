//! A function call as it comes.

use serde_json::Value;
use uuid::Uuid;

use super::wire;
use crate::upstream::{FunctionCall, ModelEvent};

/// A call of which at least the beginning is known. It is told only once it is whole.
#[derive(Default)]
pub(super) struct Call {
    /// Its `call_id`.
    id: String,
    name: String,
    arguments: String,
}

impl Call {
    pub(super) fn start(item: &Value) -> Self {
        let mut call = Self::default();
        call.take(item);
        call
    }

    pub(super) fn is(&self, call_id: &str) -> bool {
        self.id == call_id
    }

    pub(super) fn append(&mut self, delta: &str) {
        self.arguments.push_str(delta);
    }

    /// Takes over what an item or event says of the call. What it leaves out or empty stays.
    pub(super) fn take(&mut self, item: &Value) {
        // llama.cpp gives its items no id of their own, others no `call_id`.
        if let Some(call_id) = wire::id(&item["call_id"]) {
            call_id.clone_into(&mut self.id);
        }
        if let Some(name) = wire::id(&item["name"]) {
            name.clone_into(&mut self.name);
        }
        match &item["arguments"] {
            Value::String(text) if !text.is_empty() => text.clone_into(&mut self.arguments),
            object @ Value::Object(_) => self.arguments = object.to_string(),
            _ => {}
        }
    }

    /// Tells the call, unless nothing can be called by it or the item says that it is cut short.
    pub(super) fn end(&mut self, index: usize, item: Option<&Value>, out: &mut Vec<ModelEvent>) {
        if let Some(item) = item {
            self.take(item);
            if item["status"] == "incomplete" {
                return;
            }
        }
        if self.name.is_empty() {
            tracing::debug!("the model made a call without a name");
            return;
        }
        let call = std::mem::take(self);
        out.push(ModelEvent::FunctionCall {
            index,
            call: FunctionCall {
                call_id: or(call.id, || format!("call_{}", Uuid::now_v7().simple())),
                name: call.name,
                arguments: or(call.arguments, || "{}".to_owned()),
            },
        });
    }
}

fn or(text: String, instead: impl FnOnce() -> String) -> String {
    if text.is_empty() { instead() } else { text }
}
