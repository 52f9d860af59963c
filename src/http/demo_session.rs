//! `POST /demo/session`: a session without a login. The route is there in the demo alone.

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, header},
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::protocol::UserId;

use super::{
    AppState,
    error::{ApiError, Code},
    extract::OptionalJsonBody,
    session::{NO_STORE, NoStore, Session},
};

/// Whom the demo lets in; the first is who is meant when nobody is named.
#[derive(Clone, Debug)]
pub(super) struct DemoUsers(pub(super) Vec<UserId>);

/// Who wants to come in.
#[derive(Deserialize, ToSchema)]
pub(super) struct DemoSessionRequest {
    user: Option<String>,
}

/// A session without a login: in the demo alone
///
/// It listens on loopback only, but so does every page that a browser of this machine shows: a name
/// of a foreign host that resolves to this address, and a foreign page, are refused.
#[utoipa::path(
    post,
    path = "/demo/session",
    tag = "Sessions",
    request_body = Option<DemoSessionRequest>,
    responses((status = 200, body = Session, description = "Not to be cached")),
)]
pub(super) async fn create_demo_session(
    State(state): State<AppState>,
    Extension(DemoUsers(users)): Extension<DemoUsers>,
    headers: HeaderMap,
    OptionalJsonBody(request): OptionalJsonBody<DemoSessionRequest>,
) -> Result<(NoStore, Json<Session>), ApiError> {
    if !is_from_this_machine(&headers) {
        return Err(ApiError::new(Code::Forbidden, "the demo is for pages of this machine only"));
    }
    let name = request.and_then(|request| request.user);
    let user = match &name {
        None => users.first(),
        Some(name) => users.iter().find(|user| user.as_str() == name),
    };
    let user = user.ok_or_else(|| ApiError::invalid("the demo has no such user"))?;
    let issued = state.auth.issue_demo_session(user).await?;
    Ok((NO_STORE, Json(issued.into())))
}

/// Whether the request was made to a loopback name, and by a page of the same origin if by a page.
fn is_from_this_machine(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    let Some(host) = text(header::HOST) else { return false };
    let is_own_page = match text(header::ORIGIN) {
        None => true,
        Some(origin) => origin.strip_prefix("http://") == Some(host),
    };
    is_loopback(host) && is_own_page
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_the_demo_itself_are_let_in() {
        let cases = [
            (Some("127.0.0.1:8000"), None, true),
            (Some("localhost:8000"), Some("http://localhost:8000"), true),
            (Some("[::1]:8000"), Some("http://[::1]:8000"), true),
            (Some("localhost"), None, true),
            (None, None, false),
            (Some("attacker.example:8000"), None, false),
            (Some("attacker.example:8000"), Some("http://attacker.example:8000"), false),
            (Some("localhost.attacker.example"), None, false),
            (Some("127.0.0.1:8000"), Some("http://127.0.0.1:8001"), false),
            (Some("127.0.0.1:8000"), Some("https://attacker.example"), false),
            (Some("127.0.0.1:8000"), Some("null"), false),
        ];
        for (host, origin, is_let_in) in cases {
            let mut headers = HeaderMap::new();
            if let Some(host) = host {
                headers.insert(header::HOST, host.parse().unwrap());
            }
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(is_from_this_machine(&headers), is_let_in, "{host:?} {origin:?}");
        }
    }
}
