//! What holds for whatever a client sends in bodies, headers and queries.

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::IntoResponse,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    error::ApiError,
    extract::{JsonBytes, check_media_type},
    legacy_chat::ChatRequest,
    messages::{PostMessage, idempotency_key},
    runs::{EventsQuery, read_position},
    tasks::{CompleteBody, TaskBody},
    threads::{CreateThread, ListQuery, ShowQuery, UpdateThread},
};
use crate::{
    auth::bearer,
    chat::property::list_params,
    fuzz::has_fraction,
    protocol::{AttachmentId, ItemId, RunId, ThreadId, request::ListParams},
};

/// The body of a request of any route. Answers whether it is one of any.
pub(crate) fn rest_body(data: &[u8]) -> bool {
    let body = JsonBytes(Bytes::copy_from_slice(data));
    if let Some(value) = read::<Value>(&body) {
        check_value(data, &value);
    }
    [
        read::<PostMessage>(&body).is_some(),
        read::<ChatRequest>(&body).is_some(),
        read::<CreateThread>(&body).is_some(),
        read::<UpdateThread>(&body).is_some(),
        read::<TaskBody>(&body).is_some(),
        read::<CompleteBody>(&body).is_some(),
    ]
    .contains(&true)
}

/// A header's value, which is tried as each of those that are read.
pub(crate) fn header(data: &[u8]) -> bool {
    let Ok(value) = HeaderValue::from_bytes(data) else { return false };
    let mut headers = HeaderMap::new();
    headers.insert("idempotency-key", value.clone());
    headers.insert(header::CONTENT_TYPE, value.clone());
    let body = JsonBytes(Bytes::new());
    let is_key = match idempotency_key(&headers, "messages", &body) {
        Ok(key) => {
            let key = key.expect("there is one").key;
            assert!(key.as_bytes() == data && (1..=255).contains(&key.len()));
            assert!(key.bytes().all(|byte| byte.is_ascii_graphic()));
            true
        }
        Err(error) => refused(error),
    };
    if let Err(error) = check_media_type(&headers) {
        assert_eq!(error.into_response().status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    } else {
        assert!(data.to_ascii_lowercase().trim_ascii().starts_with(b"application/json"));
    }
    let Ok(text) = value.to_str() else { return is_key };
    if let Some(token) = bearer(text) {
        assert!(text.ends_with(token) && text[..6].eq_ignore_ascii_case("bearer"));
    }
    is_key | check_position(text)
}

fn check_position(text: &str) -> bool {
    let run = RunId::from(uuid::Uuid::from_u128(7));
    let Some(seq) = read_position(run, text) else { return false };
    let digits = text.strip_prefix(&format!("{run}:")).unwrap_or(text);
    assert!(digits.bytes().all(|byte| byte.is_ascii_digit()), "{text}");
    assert_eq!(digits.trim_start_matches('0'), seq.to_string().trim_start_matches('0'), "{text}");
    true
}

/// A cursor, or the query of a list.
pub(crate) fn cursor(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let is_id = check_id(text);
    list_params(&ListParams { after: Some(text.to_owned()), ..ListParams::default() });
    let uri = Uri::builder().path_and_query(format!("/?{text}")).build();
    let Ok(uri) = uri else { return is_id };
    let is_query = [
        has_query::<ListParams>(&uri, list_params),
        has_query::<ListQuery>(&uri, |_| ()),
        has_query::<ShowQuery>(&uri, |_| ()),
        has_query::<EventsQuery>(&uri, |_| ()),
    ];
    is_id || !text.is_empty() && is_query.contains(&true)
}

/// An id has one value, whatever it is the id of, and is written as it was but for capitals.
fn check_id(text: &str) -> bool {
    let parsed = text.parse::<ThreadId>().ok().map(ThreadId::as_uuid);
    let others = [
        text.parse().ok().map(RunId::as_uuid),
        text.parse().ok().map(ItemId::as_uuid),
        text.parse().ok().map(AttachmentId::as_uuid),
    ];
    assert_eq!(others, [parsed; 3]);
    let Some(id) = parsed else { return false };
    assert_eq!(id.to_string(), text.to_ascii_lowercase());
    true
}

fn has_query<T: DeserializeOwned>(uri: &Uri, check: impl Fn(&T)) -> bool {
    let query = axum::extract::Query::<T>::try_from_uri(uri);
    query.is_ok_and(|query| {
        check(&query.0);
        true
    })
}

fn read<T: DeserializeOwned>(body: &JsonBytes) -> Option<T> {
    body.parse().map_err(refused).ok()
}

/// A refusal is the client's fault, and short.
fn refused(error: ApiError) -> bool {
    let shown = format!("{error:?}");
    assert!(shown.len() < 2_000, "{shown}");
    assert_eq!(error.into_response().status(), StatusCode::BAD_REQUEST, "{shown}");
    false
}

/// What was read has as many members as stand there, and comes back from its JSON.
fn check_value(data: &[u8], value: &Value) {
    let json = value.to_string();
    assert_eq!(members(data), members(json.as_bytes()), "{json}");
    let again = serde_json::from_str::<Value>(&json).expect("it is JSON");
    assert!(again == *value || has_fraction(value), "{json}");
}

/// How many members sound JSON has: each has a colon outside of strings.
fn members(json: &[u8]) -> usize {
    let (mut colons, mut in_string, mut is_escaped) = (0, false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = in_string,
            b'"' => in_string = !in_string,
            b':' if !in_string => colons += 1,
            _ => {}
        }
    }
    colons
}
