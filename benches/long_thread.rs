//! What a thread of 10,000 items costs against one of 10: its first page, its last page, and a new
//! message in it, the model's answer included. One gateway, both threads in turn; medians and their
//! ratios.
//!
//! ```text
//! cargo bench --bench long_thread
//! DATABASE_URL=postgres://… cargo bench --bench long_thread      # an empty database
//! ```
//!
//! The model sees at most the newest 200 items of a thread. Pages are of 20 items.

#![expect(clippy::print_stdout, reason = "it reports on its standard output")]

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::ensure;
use chatkit_gateway::{
    agent::{ModelAgent, model_agent::ModelAgentConfig},
    app::{Gateway, Parts},
    auth::SessionKeys,
    config::Config,
    demo::scripted_model::{RequestedScript, ScriptedModel},
    protocol::{
        ItemId, ItemKind, ThreadId, ThreadItem, Timestamp, UserId,
        item::{AssistantMessage, UserMessage},
    },
    store::{self, OpenOptions, Store, record::NewThread},
    tools::{ToolRegistry, tasks::task_tools},
    upstream::{
        client::{UpstreamClient, UpstreamConfig},
        responses::ResponsesModel,
    },
};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The lengths that are compared.
const LENGTHS: [usize; 2] = [10, 10_000];
/// How often each is measured.
const ROUNDS: usize = 200;
/// Items of a page.
const PAGE: usize = 20;
/// Rounds that are not counted: connections are opened, caches filled.
const WARM_UP: usize = 20;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = format!("sqlite://{}/bench.db", folder.path().display());
    let database = std::env::var("DATABASE_URL").unwrap_or(file);
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let server = Server::start(&database, &stop, &tasks).await?;
    let [short, long] = LENGTHS;
    let long = server.fill(long).await?;
    let mut times: BTreeMap<(&str, usize), Vec<Duration>> = BTreeMap::new();
    for round in 0..WARM_UP + ROUNDS {
        // A new one each time: the messages that are measured must not make it a long one.
        let short = server.fill(short).await?;
        for thread in [&short, &long] {
            for (what, time) in server.measure(thread).await? {
                if round >= WARM_UP {
                    times.entry((what, thread.length)).or_default().push(time);
                }
            }
        }
    }

    println!("{} on {}", server.store.kind(), std::env::consts::ARCH);
    report(times);
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    Ok(())
}

/// A thread that was filled.
struct Thread {
    length: usize,
    id: ThreadId,
    /// The item before its last page.
    before_last_page: ItemId,
}

/// A gateway with a scripted model behind it.
struct Server {
    url: String,
    token: String,
    user: UserId,
    store: Arc<dyn Store>,
    http: reqwest::Client,
}

