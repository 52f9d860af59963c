//! What passes the rules can be kept.

use serde_json::Value;

use super::{ChatError, MessageLimits, rules, threads::page_limit};
use crate::{
    fuzz::comes_back,
    protocol::{
        AttachmentId, ChatKitRequest, ItemId, ThreadId,
        request::{ListParams, UserMessageInput},
    },
};

/// Many for a page.
const MAX: usize = 100;

/// The body of a request to `/chatkit`.
pub(crate) fn chatkit_request(data: &[u8]) -> bool {
    let Ok(request) = serde_json::from_slice::<ChatKitRequest>(data) else { return false };
    match &request {
        ChatKitRequest::ThreadsCreate { input }
        | ChatKitRequest::ThreadsAddUserMessage { input, .. } => {
            let passed = check(input).is_ok();
            assert!(!passed || !has_nul(&comes_back(input)), "{input:?}");
            return passed;
        }
        ChatKitRequest::ThreadsAddStructuredInput { input, .. } => {
            let passed = rules::check_answers(input, MessageLimits::default()).is_ok();
            let mut values = input.answers.values().flat_map(|answer| &answer.values);
            assert!(!passed || !values.any(|value| value.contains('\0')), "{input:?}");
            return passed;
        }
        ChatKitRequest::ThreadsCustomAction(action)
        | ChatKitRequest::ThreadsSyncCustomAction(action) => {
            comes_back(&action.action);
        }
        ChatKitRequest::ThreadsUpdate { title, .. } => {
            let passed = rules::check_title(title).is_ok();
            assert!(!passed || !title.contains('\0'), "{title:?}");
            return passed;
        }
        ChatKitRequest::AttachmentsCreate { name, size, mime_type } => {
            let passed = rules::check_file(name, *size, mime_type);
            assert!(passed.is_err() || !format!("{name}{mime_type}").contains('\0'));
            return passed.is_ok();
        }
        ChatKitRequest::ThreadsList(page) | ChatKitRequest::ItemsList { page, .. } => {
            list_params(page);
        }
        _ => {}
    }
    true
}

/// A page has from one to so many entries, and begins behind one thing or at the beginning.
pub(crate) fn list_params(page: &ListParams) {
    assert!((1..=MAX).contains(&page_limit(page.limit, MAX)));
    if let Some(after) = page.after() {
        assert!(!after.is_empty());
        let ids = [
            ThreadId::parse_or_unknown(after).as_uuid(),
            ItemId::parse_or_unknown(after).as_uuid(),
        ];
        assert_eq!(ids[0], ids[1]);
    }
}

fn check(input: &UserMessageInput) -> Result<(), ChatError> {
    let attachments: &[AttachmentId] = &input.attachments;
    let limits = MessageLimits::default();
    rules::check_content(&input.content, !attachments.is_empty(), limits)?;
    rules::check_quote(input.quoted_text.as_deref())?;
    rules::check_options(&input.inference_options)?;
    rules::check_attachments(attachments, limits)
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(entries) => entries.iter().any(has_nul),
        Value::Object(members) => {
            members.iter().any(|(name, value)| name.contains('\0') || has_nul(value))
        }
        _ => false,
    }
}
