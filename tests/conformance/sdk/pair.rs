//! Both servers, asked the same by the same user, their models answering the same.

use std::{sync::Arc, time::Duration};

use chatkit_gateway::{demo::scripted_model::Step, protocol::UserId};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{
    gateway,
    model::TestModel,
    normal::Normal,
    official::Official,
    rules::{ALWAYS, Rule},
};
use crate::{compare::first_difference, server::TestServer};

/// Longest answer. The longest of the test is that to a model which fails three times, and takes
/// three seconds.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Both servers and their models.
pub(crate) struct Servers {
    gateway: TestServer,
    gateways_model: TestModel,
    official: Official,
    officials_model: TestModel,
}

impl Servers {
    pub(crate) async fn start() -> Self {
        let gateways_model = TestModel::start().await;
        let officials_model = TestModel::start().await;
        Self {
            gateway: gateway::with_a_client_tool(&gateways_model).await,
            official: Official::start(&officials_model).await,
            gateways_model,
            officials_model,
        }
    }

    pub(crate) async fn stop(self) {
        self.gateway.stop().await;
    }
}

/// What a user asks both servers.
pub(crate) struct Pair<'a> {
    servers: &'a Servers,
    user: UserId,
    gateway: Normal,
    official: Normal,
    /// What each server's model waits for in the answer to come: that the user sees text of it.
    gates: Option<[Arc<Notify>; 2]>,
    /// Answers that were the same.
    pub(crate) compared: usize,
}

impl<'a> Pair<'a> {
    /// For a user of whom neither server knows.
    pub(crate) fn new(servers: &'a Servers, user: &str) -> Self {
        Self {
            servers,
            user: UserId::parse(user).unwrap(),
            gateway: Normal::default(),
            official: Normal::default(),
            gates: None,
            compared: 0,
        }
    }

    /// Both models answer their next call with these steps.
    pub(crate) fn will_play<const N: usize>(&self, steps: [Step; N]) {
        self.servers.gateways_model.will_play(steps.clone());
        self.servers.officials_model.will_play(steps);
    }

    /// The same; what follows comes when the user has seen text of the answer.
    pub(crate) fn will_play_up_to(&mut self, first: &Step, then: &Step) {
        let gates = [Arc::new(Notify::new()), Arc::new(Notify::new())];
        let models = [&self.servers.gateways_model, &self.servers.officials_model];
        for (model, gate) in models.into_iter().zip(&gates) {
            model.will_play_up_to(Arc::clone(gate), first.clone(), then.clone());
        }
        self.gates = Some(gates);
    }

    /// Begins a thread with a message. It becomes `id-1`, the message `id-2`.
    pub(crate) async fn begin(&mut self, text: &str, rules: &[Rule]) -> Result<Vec<Value>, String> {
        self.ask("threads.create", &json!({"input": message(text)}), rules).await
    }

    /// A further message in `id-1`.
    pub(crate) async fn say(&mut self, text: &str, rules: &[Rule]) -> Result<Vec<Value>, String> {
        let params = json!({"input": message(text), "thread_id": "id-1"});
        self.ask("threads.add_user_message", &params, rules).await
    }

    /// A request, identifiers in the common form. Both must answer the same but for the rules; each
    /// of these must be needed. Answers the events, or the answer that is none.
    pub(crate) async fn ask(
        &mut self,
        kind: &str,
        params: &Value,
        rules: &[Rule],
    ) -> Result<Vec<Value>, String> {
        let (gateway, official) = self.both(kind, params).await;
        let of = |who: &str, answer: Answer| match (answer.status, answer.body) {
            (StatusCode::OK, Some(body)) => Ok(body),
            (status, body) => Err(format!("{kind}: {who} answers {status} {body:?}")),
        };
        let mut gateway = parsed(&of("the gateway", gateway)?, &mut self.gateway);
        let mut official = parsed(&of("the SDK", official)?, &mut self.official);
        for rule in ALWAYS {
            rule.apply(&mut gateway, &mut official);
        }
        for rule in rules {
            if !rule.apply(&mut gateway, &mut official) {
                return Err(format!("{kind}: {} need not be a rule here", rule.name));
            }
        }
        same(kind, &official, &gateway)?;
        self.compared += 1;
        Ok(gateway)
    }

