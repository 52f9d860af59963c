//! What the user wrote.

use serde_json::Value;

use crate::{
    protocol::{
        Attachment,
        attachment::AttachmentKind,
        item::{UserContent, UserMessage},
    },
    upstream::{InputItem, InputPart},
};

use super::Place;

const TAG_HEADING: &str = "# User-provided context for @-mentions\n- When referencing resolved \
     entities, use their canonical names **without** '@'.\n- The '@' form appears only in user \
     text and should not be echoed.";

/// Adds a message: its text with tags as `@name` and its attachments; then what it answers, if it
/// is the newest; then its tags.
pub(super) fn add(message: &UserMessage, place: Place, input: &mut Vec<InputItem>) {
    let text = InputPart::Text(message.plain_text());
    let attachments = message.attachments.iter();
    let attachments = attachments.flat_map(|file| attachment_parts(file, place));
    input.push(InputItem::User(std::iter::once(text).chain(attachments).collect()));
    if let Some(quote) = message.quoted_text.as_ref().filter(|_| place.is_newest) {
        input.push(InputItem::user_text(format!(
            "The user is referring to this in particular: \n{quote}"
        )));
    }
    let tags = tag_parts(message);
    if !tags.is_empty() {
        let heading = InputPart::Text(TAG_HEADING.to_owned());
        input.push(InputItem::User(std::iter::once(heading).chain(tags).collect()));
    }
}

/// The attachment's name, and what it shows if that can be looked at.
///
/// A page's address is only given while the message is the newest: it may not last, and a provider
/// that cannot fetch an image refuses the whole conversation.
fn attachment_parts(attachment: &Attachment, place: Place) -> impl Iterator<Item = InputPart> {
    let Attachment { id, name, .. } = attachment;
    let label = InputPart::Text(format!("<ATTACHMENT id={id}>{name}</ATTACHMENT>"));
    let image = match &attachment.kind {
        AttachmentKind::Image { preview_url: url } => {
            let is_usable = (place.is_newest && url.starts_with("https://"))
                || (url.starts_with("data:image/") && place.sends_images);
            is_usable.then(|| InputPart::Image { url: url.clone() })
        }
        AttachmentKind::File => None,
    };
    std::iter::once(label).chain(image)
}

/// A part for each tag, those of one text once.
fn tag_parts(message: &UserMessage) -> Vec<InputPart> {
    let mut names: Vec<&str> = Vec::new();
    let mut parts = Vec::new();
    for content in &message.content {
        let UserContent::InputTag { id, text, data, .. } = content else { continue };
        if names.contains(&text.as_str()) {
            continue;
        }
        names.push(text);
        let data = if data.is_empty() {
            String::new()
        } else {
            format!("\n{}", Value::from(data.clone()))
        };
        parts.push(InputPart::Text(format!("<TAG id={id}>{text}{data}</TAG>")));
    }
    parts
}
