//! The page at `/` and the modules for pages of one's own.

use reqwest::{Method, StatusCode, header};

use super::support::{TestServer, client::Answer};

#[tokio::test]
async fn the_page_lets_nothing_foreign_run_or_load() {
    let server = TestServer::start().await;

    let page = server.nobody().request(Method::GET, "/").send().await.unwrap();

    let policy = page.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    let directives: Vec<&str> = policy.split(';').map(str::trim).collect();
    for directive in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data: blob:",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(directives.contains(&directive), "{directive} is not in {policy}");
    }
    assert_eq!(page.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    let text = page.text().await.unwrap();
    // Each script is a file, and each file is there.
    for (_, rest) in text.match_indices("<script").map(|(at, _)| text.split_at(at)) {
        let (_, source) = rest.split_once("src=\"").unwrap();
        let (source, _) = source.split_once('"').unwrap();
        let script = server.nobody().request(Method::GET, source).send().await.unwrap();
        assert_eq!(script.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
    }
    assert!(!text.contains("<style") && !text.contains("style="));
    server.stop().await;
}

#[tokio::test]
async fn a_page_that_is_turned_off_is_not_there_but_the_modules_are() {
    let server = TestServer::start_with(&[("CHATKIT_PLAYGROUND", "off")]).await;
    let status =
        async |path| server.nobody().request(Method::GET, path).send().await.unwrap().status();

    assert_eq!(status("/").await, StatusCode::NOT_FOUND);
    assert_eq!(status("/playground/page.js").await, StatusCode::NOT_FOUND);
    assert_eq!(status("/chatkit-gateway.js").await, StatusCode::OK);
    assert_eq!(status("/client.js").await, StatusCode::OK);
    assert_eq!(status("/client/run.js").await, StatusCode::OK);
    assert_eq!(status("/client/../Cargo.toml").await, StatusCode::NOT_FOUND);
    assert_eq!(status("/client/%2e%2e/playground/page.js").await, StatusCode::NOT_FOUND);
    server.stop().await;
}

#[tokio::test]
async fn nobody_gets_a_session_without_a_login_outside_of_the_demo() {
    let server = TestServer::start().await;

    let request = server.nobody().request(Method::POST, "/demo/session");
    let answer = Answer::of(request.send().await.unwrap()).await;

    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    server.stop().await;
}