    /// All items of `id-1`.
    pub(crate) async fn items(&mut self, rules: &[Rule]) -> Result<(), String> {
        let params = json!({"thread_id": "id-1", "limit": 100, "order": "asc"});
        self.ask("items.list", &params, rules).await.map(|_| ())
    }

    /// A request that the gateway answers with a status, and the SDK with an exception.
    pub(crate) async fn refused(
        &mut self,
        kind: &str,
        params: &Value,
        status: u16,
        code: &str,
    ) -> Result<(), String> {
        let (gateway, official) = self.both(kind, params).await;
        let body: Value = serde_json::from_str(&gateway.body.unwrap_or_default()).unwrap();
        if gateway.status != status || body["error"]["code"] != code {
            return Err(format!("{kind}: the gateway answers {} {body}", gateway.status));
        }
        if official.status == StatusCode::OK && official.body.is_some() {
            return Err(format!("{kind}: the SDK answers {:?}", official.body));
        }
        self.compared += 1;
        Ok(())
    }

    /// Compares what both models were asked with last.
    pub(crate) fn same_input(&mut self, rules: &[Rule]) -> Result<(), String> {
        let mut gateway = last_input(&self.servers.gateways_model);
        let mut official = last_input(&self.servers.officials_model);
        // What has no order for a model.
        gateway.iter_mut().chain(&mut official).for_each(Value::sort_all_objects);
        for rule in rules {
            if !rule.apply(&mut gateway, &mut official) {
                return Err(format!("the input: {} need not be a rule here", rule.name));
            }
        }
        self.compared += 1;
        same("the model's input", &official, &gateway)
    }

    /// At the end of a talk: both models were asked as often as was said.
    pub(crate) fn end(&self) -> Result<(), String> {
        let models = [&self.servers.gateways_model, &self.servers.officials_model];
        match models.map(TestModel::forget_answers).into() {
            (0, 0) => Ok(()),
            (gateway, official) => Err(format!(
                "answers that were not asked for: {gateway} of the gateway's model, {official} of \
                 the SDK's"
            )),
        }
    }

    async fn both(&mut self, kind: &str, params: &Value) -> (Answer, Answer) {
        let body = json!({"type": kind, "params": params}).to_string();
        let gateway = self.servers.gateway.post(&self.user, "/chatkit", self.gateway.to_own(&body));
        let official = self.servers.official.post(self.user.as_str(), self.official.to_own(&body));
        let [first, second] = self.gates.take().map_or([None, None], |gates| gates.map(Some));
        tokio::join!(Answer::to(gateway, first), Answer::to(official, second))
    }
}

/// What a server answered.
struct Answer {
    status: StatusCode,
    /// Absent when it broke off.
    body: Option<String>,
}

impl Answer {
    /// Reads it to its end; opens the gate at the first text.
    async fn to(request: RequestBuilder, gate: Option<Arc<Notify>>) -> Self {
        let mut response = request.timeout(TIMEOUT).send().await.unwrap();
        let status = response.status();
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(_) => return Self { status, body: None },
            }
            if let Some(gate) = &gate
                && String::from_utf8_lossy(&body).contains("text_delta")
            {
                gate.notify_one();
            }
        }
        Self { status, body: Some(String::from_utf8(body).unwrap()) }
    }
}

/// A message as a page sends it.
pub(crate) fn message(text: &str) -> Value {
    json!({
        "content": [{"type": "input_text", "text": text}],
        "attachments": [],
        "inference_options": {},
    })
}

/// The events of a stream, or the one answer that is none.
fn parsed(body: &str, normal: &mut Normal) -> Vec<Value> {
    let lines: Vec<&str> = if body.starts_with('{') {
        vec![body]
    } else {
        body.lines().filter_map(|line| line.strip_prefix("data: ")).collect()
    };
    let mut values: Vec<Value> =
        lines.into_iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    for value in &mut values {
        normal.json(value);
    }
    values
}

fn last_input(model: &TestModel) -> Vec<Value> {
    let body = model.calls().last().expect("it was asked").body.clone();
    body["input"].as_array().expect("a list").clone()
}

fn same(what: &str, official: &[Value], gateway: &[Value]) -> Result<(), String> {
    let lines =
        |values: &[Value]| values.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    first_difference(&lines(official), &lines(gateway))
        .map_or(Ok(()), |difference| Err(format!("{what}: {difference}")))
}
