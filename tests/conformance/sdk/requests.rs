//! Requests that are not about what the model says.

use chatkit_gateway::demo::scripted_model::Step;
use serde_json::json;

use super::pair::{Pair, message};

pub(super) async fn threads_and_items(pair: &mut Pair<'_>) -> Result<(), String> {
    let none = [];
    pair.ask("threads.list", &json!({}), &none).await?;
    pair.will_play([Step::text("One.")]);
    pair.begin("First", &none).await?;
    pair.will_play([Step::text("Two.")]);
    let events = pair.begin("Second", &none).await?;
    let second = events[0]["thread"]["id"].clone();
    pair.will_play([Step::text("Three.")]);
    pair.say("First again", &none).await?;

    for order in ["asc", "desc"] {
        let page = json!({"limit": 1, "order": order});
        let page = pair.ask("threads.list", &page, &none).await?;
        let next = json!({"limit": 1, "order": order, "after": page[0]["after"]});
        pair.ask("threads.list", &next, &none).await?;
        let page = json!({"thread_id": "id-1", "limit": 3, "order": order});
        let page = pair.ask("items.list", &page, &none).await?;
        let next = json!({"thread_id": "id-1", "order": order, "after": page[0]["after"]});
        pair.ask("items.list", &next, &none).await?;
    }
    pair.ask("threads.get_by_id", &json!({"thread_id": "id-1"}), &none).await?;
    let feedback = json!({"thread_id": "id-1", "item_ids": ["id-3"], "kind": "positive"});
    pair.ask("items.feedback", &feedback, &none).await?;
    pair.ask("threads.update", &json!({"thread_id": "id-1", "title": "Ä \"b\""}), &none).await?;
    pair.ask("threads.get_by_id", &json!({"thread_id": "id-1"}), &none).await?;
    pair.ask("threads.delete", &json!({"thread_id": second}), &none).await?;
    pair.ask("threads.list", &json!({}), &none).await?;
    pair.refused("threads.get_by_id", &json!({"thread_id": second}), 404, "not_found").await
}

/// From the first message on: what came behind it goes, without a word.
pub(super) async fn retry(pair: &mut Pair<'_>) -> Result<(), String> {
    pair.will_play([Step::text("One.")]);
    pair.begin("Number?", &[]).await?;
    pair.will_play([Step::text("Two.")]);
    pair.say("Next?", &[]).await?;
    pair.will_play([Step::text("Another one.")]);
    let first = json!({"thread_id": "id-1", "item_id": "id-2"});
    pair.ask("threads.retry_after_item", &first, &[]).await?;
    pair.same_input(&[])?;
    pair.items(&[]).await
}

/// What takes an integration of one's own, or what waits for an answer.
pub(super) async fn unsupported(pair: &mut Pair<'_>) -> Result<(), String> {
    pair.will_play([Step::text("Here.")]);
    pair.begin("Hello", &[]).await?;

    let action = json!({"thread_id": "id-1", "action": {"type": "press", "payload": null}});
    pair.ask("threads.custom_action", &action, &[]).await?;
    pair.refused("threads.sync_custom_action", &action, 400, "not_supported").await?;
    let file = json!({"name": "a.txt", "size": 1, "mime_type": "text/plain"});
    pair.refused("attachments.create", &file, 400, "not_supported").await?;
    let voice = json!({"audio_base64": "AAECAw==", "mime_type": "audio/webm"});
    pair.refused("input.transcribe", &voice, 400, "not_supported").await?;
    let output = json!({"thread_id": "id-1", "result": {}});
    pair.refused("threads.add_client_tool_output", &output, 409, "not_pending").await?;
    let answers = json!({"thread_id": "id-1", "item_id": "id-3", "input": {"answers": {}}});
    pair.refused("threads.add_structured_input", &answers, 400, "invalid_request").await?;
    let answer = json!({"thread_id": "id-1", "item_id": "id-3"});
    pair.refused("threads.retry_after_item", &answer, 400, "invalid_request").await?;
    pair.items(&[]).await
}

pub(super) async fn unknown_thread(pair: &mut Pair<'_>) -> Result<(), String> {
    let thread = json!({"thread_id": "nowhere"});
    pair.refused("threads.get_by_id", &thread, 404, "not_found").await?;
    let title = json!({"thread_id": "nowhere", "title": "t"});
    pair.refused("threads.update", &title, 404, "not_found").await?;
    let message = json!({"thread_id": "nowhere", "input": message("Hello?")});
    pair.refused("threads.add_user_message", &message, 404, "not_found").await
}
