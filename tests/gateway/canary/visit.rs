//! What clients do to the gateway, good and bad, and what the model answers.

use std::sync::Arc;

use chatkit_gateway::{
    demo::scripted_model::{ModelCall, ScriptedModel, Step},
    protocol::Timestamp,
};
use futures_util::{Stream, StreamExt as _, stream};
use jsonwebtoken::{EncodingKey, Header, encode};
use reqwest::{Client, Method, RequestBuilder, StatusCode, header};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{Canaries, TOOL_FAILURE, needles::Needles};

/// A user of the gateway, who remembers what it said.
pub(super) struct Visit {
    http: Client,
    http2: Client,
    base: String,
    canaries: Arc<Canaries>,
    login: String,
    /// The newest session token.
    token: String,
    /// The session tokens before.
    spent: Vec<String>,
    thread: String,
    /// All that was not refused.
    pub(super) answers: String,
    /// Errors, each whole: headers and body, or the frame of an event stream.
    pub(super) refusals: Vec<String>,
}

impl Visit {
    pub(super) fn new(base: &str, canaries: Arc<Canaries>) -> Self {
        // Of the test's own clients; the gateway's process installs its own.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = || Client::builder().no_proxy();
        Self {
            http: client().build().unwrap(),
            http2: client().http2_prior_knowledge().build().unwrap(),
            base: base.to_owned(),
            canaries,
            login: String::new(),
            token: String::new(),
            spent: Vec::new(),
            thread: String::new(),
            answers: String::new(),
            refusals: Vec::new(),
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    /// With the session token.
    fn signed(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(&self.token)
    }

    /// Sends it and keeps what came.
    async fn send(&mut self, request: RequestBuilder) -> (StatusCode, String) {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), format!("{:?}", response.headers()));
        let body = response.text().await.unwrap();
        if status.is_success() {
            self.answers.push_str(&headers);
            for frame in body.split("\n\n") {
                let is_error = frame.contains("\"type\":\"error\"");
                if is_error {
                    self.refusals.push(frame.to_owned());
                } else {
                    self.answers.push_str(frame);
                }
            }
        } else {
            self.refusals.push(format!("{status} {headers} {body}"));
        }
        (status, body)
    }

    async fn expect(&mut self, status: u16, request: RequestBuilder) -> String {
        let (got, body) = self.send(request).await;
        assert_eq!(got.as_u16(), status, "{body}");
        body
    }

    /// Sends a message, and reads the answer to its end.
    async fn say(&mut self, text: &str) -> String {
        let body = json!({ "content": text });
        self.expect(200, self.signed(Method::POST, "/api/chatkit/messages").json(&body)).await
    }

    /// A login, a session for it, and its successor: three tokens to be looked for.
    pub(super) async fn log_in(&mut self, tokens: &mut Needles) {
        let now = Timestamp::now().as_seconds();
        let email = &self.canaries.email;
        let claims = json!({ "sub": "alice", "iat": now, "exp": now + 900, "email": email });
        let key = EncodingKey::from_secret(self.canaries.login_secret.as_bytes());
        self.login = encode(&Header::default(), &claims, &key).unwrap();
        tokens.add("the login's token", without_header(&self.login));
        let begin = self.request(Method::POST, "/api/chatkit/session").bearer_auth(&self.login);
        self.token = client_secret(&self.expect(200, begin).await);
        tokens.add("the session's token", without_header(&self.token));

        let refresh = self.signed(Method::POST, "/api/chatkit/refresh");
        let next = client_secret(&self.expect(200, refresh).await);
        tokens.add("the session's next token", without_header(&next));
        let spent = std::mem::replace(&mut self.token, next);
        let by_body = json!({ "client_secret": spent });
        let again = self.request(Method::POST, "/api/chatkit/refresh").json(&by_body);
        assert_eq!(client_secret(&self.expect(200, again).await), self.token);
        self.spent.push(spent);
    }

