//! All that the gateway sends, read with the SDK's own types: strictly, and without a loss.

use chatkit_gateway::{
    demo::scripted_model::Step,
    protocol::{Order, UserId},
    store::PageQuery,
};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::{gateway, judge::Sent, model::TestModel};
use crate::{
    agent::ScriptedAgent,
    compare::events,
    files::ScriptedFiles,
    play::{Play, Poster},
    recording::Recorded,
    replay::{STOPPED, plays},
    server::TestServer,
    stopped::read_events,
};

/// What the SDK knows and no client may see.
const NEVER_SENT: [&str; 2] = ["HiddenContextItem", "SDKHiddenContextItem"];

#[tokio::test]
#[ignore = "needs TEST_SDK_PYTHON"]
async fn every_flow_is_read_by_the_official_types_without_a_loss() {
    let mut sent = Sent::default();

    for has_files in [false, true] {
        answered_flows(has_files, &mut sent).await;
    }
    stopped_flows(&mut sent).await;

    let report = sent.judge();
    println!("the recorded flows: {}", report.figures());
    report.assert_read();
    assert_eq!(
        sorted(report.unseen),
        NEVER_SENT,
        "what the SDK knows and the gateway did not send"
    );
}

#[tokio::test]
#[ignore = "needs TEST_SDK_PYTHON"]
async fn a_conversation_with_a_model_is_read_by_the_official_types_without_a_loss() {
    let model = TestModel::start().await;
    let server = gateway::with_tools(&model).await;
    let user = UserId::parse("alice").unwrap();
    let mut talk = Talk { server: &server, model: &model, user: &user, sent: Sent::default() };

    let thread = talk.message(None, "Plain, please", [Step::text("Plain"), Step::text(".")]).await;
    let thread = Some(thread.as_str());
    talk.message(thread, "Think first", thoughtful()).await;
    talk.message(thread, "Refuse", [Step::Refusal("No.".to_owned())]).await;
    model.will_play([
        Step::Reasoning("Two calls".to_owned()),
        Step::call("add_task", &json!({"title": "milk"})),
        Step::call("complete_task", &json!({"task_id": 99})),
    ]);
    talk.message(thread, "Use tools", [Step::text("Added.")]).await;
    talk.message(thread, "Fail at once", [Step::status(400, "bad", "no")]).await;
    talk.message(thread, "Fail", [Step::text("Ha"), Step::error("server_error", "no")]).await;
    talk.message(thread, "Be cut", [Step::text("Ha"), Step::Cut]).await;
    talk.cancelled(thread, "Hang", [Step::text("Half an ans"), Step::Hang]).await;
    talk.message(None, "Another thread", [Step::text("Yes.")]).await;
    all_of(&user, &server, &mut talk.sent).await;
    let sent = talk.sent;

    server.stop().await;
    let report = sent.judge();
    println!("a conversation: {}", report.figures());
    report.assert_read();
}

fn thoughtful() -> [Step; 3] {
    [Step::Reasoning("First ".to_owned()), Step::Reasoning("this.".to_owned()), Step::text("Done.")]
}

/// A user who talks with a model, by turns over the page's route and over the gateway's own.
struct Talk<'a> {
    server: &'a TestServer,
    model: &'a TestModel,
    user: &'a UserId,
    sent: Sent,
}

impl Talk<'_> {
    /// Says something, twice: answers the thread.
    async fn message<const N: usize>(
        &mut self,
        thread: Option<&str>,
        text: &str,
        answer: [Step; N],
    ) -> String {
        self.model.will_play(answer);
        let response = self.page_request(thread, text).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{text}");
        let thread = response.headers()["x-thread-id"].to_str().unwrap().to_owned();
        let run = response.headers()["x-run-id"].to_str().unwrap().to_owned();
        self.sent.stream(text, &response.text().await.unwrap());

        let path = format!("/api/chatkit/runs/{run}/events");
        let again = self.server.get(self.user, &path).send().await.unwrap();
        self.sent.stream(&format!("{text}, read again"), &again.text().await.unwrap());
        thread
    }

    /// Says something over the gateway's own route and stops the answer.
    async fn cancelled<const N: usize>(
        &mut self,
        thread: Option<&str>,
        text: &str,
        answer: [Step; N],
    ) {
        self.model.will_play(answer);
        let body = json!({"thread_id": thread, "content": text}).to_string();
        let request = self.server.post(self.user, "/api/chatkit/messages", body);
        let mut response = request.send().await.unwrap();
        // The message, the options, the answer's item, its part, its text.
        let seen = read_events(&mut response, 5).await;
        cancel(response, self.user, self.server).await;
        self.sent.stream(text, &seen);
    }

    fn page_request(&self, thread: Option<&str>, text: &str) -> RequestBuilder {
        let input = json!({
            "content": [{"type": "input_text", "text": text}],
            "attachments": [],
            "inference_options": {},
        });
        let body = match thread {
            None => json!({"type": "threads.create", "params": {"input": input}}),
            Some(thread) => json!({
                "type": "threads.add_user_message",
                "params": {"input": input, "thread_id": thread},
            }),
        };
        self.server.post(self.user, "/chatkit", body.to_string())
    }
}

