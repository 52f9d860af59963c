//! A user of the gateway.

use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde_json::{Value, json};

use super::EventStream;

/// Speaks for one user, or for nobody.
#[derive(Clone)]
pub(crate) struct Client {
    base: String,
    pub(crate) token: Option<String>,
    http: reqwest::Client,
}

impl Client {
    pub(crate) fn new(base: &str, token: Option<String>) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { base: base.to_owned(), token, http }
    }

    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, body).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(method, path).json(body).send().await.unwrap()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path).send().await.unwrap()).await
    }

    /// A message into a new thread.
    pub(crate) async fn say(&self, text: &str) -> EventStream {
        self.stream("/api/chatkit/messages", &json!({ "content": text })).await
    }

    /// A message into a thread.
    pub(crate) async fn say_in(&self, thread: &str, text: &str) -> EventStream {
        let body = json!({ "thread_id": thread, "content": text });
        self.stream("/api/chatkit/messages", &body).await
    }

    /// A request that is answered by events.
    pub(crate) async fn stream(&self, path: &str, body: &Value) -> EventStream {
        EventStream::of(self.request(Method::POST, path).json(body).send().await.unwrap()).await
    }

    /// A request of the ChatKit protocol that is answered by events.
    pub(crate) async fn chatkit_stream(&self, kind: &str, params: &Value) -> EventStream {
        self.stream("/chatkit", &json!({ "type": kind, "params": params })).await
    }

    /// The same, asked again while the thread is busy: the server learns a moment later than the
    /// client that a reader has left.
    pub(crate) async fn chatkit_stream_once_free(&self, kind: &str, params: &Value) -> EventStream {
        self.stream_once_free("/chatkit", &json!({ "type": kind, "params": params })).await
    }

    /// A request that is answered by events, asked again while the thread is busy.
    pub(crate) async fn stream_once_free(&self, path: &str, body: &Value) -> EventStream {
        loop {
            let response = self.request(Method::POST, path).json(body).send().await.unwrap();
            if response.status() != StatusCode::CONFLICT {
                return EventStream::of(response).await;
            }
        }
    }

    /// A request of the ChatKit protocol that is answered by JSON.
    pub(crate) async fn chatkit(&self, kind: &str, params: &Value) -> Answer {
        self.post("/chatkit", &json!({ "type": kind, "params": params })).await
    }

    /// A run's events behind a position.
    pub(crate) async fn events_after(&self, run: &str, seq: u64) -> EventStream {
        let request = self
            .request(Method::GET, &format!("/api/chatkit/runs/{run}/events"))
            .header("last-event-id", format!("{run}:{seq}"));
        EventStream::of(request.send().await.unwrap()).await
    }

    /// Says something and waits for the whole answer; answers the thread's id.
    pub(crate) async fn talk(&self, text: &str) -> String {
        let mut stream = self.say(text).await;
        stream.rest().await;
        stream.thread_id
    }

    pub(crate) async fn thread(&self, id: &str) -> Value {
        let answer = self.get(&format!("/api/chatkit/threads/{id}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body
    }

    pub(crate) async fn run(&self, id: &str) -> Value {
        let answer = self.get(&format!("/api/chatkit/runs/{id}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body
    }

    pub(crate) async fn cancel(&self, run: &str) -> Answer {
        self.post(&format!("/api/chatkit/runs/{run}/cancel"), &json!({})).await
    }
}

/// A JSON answer, or an empty one.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: header::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Self { status, headers, body }
    }

    /// The code of an error.
    pub(crate) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }
}
