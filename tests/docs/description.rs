//! The API's description is whole: each route of the router stands in it, and none besides.

use std::collections::BTreeSet;

use serde_json::Value;

use super::gateway::TestGateway;

const ROUTER: &str = include_str!("../../src/http/router.rs");

/// Routes of files and pages, which are no part of the API.
const PAGES: [&str; 7] = [
    "/",
    "/playground/{*file}",
    "/chatkit-gateway.js",
    "/client.js",
    "/client/{*file}",
    "/docs",
    "/docs/{*file}",
];

/// `METHOD /path` for each call of `route` in the router.
fn routes() -> BTreeSet<String> {
    let mut routes = BTreeSet::new();
    for call in ROUTER.split(".route").skip(1) {
        let Some((path, handlers)) = call
            .strip_prefix('(')
            .map(str::trim_start)
            .and_then(|rest| rest.strip_prefix('"')?.split_once('"'))
        else {
            // `route_layer` has no path.
            continue;
        };
        if PAGES.contains(&path) {
            continue;
        }
        let methods = ["get", "post", "put", "patch", "delete"];
        let methods = methods.into_iter().filter(|method| {
            let calls = [" {}(", ".{}(", " {}_service("].map(|call| call.replace("{}", method));
            calls.iter().any(|call| handlers.contains(call.as_str()))
        });
        let before = routes.len();
        routes.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
        assert!(routes.len() > before, "{path} has no method that this test knows");
    }
    routes
}

async fn description() -> (reqwest::Response, TestGateway, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let gateway =
        TestGateway::start(&format!("sqlite://{}/test.db", folder.path().display())).await;
    let url = format!("{}/openapi.json", gateway.base());
    (reqwest::get(url).await.unwrap(), gateway, folder)
}

#[tokio::test]
async fn every_route_is_described() {
    let (answer, gateway, _folder) = description().await;
    let api: Value = answer.json().await.unwrap();
    gateway.stop().await;

    let expected = routes();
    assert!(expected.len() > 20, "{expected:?}");
    let mut described = BTreeSet::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys().filter(|name| *name != "parameters");
        described.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    assert_eq!(described, expected);
    assert_eq!(api["openapi"], "3.1.0");
}

#[tokio::test]
async fn a_caller_that_has_the_description_is_not_sent_it_again() {
    let (answer, gateway, _folder) = description().await;
    let etag = answer.headers()["etag"].clone();
    assert_eq!(answer.headers()["content-type"], "application/json");

    let client = reqwest::Client::builder().build().unwrap();
    let again = client.get(answer.url().clone()).header("if-none-match", etag);
    assert_eq!(again.send().await.unwrap().status(), 304);
    gateway.stop().await;
}

#[tokio::test]
async fn the_page_of_the_description_loads_nothing_from_elsewhere() {
    let (_, gateway, _folder) = description().await;
    let page = reqwest::get(format!("{}/docs", gateway.base())).await.unwrap();

    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self';"));
    let text = page.text().await.unwrap();
    let addresses = text.split(['"']).filter(|part| part.starts_with('/'));
    let addresses: Vec<&str> = addresses.collect();
    assert!(addresses.contains(&"/docs/page.js") && addresses.contains(&"/openapi.json"));
    for address in addresses {
        let file = reqwest::get(format!("{}{address}", gateway.base())).await.unwrap();
        assert_eq!(file.status(), 200, "{address}");
    }
    assert!(!text.contains("//"), "an address of another host");
    gateway.stop().await;
}
