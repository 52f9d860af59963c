//! The lines of the pages give what the pages say.

use super::{
    gateway::TestGateway,
    page::{Expected, Page, Step},
    shell::Transcript,
};

/// Runs a page's lines against a gateway of its own; fails with every line that gave something
/// else.
async fn check(page: &Page) {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}/test.db", folder.path().display());
    let gateway = TestGateway::start(&database).await;
    let steps = page.steps();

    let transcript = Transcript::of(&steps, &gateway.environment()).await;
    gateway.stop().await;

    assert_as_said(page, &steps, &transcript);
}

pub(crate) fn assert_as_said(page: &Page, steps: &[Step], transcript: &Transcript) {
    let mut wrong = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let Some(expected) = &step.expected else {
            wrong.push(format!("{}:{}: nothing is expected", page.name, step.line));
            continue;
        };
        if let Some(contradiction) = transcript.contradiction(number, expected) {
            let (name, line, script) = (page.name, step.line, &step.script);
            wrong.push(format!("{name}:{line}: {expected:?}\n{script}\n{contradiction}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_of_the_readme_give_what_it_says() {
    check(&Page::read("README.md")).await;
}

#[test]
fn the_api_page_shows_at_least_20_calls_and_8_errors() {
    let steps = Page::read("docs/api.md").steps();

    let calls = steps.iter().map(|step| step.script.matches("curl ").count()).sum::<usize>();
    let is_error = |step: &&Step| step.expected.as_ref().is_some_and(Expected::is_error);
    let errors = steps.iter().filter(is_error).count();

    assert!(calls >= 20, "{calls} calls");
    assert!(errors >= 8, "{errors} errors");
}
