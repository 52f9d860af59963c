//! Every route and every code of the router stands on the API page.

use super::page::Page;

const ROUTER: &str = include_str!("../../src/http/router.rs");
const ERRORS: &str = include_str!("../../src/http/error.rs");

/// The strings that begin with a slash: routes are all that the router has of them.
fn routes() -> Vec<&'static str> {
    let strings = ROUTER.split('"').skip(1).step_by(2);
    strings.filter(|text| text.starts_with('/')).collect()
}

/// The variants of `Code` in the form in which they are sent.
fn codes() -> Vec<String> {
    let (_, variants) = ERRORS.split_once("enum Code {").unwrap();
    let (variants, _) = variants.split_once('}').unwrap();
    variants.split(',').map(str::trim).filter(|name| !name.is_empty()).map(snake_case).collect()
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[test]
fn every_route_stands_on_the_api_page() {
    let page = Page::read("docs/api.md").text;
    let routes = routes();
    assert!(routes.len() > 15, "{routes:?}");

    for route in routes {
        // As code, alone or behind its method.
        let is_there = page.contains(&format!("`{route}`")) || page.contains(&format!(" {route}`"));
        assert!(is_there, "{route} is not described");
    }
}

#[test]
fn every_error_code_stands_in_the_table_of_the_api_page() {
    let page = Page::read("docs/api.md").text;
    let codes = codes();
    assert!(codes.len() > 15, "{codes:?}");

    for code in codes {
        assert!(page.contains(&format!("| `{code}` |")), "{code} is not described");
    }
}