impl Server {
    async fn start(
        database: &str,
        stop: &CancellationToken,
        tasks: &TaskTracker,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base_url = format!("http://{}/v1", listener.local_addr()?);
        let model = ScriptedModel::new(RequestedScript::new(|| 0));
        let stopped = stop.clone().cancelled_owned();
        tasks.spawn(async move { model.serve(listener, stopped).await });

        let config = config(database, &base_url)?;
        let keys = SessionKeys::new(&config.auth.session);
        let store = store::open(database, OpenOptions::default()).await?;
        let client = UpstreamClient::new(UpstreamConfig {
            base_url: config.model.base_url.clone(),
            ..UpstreamConfig::default()
        })?;
        let tools = ToolRegistry::new(task_tools(store.clone()))?;
        let settings =
            ModelAgentConfig { model: "bench".to_owned(), ..ModelAgentConfig::default() };
        let agent = ModelAgent::new(Arc::new(ResponsesModel::new(client)), tools.clone(), settings);
        let parts = Parts {
            store: store.clone(),
            tools,
            agent: Arc::new(agent),
            titles: None,
            files: None,
        };
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let gateway = Gateway::with_parts(config, parts, metrics).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        tasks.spawn(gateway.serve(listener, stop.clone(), stop.clone()));

        let user = UserId::parse("bench")?;
        let token = keys.issue_detached(&user, Duration::from_hours(1), Timestamp::now()).token;
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { url, token, user, store, http })
    }

    /// A thread of messages of some 300 characters.
    async fn fill(&self, length: usize) -> anyhow::Result<Thread> {
        let (id, now) = (ThreadId::new(), Timestamp::now());
        let new = NewThread { id, user_id: self.user.clone(), title: None, now };
        self.store.insert_thread(new).await?;
        let items: Vec<ThreadItem> = (0..length).map(|number| item(id, number)).collect();
        for portion in items.chunks(500) {
            ensure!(self.store.upsert_items(&self.user, id, portion, now).await?);
        }
        let before_last_page = items[length.saturating_sub(PAGE + 1).min(length - 2)].id;
        Ok(Thread { length, id, before_last_page })
    }

    async fn measure(&self, thread: &Thread) -> anyhow::Result<[(&'static str, Duration); 4]> {
        let id = thread.id;
        let page = |order: &str, after: Option<ItemId>| {
            let params = json!({ "thread_id": id, "limit": PAGE, "order": order, "after": after });
            json!({ "type": "items.list", "params": params })
        };
        let newest = page("desc", None);
        let oldest = json!({ "type": "threads.get_by_id", "params": { "thread_id": id } });
        let last = page("asc", Some(thread.before_last_page));
        let message = json!({
            "type": "threads.add_user_message",
            "params": {
                "thread_id": id,
                "input": {
                    "content": [{ "type": "input_text", "text": "And this?" }],
                    "attachments": [],
                    "inference_options": {},
                },
            },
        });
        Ok([
            ("first page, newest first", self.time(&newest).await?),
            ("the thread with its first page", self.time(&oldest).await?),
            ("last page, oldest first", self.time(&last).await?),
            ("a new message, answered", self.time(&message).await?),
        ])
    }

    async fn time(&self, request: &Value) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let request = self.http.post(format!("{}/chatkit", self.url)).json(request);
        let answer = request.bearer_auth(&self.token).send().await?.error_for_status()?;
        let body = answer.text().await?;
        let time = began.elapsed();
        ensure!(!body.contains(r#""type":"error""#), "{body}");
        Ok(time)
    }
}

fn item(thread_id: ThreadId, number: usize) -> ThreadItem {
    let text = format!("Message {number}. {}", "It says what messages say. ".repeat(11));
    let kind = if number.is_multiple_of(2) {
        ItemKind::UserMessage(UserMessage::from_text(text))
    } else {
        ItemKind::AssistantMessage(AssistantMessage::from_text(text))
    };
    ThreadItem { id: ItemId::new(), thread_id, created_at: Timestamp::now(), kind }
}

fn config(database: &str, base_url: &str) -> anyhow::Result<Config> {
    let lookup = |name: &str| match name {
        "DATABASE_URL" => Some(database.to_owned()),
        "OPENAI_BASE_URL" => Some(base_url.to_owned()),
        "BETTER_AUTH_SECRET" => Some("a-secret-for-benchmarks-on-loopback-only".to_owned()),
        "CHATKIT_TITLES" => Some("off".to_owned()),
        _ => None,
    };
    let config = Config::from_vars(lookup, |_| Err(std::io::ErrorKind::NotFound.into()));
    config.map_err(|problems| anyhow::anyhow!("{problems:?}"))
}

fn report(mut times: BTreeMap<(&str, usize), Vec<Duration>>) {
    let mut medians: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for ((what, _), times) in &mut times {
        times.sort_unstable();
        medians.entry(what).or_default().push(times[times.len() / 2].as_secs_f64() * 1e3);
    }
    println!("{:32} {:>10} {:>12} {:>7}", "median of", "10 items", "10,000 items", "ratio");
    for (what, medians) in medians {
        let [short, long] = medians[..] else { continue };
        println!("{what:32} {short:>7.3} ms {long:>9.3} ms {:>7.2}", long / short);
    }
}