    /// Conversations that go well, by all routes there are.
    pub(super) async fn converse(&mut self) {
        let canaries = self.canaries.clone();
        let Canaries { message, title, task, key, .. } = &*canaries;
        let tools = format!("call the tools: {message}");
        let first = self
            .signed(Method::POST, "/api/chatkit/messages")
            .header("idempotency-key", key)
            .json(&json!({ "content": tools }));
        let answer = self.expect(200, first).await;
        assert!(answer.contains("thread.item.done"), "{answer}");

        let input = json!({
            "content": [{ "type": "input_text", "text": message }], "attachments": [],
            "inference_options": {},
        });
        let create = json!({ "type": "threads.create", "params": { "input": input } });
        let over_http2 = self.http2.post(format!("{}/chatkit", self.base));
        self.expect(200, over_http2.bearer_auth(&self.token).json(&create)).await;
        let legacy = json!({ "message": message });
        self.expect(200, self.signed(Method::POST, "/api/alice/chat").json(&legacy)).await;

        let listed = self.expect(200, self.signed(Method::GET, "/api/chatkit/threads")).await;
        let listed: Value = serde_json::from_str(&listed).unwrap();
        listed["data"][0]["id"].as_str().unwrap().clone_into(&mut self.thread);
        let path = format!("/api/chatkit/threads/{}", self.thread);
        let renamed = json!({ "title": title });
        self.expect(200, self.signed(Method::PATCH, &path).json(&renamed)).await;
        self.expect(200, self.signed(Method::GET, &path)).await;
        let added = json!({ "title": task, "description": task });
        self.expect(201, self.signed(Method::POST, "/api/alice/tasks").json(&added)).await;
        self.call_mcp(&json!({ "title": task })).await;
        let other = listed["data"][1]["id"].as_str().unwrap();
        let other = format!("/api/chatkit/threads/{other}");
        self.expect(204, self.signed(Method::DELETE, &other)).await;
    }

