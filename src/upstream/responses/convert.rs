//! From the events of the Responses API to ours.
//!
//! Later words replace earlier ones: an event `….done` what was joined from deltas,
//! `output_item.done` both, and the output of the terminal event only what was never told.
//! Events are told apart by the `type` in their data: not all servers send `event:` lines.

use serde::Deserialize as _;
use serde_json::Value;

use super::{
    items::Items,
    reasoning::Thoughts,
    wire::{self, PartChange, Place, Response, TextDelta, Whole, text},
};
use crate::upstream::{
    FinishReason, ModelEvent, UpstreamError, answer::Conversion, json,
    provider_error::ProviderError,
};

/// What is known of an answer so far.
#[derive(Default)]
pub(super) struct Converter {
    items: Items,
    is_finished: bool,
}

impl Conversion for Converter {
    fn feed(&mut self, data: &str, out: &mut Vec<ModelEvent>) -> Result<(), UpstreamError> {
        if self.is_finished {
            return Ok(());
        }
        if let Some(event) = TextDelta::parse(data) {
            if let Some((index, message)) = self.items.message(event.place, out) {
                message.append(index, event.content_index, event.delta, out);
            }
            return Ok(());
        }
        match Whole::parse(data) {
            Some(Whole::UnderWay) => return Ok(()),
            Some(Whole::Ended(kind, response)) => return self.finish(kind, &response, out),
            None => {}
        }
        // Some servers close with this mark, but it proves nothing here.
        if matches!(data.trim(), "" | "[DONE]") {
            return Ok(());
        }
        self.event(&json::parse(data)?, out)
    }

    fn end(
        &mut self,
        cause: Option<UpstreamError>,
        _out: &mut Vec<ModelEvent>,
    ) -> Result<(), UpstreamError> {
        if self.is_finished { Ok(()) } else { Err(cause.unwrap_or(UpstreamError::Truncated(None))) }
    }

    fn is_finished(&self) -> bool {
        self.is_finished
    }
}

impl Converter {
    fn event(&mut self, event: &Value, out: &mut Vec<ModelEvent>) -> Result<(), UpstreamError> {
        let kind = text(&event["type"]);
        // Three shapes are in use: flat, nested, and nested without a type.
        if kind == "error" || !event["error"].is_null() {
            return Err(ProviderError::from_value(event).into_stream_error());
        }
        let place = Place::of(event);
        match kind {
            "response.output_item.added" => self.items.start(place, &event["item"], out),
            "response.output_item.done" => self.items.end(place, &event["item"], out),
            "response.function_call_arguments.delta" => {
                if let Some(call) = self.items.call(place) {
                    call.append(text(&event["delta"]));
                }
            }
            // Here they may come at once, without a delta before (LM Studio).
            "response.function_call_arguments.done" => {
                if let Some(call) = self.items.call(place) {
                    call.take(event);
                }
            }
            "response.image_generation_call.partial_image" => {
                if let Some((index, image)) = self.items.image(place, out) {
                    image.draw(index, event, out);
                }
            }
            "response.completed" | "response.incomplete" | "response.failed" => {
                let response = Response::deserialize(&event["response"]).unwrap_or_default();
                return self.finish(kind, &response, out);
            }
            "response.created" | "response.queued" | "response.in_progress" => {}
            _ if kind.starts_with("response.reasoning_") => self.thoughts(kind, event, out),
            _ => self.words(kind, event, out),
        }
        Ok(())
    }

    /// An event of a message's part, or one that is not known.
    fn words(&mut self, kind: &str, event: &Value, out: &mut Vec<ModelEvent>) {
        if event["part"]["type"] == "reasoning_text" {
            return self.thoughts(kind, event, out);
        }
        let Some(change) = PartChange::parse(kind, event) else {
            tracing::debug!(kind, "an event of the model is not shown");
            return;
        };
        let content_index = event["content_index"].as_u64();
        if let Some((index, message)) = self.items.message(Place::of(event), out) {
            message.change(index, content_index, change, out);
        }
    }

    /// An event of reasoning.
    fn thoughts(&mut self, kind: &str, event: &Value, out: &mut Vec<ModelEvent>) {
        let number = |name: &str| event[name].as_u64().unwrap_or(0);
        let part = if kind.contains("summary") {
            (Thoughts::Summary, number("summary_index"))
        } else {
            (Thoughts::Raw, number("content_index"))
        };
        let Some((index, reasoning)) = self.items.reasoning(Place::of(event), out) else { return };
        if let Some(delta) = event["delta"].as_str() {
            reasoning.append(index, part, delta, out);
        } else if kind.rsplit('.').next() == Some("done") {
            let whole = event["text"].as_str().or_else(|| event["part"]["text"].as_str());
            reasoning.end_part(index, part, whole, out);
        }
    }

    /// The terminal event.
    fn finish(
        &mut self,
        kind: &str,
        response: &Response,
        out: &mut Vec<ModelEvent>,
    ) -> Result<(), UpstreamError> {
        let status = wire::id(&response.status);
        if kind == "response.failed" || matches!(status, Some("failed" | "cancelled")) {
            return Err(ProviderError::from_value(&response.error).into_stream_error());
        }
        let reason = if kind == "response.incomplete" || status == Some("incomplete") {
            match text(&response.incomplete_details["reason"]) {
                "content_filter" => FinishReason::ContentFilter,
                _ => FinishReason::Length,
            }
        } else {
            FinishReason::Complete
        };
        let calls_count = reason == FinishReason::Complete;
        self.items.end_all(&response.output, calls_count, out);
        out.push(ModelEvent::Finished { reason, usage: wire::usage(&response.usage) });
        self.is_finished = true;
        Ok(())
    }
}
