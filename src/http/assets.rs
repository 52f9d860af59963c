//! The files of `web/`, embedded: whoever runs the binary builds nothing and fetches nothing.

use std::{collections::HashMap, fmt::Write as _, sync::LazyLock};

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;

use super::error::ApiError;

/// Files below `web/`, each with its path there.
macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/web/", $path)))),*]
    };
}

/// All that is served. The pages themselves are not: `playground` and `description` serve them.
const FILES: &[(&str, &[u8])] = files![
    "client.js",
    "client/api.js",
    "client/chat-app.js",
    "client/conversation.js",
    "client/dom.js",
    "client/element.js",
    "client/emitter.js",
    "client/event-stream.js",
    "client/icons.js",
    "client/item-list.js",
    "client/items.js",
    "client/items/assistant-message.js",
    "client/items/client-tool-call.js",
    "client/items/generated-image.js",
    "client/items/index.js",
    "client/items/structured-input.js",
    "client/items/unknown.js",
    "client/items/user-message.js",
    "client/items/widget-item.js",
    "client/items/workflow.js",
    "client/markdown/blocks.js",
    "client/markdown/emphasis.js",
    "client/markdown/inline.js",
    "client/markdown/nodes.js",
    "client/markdown/patch.js",
    "client/markdown/urls.js",
    "client/markdown/view.js",
    "client/run.js",
    "client/styles/chat.css",
    "client/styles/items.css",
    "client/styles/markdown.css",
    "client/styles/widgets.css",
    "client/thread-list.js",
    "client/views/announcer.js",
    "client/views/attachment-tray.js",
    "client/views/composer.js",
    "client/views/dialog.js",
    "client/views/menu.js",
    "client/views/notes.js",
    "client/views/sidebar.js",
    "client/views/start-screen.js",
    "client/views/thread-row.js",
    "client/views/transcript.js",
    "client/views/turn-actions.js",
    "client/widgets/boxes.js",
    "client/widgets/content.js",
    "client/widgets/controls.js",
    "client/widgets/fields.js",
    "client/widgets/render.js",
    "client/widgets/style.js",
    "docs/curl.js",
    "docs/dom.js",
    "docs/page.css",
    "docs/page.js",
    "docs/schema.js",
    "helper/chatkit-gateway.js",
    "playground/chatkit.js",
    "playground/icon.svg",
    "playground/own.js",
    "playground/page.css",
    "playground/page.js",
    "playground/session.js",
];

/// Files by their paths below `web/`.
static ASSETS: LazyLock<HashMap<&str, Asset>> = LazyLock::new(|| {
    let asset = |(path, bytes): &(&'static str, &'static [u8])| {
        (*path, Asset::new(content_type(path), Bytes::from_static(bytes)))
    };
    FILES.iter().map(asset).collect()
});

/// A body that only a new version of the program changes.
#[derive(Clone, Debug)]
pub(super) struct Asset {
    content_type: HeaderValue,
    etag: HeaderValue,
    body: Bytes,
}

impl Asset {
    pub(super) fn new(content_type: &'static str, body: Bytes) -> Self {
        let mut etag = String::from('"');
        for byte in &digest(&SHA256, &body).as_ref()[..16] {
            let _ = write!(etag, "{byte:02x}");
        }
        etag.push('"');
        let etag = HeaderValue::try_from(etag).expect("hexadecimal digits fit a header");
        Self { content_type: HeaderValue::from_static(content_type), etag, body }
    }

    /// The body, or 304 where the browser has it already. It always asks: a cached module beside
    /// a newer one would be a page that nobody has tested.
    pub(super) fn answer(&self, request: &HeaderMap) -> Response {
        let headers = [
            (header::ETAG, self.etag.clone()),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ];
        if has(request, &self.etag) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        let content_type = (header::CONTENT_TYPE, self.content_type.clone());
        (headers, [content_type], self.body.clone()).into_response()
    }
}

/// Whether `If-None-Match` names this tag. Proxies that compress make tags weak.
fn has(request: &HeaderMap, etag: &HeaderValue) -> bool {
    let lists = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|list| list.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.trim_start_matches("W/").as_bytes() == etag.as_bytes())
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

pub(super) fn find(path: &str, request: &HeaderMap) -> Result<Response, ApiError> {
    ASSETS.get(path).map(|asset| asset.answer(request)).ok_or_else(ApiError::not_found)
}

/// `GET /chatkit-gateway.js`: the fetch helper for ChatKit's `api.fetch`.
pub(super) async fn helper(headers: HeaderMap) -> Result<Response, ApiError> {
    find("helper/chatkit-gateway.js", &headers)
}

/// `GET /client.js`: the gateway's own client, a web component.
pub(super) async fn client(headers: HeaderMap) -> Result<Response, ApiError> {
    find("client.js", &headers)
}

/// `GET /client/{file}`: the client's modules and styles.
pub(super) async fn client_file(
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    find(&format!("client/{file}"), &headers)
}

/// `GET /playground/{file}`: the modules and styles of the page at `/`.
pub(super) async fn playground_file(
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    find(&format!("playground/{file}"), &headers)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    fn files_below(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files_below(&path, found);
            } else {
                let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
                found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }

    #[test]
    fn every_file_of_the_client_and_the_pages_is_embedded() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
        let mut there =
            BTreeSet::from(["client.js", "helper/chatkit-gateway.js"].map(str::to_owned));
        files_below(&root.join("client"), &mut there);
        files_below(&root.join("docs"), &mut there);
        files_below(&root.join("playground"), &mut there);
        there.remove("docs/index.html");
        there.remove("playground/index.html");

        let embedded: BTreeSet<String> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();

        assert_eq!(embedded, there);
    }

    #[test]
    fn every_embedded_file_has_a_content_type() {
        for (path, _) in FILES {
            assert_ne!(content_type(path), "application/octet-stream", "{path}");
        }
    }

    #[test]
    fn a_browser_that_has_the_file_gets_no_body() {
        let asset = Asset::new("text/css; charset=utf-8", Bytes::from_static(b"p{}"));
        let etag = asset.etag.to_str().unwrap();
        let answer = |value: String| {
            let mut request = HeaderMap::new();
            request.insert(header::IF_NONE_MATCH, HeaderValue::try_from(value).unwrap());
            asset.answer(&request).status()
        };

        assert_eq!(answer(format!("\"other\", W/{etag}")), StatusCode::NOT_MODIFIED);
        assert_eq!(answer("\"other\"".to_owned()), StatusCode::OK);
        assert_eq!(asset.answer(&HeaderMap::new()).status(), StatusCode::OK);
    }
}
