//! Which images are sent with a history.

use crate::{
    protocol::{ItemKind, attachment::AttachmentKind},
    store::record::History,
};

/// How large the images that are sent themselves, as data URLs, may be together, in bytes: two or
/// three of the usual 4 MB. They go with every call of the model; without a bound a thread of
/// pictures would cost more each turn, until the provider refuses it.
const MAX_IMAGE_BYTES: usize = 12 << 20;

/// The place of the oldest item whose data URLs are sent: the newest images that fit are.
pub(super) fn oldest_sent(history: &History) -> usize {
    let mut left = MAX_IMAGE_BYTES;
    for (at, record) in history.items.iter().enumerate().rev() {
        match left.checked_sub(data_bytes(&record.item.kind)) {
            Some(rest) => left = rest,
            None => return at + 1,
        }
    }
    0
}

fn data_bytes(kind: &ItemKind) -> usize {
    match kind {
        ItemKind::GeneratedImage { image: Some(image) } => data_len(&image.url),
        ItemKind::UserMessage(message) => {
            let lengths = message.attachments.iter().map(|attachment| match &attachment.kind {
                AttachmentKind::Image { preview_url } => data_len(preview_url),
                AttachmentKind::File => 0,
            });
            lengths.sum()
        }
        _ => 0,
    }
}

pub(super) fn is_data(url: &str) -> bool {
    url.starts_with("data:")
}

fn data_len(url: &str) -> usize {
    if is_data(url) { url.len() } else { 0 }
}