    /// The gateway's own tools, by its MCP endpoint.
    async fn call_mcp(&mut self, arguments: &Value) {
        let call = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": { "name": "add_task", "arguments": arguments },
        });
        let request = self
            .signed(Method::POST, "/mcp")
            .header(header::ACCEPT, "application/json, text/event-stream")
            .json(&call);
        self.send(request).await;
    }

    /// A model that refuses, breaks off, and cannot be read; each quotes what it should not.
    pub(super) async fn ask_a_failing_model(&mut self) {
        let message = self.canaries.message.clone();
        for failure in FAILURES {
            let refusals = self.refusals.len();
            let answer = self.say(&format!("{failure}: {message}")).await;
            assert!(self.refusals.len() > refusals, "{failure}: {answer}");
        }
    }

    /// Requests that are refused, with secrets where they do not belong.
    pub(super) async fn misbehave(&mut self) {
        self.misplace_tokens().await;
        self.forge_tokens().await;
        self.send_nonsense().await;
        self.break_http().await;
    }

    async fn misplace_tokens(&mut self) {
        let tokens = [self.token.clone(), self.login.clone(), self.canaries.stray.clone()];
        for token in &tokens {
            let threads = "/api/chatkit/threads";
            for path in [
                format!("{threads}?access_token={token}"),
                format!("{threads}?token={token}&limit={token}"),
                format!("{threads}/{token}"),
                format!("/api/{token}/tasks"),
                format!("/nothing/{token}?{token}"),
                format!("/api/chatkit/runs/{token}/events?after={token}"),
            ] {
                for request in [
                    self.request(Method::GET, &path),
                    self.request(Method::POST, &path).body(token.clone()),
                    self.request(Method::GET, &path).header(header::COOKIE, format!("t={token}")),
                    self.request(Method::GET, &path).basic_auth("alice", Some(token)),
                    self.request(Method::GET, &path).bearer_auth("x.y.z").header("x-token", token),
                    self.request(Method::GET, &path).bearer_auth(token).bearer_auth(token),
                    self.request(Method::GET, &path).header(header::AUTHORIZATION, token),
                ] {
                    let (status, body) = self.send(request).await;
                    assert!(status.is_client_error(), "{path}: {body}");
                }
            }
        }
    }

    async fn forge_tokens(&mut self) {
        let tampered = |token: &str| {
            let (before, letter) = token.split_at(token.len() - 9);
            let other = if letter.starts_with('A') { 'B' } else { 'A' };
            format!("{before}{other}{}", &letter[1..])
        };
        let mut forged =
            vec![self.login.clone(), format!("{}.{}", self.canaries.stray, self.token)];
        for token in [&self.token, &self.login, &self.spent[0]] {
            let (unsigned, _) = token.rsplit_once('.').unwrap();
            forged.extend([tampered(token), format!("{unsigned}."), format!("{token}.{token}")]);
        }
        for token in &forged {
            for path in ["/api/chatkit/messages", "/chatkit"] {
                let request = self.request(Method::POST, path).bearer_auth(token);
                self.expect(401, request.json(&json!({ "content": self.canaries.message }))).await;
            }
            for path in ["/api/chatkit/refresh", "/api/chatkit/logout"] {
                let request = self.request(Method::POST, path).bearer_auth(token);
                self.expect(401, request).await;
            }
            let by_body = json!({ "client_secret": token });
            let refresh = self.request(Method::POST, "/api/chatkit/refresh").json(&by_body);
            self.expect(401, refresh).await;
        }
    }

    async fn send_nonsense(&mut self) {
        let canaries = self.canaries.clone();
        let Canaries { body: stray, attachment, message, .. } = &*canaries;
        for (path, body) in [
            ("/api/chatkit/messages", format!("{{\"content\": {stray}")),
            ("/api/chatkit/messages", format!("{{\"content\": \"{message}")),
            ("/api/chatkit/messages", json!({ "content": [message] }).to_string()),
            (
                "/api/chatkit/messages",
                json!({ "content": message, "thread_id": stray }).to_string(),
            ),
            (
                "/api/chatkit/messages",
                json!({ "content": message, "attachments": [stray] }).to_string(),
            ),
            ("/chatkit", json!({ "type": "threads.delete", "params": stray }).to_string()),
            (
                "/chatkit",
                json!({ "type": "attachments.create", "params": {
                    "name": attachment, "size": 7, "mime_type": "text/plain",
                } })
                .to_string(),
            ),
            (
                "/chatkit",
                json!({ "type": "threads.custom_action", "params": {
                    "thread_id": self.thread, "item_id": null,
                    "action": { "type": "buy", "payload": { "card": stray } },
                } })
                .to_string(),
            ),
            (
                "/chatkit",
                json!({ "type": "threads.add_client_tool_output", "params": {
                    "thread_id": self.thread, "result": stray,
                } })
                .to_string(),
            ),
        ] {
            let request = self.signed(Method::POST, path).body(body.clone());
            let (status, answer) =
                self.send(request.header(header::CONTENT_TYPE, "application/json")).await;
            assert!(!status.is_success() || answer.contains("error"), "{body}: {answer}");
        }
        let untyped = self.signed(Method::POST, "/api/chatkit/messages").body(message.clone());
        self.expect(415, untyped).await;
        let huge = json!({ "content": format!("{message}{}", "x".repeat(1_100_000)) });
        self.expect(413, self.signed(Method::POST, "/api/chatkit/messages").json(&huge)).await;
    }

    /// Bytes that are no HTTP, or only half of it.
    async fn break_http(&mut self) {
        let (token, stray) = (&self.token, &self.canaries.stray);
        let address = self.base.trim_start_matches("http://").to_owned();
        let mut refusals = Vec::new();
        for bytes in [
            format!("{stray} {token}\r\n\r\n"),
            format!("GET /{stray} HTTP/9.9\r\nAuthorization: Bearer {token}\r\n\r\n"),
            format!("GET / HTTP/1.1\r\nAuthorization Bearer {token}\r\n\r\n"),
            format!("GET / HTTP/1.1\r\nHost: x\r\n{stray}: {token}\0\r\n\r\n"),
            format!("POST /chatkit HTTP/1.1\r\nHost: x\r\nContent-Length: {stray}\r\n\r\n{token}"),
            format!(
                "POST /chatkit HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
                 Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{stray}\r\n"
            ),
            format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{stray}{token}"),
        ] {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            stream.write_all(bytes.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut answer = Vec::new();
            // It may be reset: then there is no answer to look at.
            let _ = stream.read_to_end(&mut answer).await;
            refusals.push(String::from_utf8_lossy(&answer).into_owned());
        }
        self.refusals.extend(refusals);
    }

    /// While the database takes no items of threads.
    pub(super) async fn meet_a_broken_database(&mut self) {
        let message = self.canaries.message.clone();
        let body = json!({ "content": message });
        let refused = self.signed(Method::POST, "/api/chatkit/messages").json(&body);
        self.expect(500, refused).await;
        let input = json!({
            "content": [{ "type": "input_text", "text": message }], "attachments": [],
            "inference_options": {},
        });
        let add = json!({
            "type": "threads.add_user_message",
            "params": { "thread_id": self.thread, "input": input },
        });
        self.expect(500, self.signed(Method::POST, "/chatkit").json(&add)).await;
    }

    /// A message that is being answered until the process ends; and a token that comes back, which
    /// ends the session.
    pub(super) async fn leave_an_answer_unfinished(&mut self) {
        let body = json!({ "content": format!("hang: {}", self.canaries.message) });
        let asked = self.signed(Method::POST, "/api/chatkit/messages").json(&body);
        let mut answer = asked.send().await.unwrap().bytes_stream();
        let mut heard = Vec::new();
        while !String::from_utf8_lossy(&heard).contains(&self.canaries.answer) {
            heard.extend_from_slice(&answer.next().await.unwrap().unwrap());
        }
        let second = self.signed(Method::POST, "/api/chatkit/refresh");
        let third = client_secret(&self.expect(200, second).await);
        self.spent.push(std::mem::replace(&mut self.token, third));
        let copied = self.spent[0].clone();
        let reused = self.request(Method::POST, "/api/chatkit/refresh").bearer_auth(copied);
        self.expect(401, reused).await;
        let logout = self.signed(Method::POST, "/api/chatkit/logout");
        self.expect(204, logout).await;
    }

    pub(super) async fn metrics(&mut self) -> String {
        let metrics = self.http.get(format!("{}/metrics", self.base)).send().await.unwrap();
        metrics.text().await.unwrap()
    }
}

