//! `GET /`: the page at the root. For now a sign that points to the interfaces.

use axum::response::Html;

/// `GET /`.
pub(super) async fn show_page() -> Html<&'static str> {
    Html(include_str!("page.html"))
}
