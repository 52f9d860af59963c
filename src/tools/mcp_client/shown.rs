//! What a result shows to the user, in its `_meta` under `chatkit`: each part on its own, within
//! bounds. What cannot be shown is left out and named in the log; the model gets the result all the
//! same.

use rmcp::model::CallToolResult;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{
    protocol::{
        ItemKind, Source, ThreadEvent,
        annotation::SourceKind,
        event::NoticeLevel,
        item::{GeneratedImage, StructuredInput, WidgetItem},
    },
    tools::{Display, Shown, TOOL_ACTION, ask_user},
};

use super::{naming::offered_name, results::IMAGE_TYPES};

/// The member of `_meta`.
const KEY: &str = "chatkit";
/// How large a widget may be, in bytes of JSON, …
const MAX_WIDGET: usize = 64 * 1024;
/// … and how deep.
const MAX_DEPTH: usize = 32;
/// How large the data of an effect, and sources together, may be, in bytes of JSON.
const MAX_DATA: usize = 16 * 1024;
/// The longest name or notice, in characters.
const MAX_TEXT: usize = 2_000;
/// How many sources one result may name.
const MAX_SOURCES: usize = 20;
/// How large an image may be, as a data URL, in bytes: what a message of a server holds.
const MAX_IMAGE: usize = 3 << 20;

#[derive(Deserialize)]
struct Effect {
    name: String,
    #[serde(default)]
    data: Map<String, Value>,
}

#[derive(Deserialize)]
struct Notice {
    level: NoticeLevel,
    message: String,
    title: Option<String>,
}

/// Shows what the result of a tool of this server carries.
pub(super) async fn show(result: &CallToolResult, server: &str, tool: &str, display: &Display) {
    let meta = result.meta.as_ref().and_then(|meta| serde_json::to_value(meta).ok());
    let Some(Value::Object(given)) = meta.as_ref().and_then(|meta| meta.get(KEY)) else { return };
    for (part, value) in given {
        let shown = match part.as_str() {
            "widget" => widget(server, given, value),
            "client_effect" => effect(value),
            "notice" => notice(value),
            "image" => image(value, display),
            "sources" => sources(value),
            "ask" => questions(value),
            "respond" if value == true => Ok(Shown::Respond),
            // Said with others, or that it is not so.
            "copy_text" | "replace" | "respond" => continue,
            _ => Err("there is no such part"),
        };
        match shown {
            Ok(shown) => display.show(shown).await,
            Err(reason) => tracing::warn!(
                mcp.server = server,
                tool.name = tool,
                part = part.chars().take(40).collect::<String>().escape_debug().to_string(),
                reason,
                "what a tool shows was left out"
            ),
        }
    }
}

type Part = Result<Shown, &'static str>;

fn widget(server: &str, given: &Map<String, Value>, value: &Value) -> Part {
    let root = value["type"].as_str();
    if !root.is_some_and(|root| ["Card", "ListView", "Basic"].contains(&root)) {
        return Err("the root of a widget is a Card, a ListView or a Basic");
    }
    if size(value) > MAX_WIDGET || is_deeper(value, MAX_DEPTH) {
        return Err("the widget is too large");
    }
    let mut widget = value.clone();
    name_tools(server, &mut widget);
    let copy_text = match &given.get("copy_text") {
        None => None,
        Some(Value::String(text)) if is_short(text) => Some(text.clone()),
        Some(_) => return Err("copy_text is a short text"),
    };
    let replaces_sender = given.get("replace").is_some_and(|replace| replace == true);
    Ok(Shown::Widget { widget: WidgetItem { widget, copy_text }, replaces_sender })
}

/// Actions of the widget name tools as the server does; from here on they have the names by which
/// the gateway knows them. So none can name a tool of another server.
fn name_tools(server: &str, component: &mut Value) {
    match component {
        Value::Array(children) => {
            for child in children {
                name_tools(server, child);
            }
        }
        Value::Object(members) => {
            if let Some(Value::String(kind)) = members.get_mut("type")
                && let Some(tool) = kind.strip_prefix(TOOL_ACTION)
            {
                *kind = format!("{TOOL_ACTION}{}", offered_name(server, tool));
            }
            for (name, member) in members {
                // What an action carries is the tool's own.
                if name != "payload" {
                    name_tools(server, member);
                }
            }
        }
        _ => {}
    }
}

fn effect(value: &Value) -> Part {
    let Effect { name, data } = read(value)?;
    if size(value) > MAX_DATA || !is_short(&name) {
        return Err("the effect is too large");
    }
    Ok(Shown::Event(Box::new(ThreadEvent::ClientEffect { name, data })))
}

fn notice(value: &Value) -> Part {
    let Notice { level, message, title } = read(value)?;
    if !is_short(&message) || !title.as_deref().is_none_or(is_short) {
        return Err("the notice is too long");
    }
    Ok(Shown::Event(Box::new(ThreadEvent::Notice { level, message, title })))
}

