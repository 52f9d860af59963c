//! Images that the model draws.

use crate::{
    protocol::{
        ItemId, ItemKind, ItemUpdate, ThreadEvent, ThreadItem, Timestamp, item::GeneratedImage,
    },
    upstream::ModelEvent,
};

use super::Bridge;

/// How large the drafts of all images of a run may be together, in bytes of their data URLs; those
/// beyond are not shown. A run's events are bounded as a whole (`RunLimits::max_output_bytes`,
/// 16 MiB): drafts must leave room for what they are drafts of, up to 12 MB, which is two or three
/// images of the usual 4 MB. A run that draws more than fits fails as one that talks too much.
pub(super) const MAX_DRAFT_BYTES: usize = 4 << 20;

/// An image that is being drawn.
#[derive(Clone, Copy)]
pub(super) struct OpenImage {
    id: ItemId,
    created_at: Timestamp,
}

impl Bridge {
    /// Takes an event about an image; others are none of its business.
    pub(super) fn draw(&mut self, event: ModelEvent, out: &mut Vec<ThreadEvent>) {
        match event {
            ModelEvent::ImageStarted { index } => {
                let open = OpenImage { id: self.ids.next(), created_at: (self.clock)() };
                self.images.insert(index, open);
                out.push(ThreadEvent::ItemAdded { item: self.image_item(open, None) });
            }
            ModelEvent::ImagePartial { index, number, image } => {
                self.show_draft(index, number, image, out);
            }
            ModelEvent::ImageDone { index, image, .. } => {
                let Some(open) = self.images.remove(&index) else { return };
                match image {
                    Some(_) => {
                        let item = self.image_item(open, image);
                        self.done = Some(ThreadEvent::ItemDone { item });
                    }
                    None => out.push(ThreadEvent::ItemRemoved { item_id: open.id }),
                }
            }
            _ => {}
        }
    }

    /// An image that is there at once.
    pub(super) fn made_image(&mut self, url: String) -> ThreadEvent {
        let open = OpenImage { id: self.ids.next(), created_at: (self.clock)() };
        let image = GeneratedImage { id: open.id.to_string(), url };
        ThreadEvent::ItemDone { item: self.image_item(open, Some(image)) }
    }

    fn show_draft(
        &mut self,
        index: usize,
        number: u32,
        image: GeneratedImage,
        out: &mut Vec<ThreadEvent>,
    ) {
        let Some(open) = self.images.get(&index) else { return };
        let Some(left) = self.draft_bytes_left.checked_sub(image.url.len()) else { return };
        self.draft_bytes_left = left;
        let progress = match self.partial_images {
            Some(expected) if expected > 0 => (f64::from(number) / f64::from(expected)).min(1.0),
            _ => 0.0,
        };
        let update = ItemUpdate::GeneratedImageUpdated { image, progress: Some(progress) };
        out.push(ThreadEvent::ItemUpdated { item_id: open.id, update });
    }

    fn image_item(&self, open: OpenImage, image: Option<GeneratedImage>) -> Box<ThreadItem> {
        Box::new(ThreadItem {
            id: open.id,
            thread_id: self.thread_id,
            created_at: open.created_at,
            kind: ItemKind::GeneratedImage { image },
        })
    }
}