/// Flows that are answered in one go, of a server with a place for files or without.
async fn answered_flows(has_files: bool, sent: &mut Sent) {
    let plays = plays().into_iter().map(|(play, _)| play);
    let plays: Vec<Play> = plays.filter(|play| play.has_files() == has_files).collect();
    let (mut agent, mut files) = (ScriptedAgent::default(), ScriptedFiles::default());
    for play in &plays {
        agent.add(play.user.as_str(), play.script());
        files.add(play.user.as_str(), play.script());
    }
    let server = TestServer::start_with(agent, has_files.then_some(files)).await;
    for play in &plays {
        answer_to(play, &server, sent).await;
        all_of(&play.user, &server, sent).await;
    }
    server.stop().await;
}

/// Flows whose client goes away.
async fn stopped_flows(sent: &mut Sent) {
    let plays = STOPPED.map(|flow| Play::new(flow, Poster::Helper));
    let mut agent = ScriptedAgent::default();
    for play in &plays {
        agent.add(play.user.as_str(), play.script());
    }
    let server = TestServer::start(agent).await;
    for play in &plays {
        answer_until_cancelled(play, &server, sent).await;
        all_of(&play.user, &server, sent).await;
    }
    server.stop().await;
}

/// What a flow is answered; a stream also as it is read from what is stored.
async fn answer_to(play: &Play, server: &TestServer, sent: &mut Sent) {
    play.fill(server).await;
    let response = play.request(server).send().await.unwrap();
    if response.status() != StatusCode::OK {
        // An error of the gateway's own form.
        return;
    }
    let run = response.headers().get("x-run-id").map(|run| run.to_str().unwrap().to_owned());
    let request: Value = serde_json::from_str(&play.recording.request).unwrap();
    let body = response.text().await.unwrap();
    sent.answer(play.user.as_str(), request["type"].as_str().unwrap(), &body);
    if let Some(run) = run {
        let path = format!("/api/chatkit/runs/{run}/events");
        let again = server.get(&play.user, &path).send().await.unwrap();
        sent.stream(&format!("{}, read again", play.user), &again.text().await.unwrap());
    }
}

/// What a flow is answered up to where its client goes away, which is a cancel here.
async fn answer_until_cancelled(play: &Play, server: &TestServer, sent: &mut Sent) {
    let Recorded::Stream(recorded) = &play.recording.answer else { unreachable!() };
    play.fill(server).await;
    let mut response = play.request(server).send().await.unwrap();
    let seen = read_events(&mut response, events(recorded).lines().count()).await;
    cancel(response, &play.user, server).await;
    sent.stream(play.user.as_str(), &seen);
}

async fn cancel(response: reqwest::Response, user: &UserId, server: &TestServer) {
    let run = response.headers()["x-run-id"].to_str().unwrap().to_owned();
    let path = format!("/api/chatkit/runs/{run}/cancel");
    let cancelled = server.post(user, &path, "{}".to_owned()).send().await.unwrap();
    assert_eq!(cancelled.status(), StatusCode::ACCEPTED);
    // To its end: then all is stored.
    response.text().await.unwrap();
}

/// All that a user has, by every request that shows it.
async fn all_of(user: &UserId, server: &TestServer, sent: &mut Sent) {
    let ask = async |kind: &str, params: Value| {
        let body = json!({"type": kind, "params": params}).to_string();
        let response = server.post(user, "/chatkit", body).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{kind}");
        response.text().await.unwrap()
    };
    let page = PageQuery { limit: 1_000, order: Order::Asc, after: None };
    let threads = server.store.list_threads(user, None, page).await.unwrap().unwrap();
    for thread in &threads.data {
        let id = json!({"thread_id": thread.id});
        let page = json!({"thread_id": thread.id, "limit": 200, "order": "asc"});
        let title = json!({"thread_id": thread.id, "title": "Another title"});
        for (kind, params) in
            [("threads.get_by_id", id), ("items.list", page), ("threads.update", title)]
        {
            sent.answer(&format!("{kind} of {user}"), kind, &ask(kind, params).await);
        }
    }
    for params in [json!({}), json!({"limit": 1})] {
        let kind = "threads.list";
        sent.answer(&format!("{kind} of {user}"), kind, &ask(kind, params).await);
    }
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}
