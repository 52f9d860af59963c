//! What a call gives, as the model gets it.

use rmcp::model::{Annotations, CallToolResult, ContentBlock, Resource, ResourceContents, Role};

use crate::tools::{ToolImage, ToolOutput, registry::MAX_OUTPUT_BYTES};

/// What the models' APIs take as images.
pub(super) const IMAGE_TYPES: [&str; 4] = ["image/gif", "image/jpeg", "image/png", "image/webp"];
/// How many images of one call the model gets.
const MAX_IMAGES: usize = 4;

/// Reads a result. Its parts become one text, its images stand beside it. Structured content is
/// taken where there is no text: servers give it as text, too, for models.
pub(super) fn read(result: &CallToolResult) -> ToolOutput {
    let mut read = Read::default();
    for block in &result.content {
        read.block(block);
    }
    if !read.has_text
        && let Some(content) = &result.structured_content
    {
        read.part(&content.to_string());
    }
    if read.text.is_empty() {
        read.part("The tool gave no output.");
    }
    ToolOutput { text: read.text, is_error: result.is_error.unwrap_or(false), images: read.images }
}

#[derive(Default)]
struct Read {
    text: String,
    /// Whether the server has written text for the model.
    has_text: bool,
    images: Vec<ToolImage>,
}

impl Read {
    fn block(&mut self, block: &ContentBlock) {
        match block {
            ContentBlock::Text(text) if is_for_model(text.annotations.as_ref()) => {
                self.has_text = true;
                self.part(&text.text);
            }
            ContentBlock::Image(image) if is_for_model(image.annotations.as_ref()) => {
                self.image(&image.mime_type, &image.data);
            }
            ContentBlock::Audio(audio) if is_for_model(audio.annotations.as_ref()) => {
                self.part(&format!("[audio, {}, not shown]", brief(&audio.mime_type)));
            }
            ContentBlock::ResourceLink(link) if is_for_model(link.annotations.as_ref()) => {
                self.part(&described(link));
            }
            ContentBlock::Resource(embedded) if is_for_model(embedded.annotations.as_ref()) => {
                self.resource(&embedded.resource);
            }
            // What is for the user alone, and kinds that come later.
            _ => {}
        }
    }

    fn resource(&mut self, resource: &ResourceContents) {
        match resource {
            ResourceContents::TextResourceContents { uri, text, .. } => {
                self.has_text = true;
                self.part(&format!("[resource {}]\n{text}", brief(uri)));
            }
            ResourceContents::BlobResourceContents { uri, mime_type, blob, .. } => {
                let mime_type = mime_type.as_deref().unwrap_or("application/octet-stream");
                if IMAGE_TYPES.contains(&mime_type) {
                    self.image(mime_type, blob);
                } else {
                    let kind = brief(mime_type);
                    self.part(&format!("[resource {}, {kind}, not shown]", brief(uri)));
                }
            }
            _ => {}
        }
    }

    fn image(&mut self, mime_type: &str, data: &str) {
        let is_base64 = !data.is_empty()
            && data.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
        if IMAGE_TYPES.contains(&mime_type) && is_base64 && self.images.len() < MAX_IMAGES {
            let (mime_type, data) = (mime_type.to_owned(), data.to_owned());
            self.images.push(ToolImage { mime_type, data });
            let number = self.images.len();
            self.part(&format!("[image {number}]"));
        } else {
            self.part(&format!("[image, {}, not shown]", brief(mime_type)));
        }
    }

    /// Adds a part on lines of its own, as far as it can be of use: the whole is cut to what the
    /// model gets later, with a note.
    fn part(&mut self, part: &str) {
        if self.text.len() > MAX_OUTPUT_BYTES {
            return;
        }
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(part);
    }
}

fn is_for_model(annotations: Option<&Annotations>) -> bool {
    let audience = annotations.and_then(|annotations| annotations.audience.as_deref());
    audience.is_none_or(|audience| audience.is_empty() || audience.contains(&Role::Assistant))
}

fn described(link: &Resource) -> String {
    let title = link.title.as_deref().unwrap_or(&link.name);
    let mut text = format!("[link to {}: {}]", brief(title), brief(&link.uri));
    if let Some(description) = &link.description {
        text.push(' ');
        text.push_str(&brief(description));
    }
    text
}

/// A line of a text from elsewhere.
fn brief(text: &str) -> String {
    text.chars().take(500).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn output(result: Value) -> ToolOutput {
        read(&serde_json::from_value(result).unwrap())
    }

    #[test]
    fn all_kinds_of_content_become_what_a_model_can_read() {
        let output = output(json!({ "content": [
            { "type": "text", "text": "one" },
            { "type": "image", "mimeType": "image/png", "data": "aGk=" },
            { "type": "image", "mimeType": "image/tiff", "data": "aGk=" },
            { "type": "audio", "mimeType": "audio/wav", "data": "aGk=" },
            { "type": "resource_link", "uri": "https://x/1", "name": "a\nb", "description": "it" },
            { "type": "resource", "resource": { "uri": "x://2", "text": "two" } },
            { "type": "resource", "resource": { "uri": "x://3", "blob": "aGk=" } },
            { "type": "text", "text": "for eyes", "annotations": { "audience": ["user"] } },
        ] }));

        assert_eq!(
            output.text,
            "one\n[image 1]\n[image, image/tiff, not shown]\n[audio, audio/wav, not shown]\n\
             [link to a b: https://x/1] it\n[resource x://2]\ntwo\n\
             [resource x://3, application/octet-stream, not shown]"
        );
        assert_eq!(output.images.len(), 1);
        assert_eq!(output.images[0].url(), "data:image/png;base64,aGk=");
        assert!(!output.is_error);
    }

    #[test]
    fn structured_content_stands_in_where_there_is_no_text() {
        let structured = json!({ "count": 2 });
        let alone = output(json!({ "content": [], "structuredContent": structured }));
        let content = json!([{ "type": "text", "text": "2 tasks" }]);
        let both = output(json!({ "content": content, "structuredContent": structured }));

        assert_eq!(alone.text, "{\"count\":2}");
        assert_eq!(both.text, "2 tasks");
        assert_eq!(output(json!({ "content": [] })).text, "The tool gave no output.");
    }

    #[test]
    fn a_failure_is_told_as_one() {
        let content = json!([{ "type": "text", "text": "no such file" }]);

        let output = output(json!({ "content": content, "isError": true }));

        assert_eq!((output.text.as_str(), output.is_error), ("no such file", true));
    }

    #[test]
    fn what_pretends_to_be_an_image_goes_nowhere() {
        let image = json!({ "type": "image", "mimeType": "image/png", "data": "\"><script>" });

        assert!(output(json!({ "content": [image] })).images.is_empty());
    }

    #[test]
    fn images_and_text_are_bounded() {
        let image = json!({ "type": "image", "mimeType": "image/png", "data": "aGk=" });
        let text = json!({ "type": "text", "text": "x".repeat(MAX_OUTPUT_BYTES) });
        let mut content = vec![image; 10];
        content.extend(vec![text; 10]);

        let output = output(json!({ "content": content }));

        assert_eq!(output.images.len(), MAX_IMAGES);
        assert!(output.text.len() <= 2 * MAX_OUTPUT_BYTES + 1_000);
    }
}
