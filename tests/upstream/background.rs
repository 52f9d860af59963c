//! Answers that go on at the provider when their connection breaks.

use std::time::Duration;

use chatkit_gateway::upstream::{
    Model, ModelEvent, ModelRequest, ModelStream, UpstreamError, responses::ResponsesModel,
};
use futures_util::StreamExt as _;
use tokio_util::sync::CancellationToken;

use crate::{
    client, failure, good, request,
    server::{Server, Step, answer, chunk, end, events, head},
    text,
};

fn created() -> String {
    "data: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\"},\"sequence_number\":0}\n\n"
        .to_owned()
}

fn delta(number: u32) -> String {
    format!(
        "data: {{\"type\":\"response.output_text.delta\",\"output_index\":0,\"content_index\":0,\
         \"delta\":\"{number} \",\"sequence_number\":{number}}}\n\n"
    )
}

fn completed(number: u32) -> String {
    format!(
        "data: {{\"type\":\"response.completed\",\"response\":{{\"status\":\"completed\"}},\
         \"sequence_number\":{number}}}\n\n"
    )
}

/// An answer whose connection breaks behind these events.
fn cut(body: &str) -> Vec<Step> {
    vec![head(), chunk(body)]
}

fn model(server: &Server) -> ResponsesModel {
    ResponsesModel::new(client(server)).in_background()
}

fn ask(model: &ResponsesModel, unwanted: &CancellationToken) -> ModelStream {
    model.stream(ModelRequest { unwanted: Some(unwanted.clone()), ..request() })
}

fn begun() -> ModelEvent {
    ModelEvent::Begun { response_id: "resp_1".to_owned() }
}

#[tokio::test]
async fn a_connection_that_breaks_is_made_anew_behind_the_last_event() {
    let server = Server::start(vec![
        cut(&[created(), delta(1), delta(2)].concat()),
        // One of them again: servers may be generous.
        cut(&[delta(2), delta(3)].concat()),
        events([delta(4), completed(5)].concat()),
    ])
    .await;

    let events = good(ask(&model(&server), &CancellationToken::new())).await;

    assert_eq!(text(&events), "1 2 3 4 ");
    assert_eq!(events[0], begun());
    let requests = server.requests();
    assert!(requests[0].starts_with("POST /v1/responses HTTP/1.1"), "{}", requests[0]);
    assert!(requests[0].contains("\"background\":true"), "{}", requests[0]);
    for (request, after) in requests[1..].iter().zip([2, 3]) {
        let line = format!("GET /v1/responses/resp_1?stream=true&starting_after={after} HTTP/1.1");
        assert!(request.starts_with(&line), "{request}");
    }
    assert_eq!(requests.len(), 3);
}

#[tokio::test]
async fn an_answer_is_read_again_from_its_beginning_by_its_name() {
    let whole = [created(), delta(1), completed(2)].concat();
    let server = Server::start(vec![events(whole)]).await;

    let unwanted = CancellationToken::new();
    let events = good(model(&server).reread("resp_1", unwanted).unwrap()).await;

    assert_eq!(text(&events), "1 ");
    assert!(!events.contains(&begun()), "it is known what it is called");
    let request = server.first_request();
    assert!(request.starts_with("GET /v1/responses/resp_1?stream=true HTTP/1.1"), "{request}");
}

#[tokio::test]
async fn a_name_cannot_lead_out_of_its_path() {
    let server = Server::start(vec![answer("404 Not Found", &[], "")]).await;

    failure(model(&server).reread("../files?x=", CancellationToken::new()).unwrap()).await;

    let request = server.first_request();
    assert!(request.starts_with("GET /v1/responses/..%2Ffiles%3Fx=?stream=true "), "{request}");
}

#[tokio::test]
async fn one_that_breaks_before_its_name_is_known_is_not_asked_again() {
    let server = Server::start(vec![vec![head(), end()]]).await;

    let error = failure(ask(&model(&server), &CancellationToken::new())).await;

    assert!(matches!(error, UpstreamError::Truncated(_)), "{error:?}");
    assert_eq!(server.posts(), 1);
}

#[tokio::test]
async fn one_that_never_gets_further_is_given_up() {
    let server = Server::start(vec![cut(&created()), answer("404 Not Found", &[], "")]).await;

    let error = failure(ask(&model(&server), &CancellationToken::new())).await;

    assert!(matches!(error, UpstreamError::Refused { status: 404, .. }), "{error:?}");
    assert_eq!(server.posts(), 2);
}

#[tokio::test]
async fn an_answer_that_nobody_wants_is_cancelled_and_one_that_is_only_not_read_is_not() {
    for is_unwanted in [true, false] {
        let silent = vec![head(), chunk(created()), Step::AwaitClose];
        let server = Server::start(vec![silent, answer("200 OK", &[], "{}")]).await;
        let (model, unwanted) = (model(&server), CancellationToken::new());
        let mut stream = ask(&model, &unwanted);
        assert_eq!(stream.next().await.unwrap().unwrap(), begun());

        if is_unwanted {
            unwanted.cancel();
        }
        drop(stream);
        tokio::time::timeout(Duration::from_secs(5), model.settle()).await.unwrap();

        server.client_closed().await;
        let told = server.requests().into_iter().nth(1);
        let told = told.map(|request| request.lines().next().unwrap().to_owned());
        let cancel = "POST /v1/responses/resp_1/cancel HTTP/1.1".to_owned();
        assert_eq!(told, is_unwanted.then_some(cancel));
    }
}
