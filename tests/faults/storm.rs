//! Clients that ask and are gone, many at a time.

use std::{sync::Arc, time::Duration};

use chatkit_gateway::{
    agent::{ModelAgent, model_agent::ModelAgentConfig},
    app::{Gateway, Parts},
    config::Config,
    protocol::Timestamp,
    store::{self, OpenOptions},
    tools::ToolRegistry,
    upstream::{
        client::{UpstreamClient, UpstreamConfig},
        responses::ResponsesModel,
    },
};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::json;
use tokio::{
    net::TcpListener,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::rig::{
    Database, Findings, GatewayProcess, Invariant, Plan, RecordingModel, Transcript, User,
    gateway_process::{SECRET, token},
    invariants::{self, Evidence},
    rude::{self, Leaves},
    settings,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_aborted_posts_leaves_nothing_behind_on_sqlite() {
    storm("aborted posts, SQLite", &Database::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn a_storm_of_aborted_posts_leaves_nothing_behind_on_postgres() {
    storm("aborted posts, PostgreSQL", &Database::postgres().await).await;
}

async fn storm(scenario: &'static str, database: &Database) {
    let mut random = settings::random(scenario);
    let mut findings = Findings::new(scenario);
    let (rate, seconds) = settings::storm();
    let model = RecordingModel::start().await;
    let gateway = GatewayProcess::start(&database.url, &model.base_url()).await;
    let users = User::all(&[&gateway.base]);
    let before = gateway.resources_when_warm().await;
    let begun = Timestamp::now();

    let mut leaving = JoinSet::new();
    let mut pace = interval(Duration::from_secs(1) / rate);
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for number in 0..rate * seconds {
        pace.tick().await;
        let user = &users[number as usize % users.len()];
        let plan = Plan::new(format!("{}/storm.{number}", user.name), 5, 2);
        let body = json!({ "content": plan.text() }).to_string();
        let request = rude::request("POST", "/api/chatkit/messages", &user.token(), Some(&body));
        let leaves = Leaves::at_random(&mut random, Duration::from_millis(20));
        leaving.spawn(rude::ask_and_leave(gateway.address(), request, leaves, random.bool()));
    }
    leaving.join_all().await;
    let back = invariants::resources_are_back(&gateway, &model, before).await;
    findings.note(Invariant::ResourcesBack, back);

    // What was accepted was answered once, though nobody listened.
    let stored = database.look(begun).await;
    let transcripts: Vec<Transcript> = Vec::new();
    let evidence = Evidence {
        transcripts: &transcripts,
        answers: &model.answers,
        stored: &stored,
        crashes: &[],
    };
    evidence.judge(&mut findings);
    let calls = usize::try_from(model.calls()).unwrap();
    let (runs, differs) = (stored.runs.len(), stored.runs.len() != calls);
    let differs = differs.then(|| format!("{runs} runs, {calls} calls"));
    findings.note(Invariant::OneCall, differs.into_iter().collect());
    let not_done = stored.runs.iter().filter(|run| run.status != "completed");
    let not_done = not_done.map(|run| format!("run {} is {}", run.id, run.status));
    findings.note(Invariant::OneEnd, not_done.collect());
    findings.round(runs);

    let mut asking = JoinSet::new();
    for number in 0..100 {
        let user = users[number % users.len()].clone();
        let plan = Plan::new(format!("{}/calm.{number}", user.name), 20, 2);
        asking.spawn(user.ask(plan));
    }
    let transcripts = asking.join_all().await;
    let stored = database.look(begun).await;
    let evidence = Evidence { transcripts: &transcripts, stored: &stored, ..evidence };
    evidence.judge(&mut findings);
    let unanswered = transcripts.iter().filter(|reader| reader.done_text().is_none());
    let unanswered = unanswered.map(|reader| format!("not answered: {reader:?}"));
    findings.note(Invariant::DoneIsStored, unanswered.collect());
    let back = invariants::resources_are_back(&gateway, &model, before).await;
    findings.note(Invariant::ResourcesBack, back);
    findings.connections(&transcripts);
    findings.runs(100);
    findings.finish();
}

/// With one connection to the database, one that is left in a transaction is the end of all.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn aborted_requests_leave_the_only_connection_in_order() {
    const REQUESTS: usize = 1_000;
    const AT_ONCE: usize = 20;
    let scenario = "aborted requests, one connection";
    let mut random = settings::random(scenario);
    let mut findings = Findings::new(scenario);
    let (database, model) = (Database::postgres().await, RecordingModel::start().await);
    let gateway = OneConnection::start(&database.url, &model.base_url()).await;
    let user = User::all(&[&gateway.base]).swap_remove(0);
    let begun = Timestamp::now();
    let thread = user.clone().ask(Plan::new("ada/first".to_owned(), 1, 0)).await.thread_id;

    let thread_path = format!("/api/chatkit/threads/{thread}");
    let mut leaving = JoinSet::new();
    for number in 0..REQUESTS {
        if leaving.len() == AT_ONCE {
            leaving.join_next().await;
        }
        let plan = Plan::new(format!("ada/{number}"), 3, 1);
        let message = json!({ "content": plan.text() }).to_string();
        let title = json!({ "title": format!("title {number}") }).to_string();
        let (method, path, body) = match number % 5 {
            0 => ("GET", "/api/chatkit/threads", None),
            1 => ("GET", &*thread_path, None),
            2 => ("PATCH", &*thread_path, Some(&*title)),
            3 => ("POST", "/api/ada/tasks", Some(&*title)),
            _ => ("POST", "/api/chatkit/messages", Some(&*message)),
        };
        let request = rude::request(method, path, &user.token(), body);
        let leaves = Leaves::at_random(&mut random, Duration::from_millis(10));
        leaving.spawn(rude::ask_and_leave(gateway.address, request, leaves, random.bool()));
    }
    leaving.join_all().await;

    let transcript = user.clone().ask(Plan::new("ada/last".to_owned(), 5, 1)).await;
    let (status, _) = user.get(&gateway.base, &thread_path).await;
    let works = transcript.done_text().is_some() && status.is_success();
    findings.note(
        Invariant::ResourcesBack,
        (!works).then(|| format!("does not work: {status}, {transcript:?}")).into_iter().collect(),
    );
    let left = database.idle_in_transaction().await;
    let left = (left > 0).then(|| format!("{left} connections are idle in a transaction"));
    findings.note(Invariant::ResourcesBack, left.into_iter().collect());
    gateway.stop().await;
    let stored = database.look(begun).await;
    let transcripts = [transcript];
    let evidence = Evidence {
        transcripts: &transcripts,
        answers: &model.answers,
        stored: &stored,
        crashes: &[],
    };
    evidence.judge(&mut findings);
    findings.round(stored.runs.len());
    findings.finish();
}

/// A gateway in this process, for which the binary has no setting.
struct OneConnection {
    base: String,
    address: std::net::SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl OneConnection {
    async fn start(database_url: &str, model_url: &str) -> Self {
        let lookup = |name: &str| match name {
            "BETTER_AUTH_SECRET" => Some(SECRET.to_owned()),
            "CHATKIT_MAX_RUNS_PER_USER" | "CHATKIT_REQUESTS_PER_MINUTE" => Some("0".to_owned()),
            "OPENAI_BASE_URL" => Some(model_url.to_owned()),
            _ => None,
        };
        let config =
            Config::from_vars(lookup, |_| Err(std::io::ErrorKind::NotFound.into())).unwrap();
        // Also sets up the cryptography that the client needs.
        let _ = token("ada");
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = UpstreamClient::new(UpstreamConfig {
            base_url: config.model.base_url.clone(),
            ..UpstreamConfig::default()
        });
        let settings =
            ModelAgentConfig { model: config.model.model.clone(), ..ModelAgentConfig::default() };
        let model = Arc::new(ResponsesModel::new(client.unwrap()));
        let agent = Arc::new(ModelAgent::new(model, ToolRegistry::default(), settings));
        let options = OpenOptions { max_connections: 1 };
        let parts = Parts::new(store::open(database_url, options).await.unwrap(), agent);
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let gateway = Gateway::with_parts(config, parts, metrics).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let stopped = stop.clone();
        tasks.spawn(gateway.serve(listener, stopped, CancellationToken::new()));
        tasks.close();
        Self { base: format!("http://{address}"), address, stop, tasks }
    }

    /// Lets its runs end, and ends it.
    async fn stop(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}
