//! An image as it is drawn.

use serde_json::Value;

use super::wire::{id, text};
use crate::{protocol::item::GeneratedImage, upstream::ModelEvent};

/// The format of an image of which the server does not say it, which is its default.
const DEFAULT_FORMAT: &str = "png";

/// An image of which at least the beginning is known. What is drawn is passed on and not kept:
/// it may be megabytes.
#[derive(Default)]
pub(super) struct Image {
    /// The model's identifier of it.
    id: String,
    /// How many drafts were told, for servers that do not number them.
    drafts: u32,
}

impl Image {
    pub(super) fn start(
        index: usize,
        item: &Value,
        item_id: Option<&str>,
        out: &mut Vec<ModelEvent>,
    ) -> Self {
        out.push(ModelEvent::ImageStarted { index });
        let id = id(&item["id"]).or(item_id).unwrap_or("image");
        Self { id: id.to_owned(), drafts: 0 }
    }

    /// Takes a draft.
    pub(super) fn draw(&mut self, index: usize, event: &Value, out: &mut Vec<ModelEvent>) {
        let Some(image) = self.image(event, "partial_image_b64") else { return };
        let number =
            event["partial_image_index"].as_u64().and_then(|number| number.try_into().ok());
        let number = number.unwrap_or(self.drafts);
        self.drafts = number.saturating_add(1);
        out.push(ModelEvent::ImagePartial { index, number, image });
    }

    /// Ends it by its whole item; without one there is no image.
    pub(super) fn end(&mut self, index: usize, item: Option<&Value>, out: &mut Vec<ModelEvent>) {
        let image = item.and_then(|item| self.image(item, "result"));
        // Without a result the provider would not take it back.
        let item = item.filter(|_| image.is_some()).cloned();
        out.push(ModelEvent::ImageDone { index, image, item });
    }

    /// The image that a member holds in base64, as a data URL.
    fn image(&self, value: &Value, member: &str) -> Option<GeneratedImage> {
        let base64 = id(&value[member])?;
        let format = match text(&value["output_format"]) {
            "jpg" => "jpeg",
            format @ ("png" | "jpeg" | "webp" | "gif") => format,
            _ => DEFAULT_FORMAT,
        };
        let url = format!("data:image/{format};base64,{base64}");
        Some(GeneratedImage { id: self.id.clone(), url })
    }
}
