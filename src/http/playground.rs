//! `GET /`: the playground, a page with the gateway's own client or, by choice, with ChatKit's
//! element.

use axum::{
    Extension,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::protocol::UserId;

use super::{assets::Asset, extract::Query};

/// What the page is told of the gateway.
#[derive(Clone, Debug, Serialize)]
pub(super) struct PlaygroundSettings {
    /// Whom the demo lets in without a login; nobody outside of it.
    pub(super) demo_users: Vec<UserId>,
    /// Whether files can be attached.
    pub(super) attachments: bool,
}

/// The page, filled in once.
#[derive(Clone, Debug)]
pub(super) struct Playground(Asset);

impl Playground {
    pub(super) fn new(settings: &PlaygroundSettings) -> Self {
        let settings = serde_json::to_string(settings).expect("names and truth values serialise");
        let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/web/playground/index.html"))
            .replace("{{version}}", env!("CARGO_PKG_VERSION"))
            .replace("{{settings}}", &escaped(&settings));
        Self(Asset::new("text/html; charset=utf-8", Bytes::from(page)))
    }
}

/// Text inside a quoted attribute of HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
}

/// Everything comes from here, and no script or style stands in the page itself; text of the model
/// can therefore run nothing and fetch nothing, whatever the client should get wrong.
const OWN_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// With ChatKit's element, whose script and frame are OpenAI's. Its styles may be inline: nothing of
/// the model's is shown outside of that frame.
const CHATKIT_POLICY: &str = "default-src 'none'; \
    script-src 'self' https://cdn.platform.openai.com; \
    frame-src https://cdn.platform.openai.com; style-src 'self' 'unsafe-inline'; \
    connect-src 'self'; img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// Which client the page is to show.
#[derive(Debug, Deserialize)]
pub(super) struct PageQuery {
    ui: Option<String>,
}

/// `GET /`.
pub(super) async fn show_page(
    Extension(Playground(page)): Extension<Playground>,
    Query(query): Query<PageQuery>,
    headers: HeaderMap,
) -> Response {
    let is_chatkit = query.ui.as_deref() == Some("chatkit");
    let policy = if is_chatkit { CHATKIT_POLICY } else { OWN_POLICY };
    let policy = [(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy))];
    (policy, page.answer(&headers)).into_response()
}