fn image(value: &Value, display: &Display) -> Part {
    let url = value.as_str().ok_or("an image is a data URL")?;
    let image = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    let (kind, data) = image.ok_or("an image is a data URL in base64")?;
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    if !IMAGE_TYPES.contains(&kind) || data.is_empty() || !data.bytes().all(is_base64) {
        return Err("an image is a PNG, JPEG, GIF or WebP in base64");
    }
    if url.len() > MAX_IMAGE {
        return Err("the image is too large");
    }
    let mut item = display.new_item(ItemKind::GeneratedImage { image: None });
    let id = item.id.to_string();
    item.kind =
        ItemKind::GeneratedImage { image: Some(GeneratedImage { id, url: url.to_owned() }) };
    Ok(Shown::Event(Box::new(ThreadEvent::ItemDone { item: Box::new(item) })))
}

fn sources(value: &Value) -> Part {
    let sources: Vec<Source> = read(value)?;
    if size(value) > MAX_DATA || sources.len() > MAX_SOURCES {
        return Err("there are too many sources");
    }
    let is_web = |source: &Source| match &source.kind {
        SourceKind::Url { url, .. } => url.starts_with("https://") || url.starts_with("http://"),
        _ => true,
    };
    if !sources.iter().all(is_web) {
        return Err("a source's url is one of the web");
    }
    Ok(Shown::Sources(sources))
}

fn questions(value: &Value) -> Part {
    let questions: Vec<StructuredInput> = read(value)?;
    ask_user::check(&questions).map_err(|_| "the questions are too many, too long or unnamed")?;
    Ok(Shown::Ask(questions))
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, &'static str> {
    serde_json::from_value(value.clone()).map_err(|_| "it has not the form that it should have")
}

fn size(value: &Value) -> usize {
    value.to_string().len()
}

fn is_short(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= MAX_TEXT
}

fn is_deeper(value: &Value, than: usize) -> bool {
    let Some(left) = than.checked_sub(1) else { return true };
    match value {
        Value::Array(entries) => entries.iter().any(|entry| is_deeper(entry, left)),
        Value::Object(members) => members.values().any(|member| is_deeper(member, left)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::protocol::ThreadId;

    /// The kinds of what is shown.
    async fn kinds(given: Value) -> Vec<&'static str> {
        let result = json!({ "content": [], "_meta": { "chatkit": given } });
        let result: CallToolResult = serde_json::from_value(result).unwrap();
        let (display, mut shown) = Display::channel(ThreadId::new());
        show(&result, "srv", "srv__tool", &display).await;
        drop(display);
        let mut kinds = Vec::new();
        while let Some(shown) = shown.recv().await {
            kinds.push(match shown {
                Shown::Widget { .. } => "widget",
                Shown::Sources(_) => "sources",
                Shown::Ask(_) => "ask",
                Shown::Respond => "respond",
                Shown::Event(_) => "event",
                _ => "other",
            });
        }
        kinds
    }

    #[tokio::test]
    async fn each_part_is_shown_and_what_cannot_be_is_left_out_alone() {
        let all = json!({
            "widget": { "type": "Card", "children": [] },
            "client_effect": { "name": "confetti" },
            "notice": { "level": "info", "message": "hi" },
            "image": "data:image/png;base64,aGk=",
            "sources": [{ "type": "url", "title": "a", "url": "https://a.example/" }],
            "ask": [{ "id": "a", "question": "Why?", "type": "freeform" }],
            "respond": true,
        });
        let mut shown = kinds(all).await;
        shown.sort_unstable();
        assert_eq!(shown, ["ask", "event", "event", "event", "respond", "sources", "widget"]);

        let deep = (0..MAX_DEPTH).fold(json!({}), |deep, _| json!({ "children": [deep] }));
        for wrong in [
            json!({ "widget": { "type": "Script" } }),
            json!({ "widget": { "type": "Card", "children": [deep] } }),
            json!({ "widget": { "type": "Card", "value": "x".repeat(MAX_WIDGET) } }),
            json!({ "client_effect": { "name": "" } }),
            json!({ "notice": { "level": "loud", "message": "hi" } }),
            json!({ "image": "https://a.example/a.png" }),
            json!({ "image": "data:text/html;base64,aGk=" }),
            json!({ "image": "data:image/png;base64,<script>" }),
            json!({ "sources": [{ "type": "url", "title": "a", "url": "javascript:x" }] }),
            json!({ "ask": [] }),
            json!({ "respond": "yes" }),
            json!({ "unknown": 1 }),
            json!("all"),
        ] {
            assert_eq!(kinds(wrong.clone()).await, [""; 0], "{wrong}");
        }
    }

    #[test]
    fn an_action_can_name_no_tool_of_another_server() {
        let action = |kind: &str| json!({ "type": kind, "payload": { "type": "tool:a" } });
        let mut widget = json!({ "type": "Card", "children": [
            { "type": "Button", "onClickAction": action("tool:book") },
            { "type": "Button", "onClickAction": action("tool:other__drop") },
            { "type": "Button", "onClickAction": action("page.open") },
        ] });

        name_tools("srv", &mut widget);

        let kind = |place: usize| widget["children"][place]["onClickAction"]["type"].clone();
        assert_eq!(kind(0), "tool:srv__book");
        assert_eq!(kind(1), "tool:srv__other__drop");
        assert_eq!(kind(2), "page.open");
        assert_eq!(widget["children"][0]["onClickAction"]["payload"]["type"], "tool:a");
    }
}