fn client_secret(body: &str) -> String {
    let session: Value = serde_json::from_str(body).unwrap();
    session["client_secret"].as_str().unwrap().to_owned()
}

/// What is the token's own: many have the same header.
fn without_header(token: &str) -> &str {
    token.split_once('.').unwrap().1
}

/// The ways in which the model fails, as messages ask for them.
const FAILURES: [&str; 10] = [
    "refuse the key",
    "refuse the request",
    "be limited",
    "be too short",
    "fail",
    "answer in HTML",
    "break off",
    "fail in the middle",
    "say nonsense",
    "fail by an event",
];

/// The model, which does what messages ask for.
pub(super) fn model(canaries: Arc<Canaries>) -> ScriptedModel {
    ScriptedModel::new(move |call: Arc<ModelCall>| answer(&canaries, &call))
}

fn answer(canaries: &Canaries, call: &ModelCall) -> impl Stream<Item = Step> + Send + use<> {
    let Canaries { answer, thought, made_title, argument, .. } = canaries;
    let text = call.last_user_text();
    let asked = text.split_once(": ").map_or("", |(asked, _)| asked);
    let has_called = !call.new_outputs().is_empty();
    let steps = if call.wants_title() {
        vec![Step::text(made_title)]
    } else if asked == "call the tools" && !has_called {
        let arguments = json!({ "note": argument });
        vec![
            Step::Reasoning(thought.clone()),
            Step::text(answer),
            Step::call("srv__echo", &arguments),
            Step::call("srv__refuse", &arguments),
            Step::call("srv__break", &arguments),
            Step::call("srv__fail", &arguments),
            Step::call("add_task", &json!({ "title": argument })),
            Step::call("add_task", &json!({ "name": argument })),
            Step::call("no_such_tool", &arguments),
            Step::Call { name: "list_tasks".to_owned(), arguments: format!("{{{argument}") },
        ]
    } else if asked == "hang" {
        vec![Step::text(answer), Step::Hang]
    } else {
        failure(canaries, asked, &text).unwrap_or_else(|| vec![Step::text(answer)])
    };
    stream::iter(steps)
}

/// Each quotes the key and the prompt.
fn failure(canaries: &Canaries, asked: &str, prompt: &str) -> Option<Vec<Step>> {
    let Canaries { api_key, answer, upstream, .. } = canaries;
    let words = format!("{upstream}: the key {api_key} may not ask for: {prompt} {TOOL_FAILURE}");
    let status = |status, code: &str, body: Option<Value>| {
        let error =
            json!({ "error": { "message": words, "type": "t", "param": null, "code": code } });
        let headers = vec![("x-should-retry", "false".to_owned())];
        vec![Step::Status { status, headers, body: body.unwrap_or(error) }]
    };
    let raw = |frame: String| {
        vec![Step::text(answer), Step::Raw(format!("{frame}\n\n").into_bytes().into())]
    };
    Some(match asked {
        "refuse the key" => status(401, "invalid_api_key", None),
        "refuse the request" => status(400, "invalid_value", None),
        "be limited" => status(429, "rate_limit_exceeded", None),
        "be too short" => status(400, "context_length_exceeded", None),
        "fail" => status(500, "server_error", None),
        "answer in HTML" => status(502, "", Some(format!("<p>{words}</p>").into())),
        "break off" => vec![Step::text(answer), Step::Cut],
        "fail in the middle" => vec![Step::text(answer), Step::error("server_error", words)],
        "say nonsense" => raw(format!("data: {{\"type\": {words}")),
        "fail by an event" => {
            let odd = json!({
                "type": "response.output_text.delta", "output_index": words, "delta": [words],
                "item_id": { "words": words }, "content_index": words,
            });
            let failed = json!({
                "type": "response.failed",
                "response": { "status": "failed", "error": { "code": "c", "message": words } },
            });
            raw(format!("data: {odd}\n\ndata: {failed}"))
        }
        _ => return None,
    })
}
