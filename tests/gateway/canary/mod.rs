//! Nothing secret and nothing private is told to those whom it does not concern: a gateway in a process
//! of its own, with a text in each such place that is found again wherever it shows up.
//!
//! | looked through | for |
//! |---|---|
//! | the log, all of it at `RUST_LOG=trace`, the libraries' lines and the audit log's too | everything |
//! | standard output, `/metrics`, what a collector of traces is sent | everything |
//! | errors that clients see, as answers and as events | everything, but for what the refused body itself says |
//! | what the process says of a configuration that it refuses | its secrets |
//!
//! `needles` finds texts again in any coding, and has tests of its own that it does; `process` is the
//! process; `visit` is what clients do to it.

mod needles;
mod process;
mod visit;

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, extract::State, routing::post};
use chatkit_gateway::demo::scripted_model::RunningModel;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use self::{
    needles::Needles,
    process::{Ended, GatewayProcess, refused},
    visit::{Visit, model},
};
use crate::{
    support::{database::TestDatabase, redis::RedisProcess},
    tool_server::{Era, ToolServer},
};

/// What the tool server of the tests says of its failures.
const TOOL_FAILURE: &str = "secret of the server's inside";

/// What is looked through when it is an error.
const AN_ERROR: &str = "an error";

/// What a request says that is refused for it. The error may quote it to whoever said it.
const BODY: &str = "a body that is refused";

/// The texts that are looked for.
pub(super) struct Canaries {
    needles: Needles,
    // Of the operator.
    login_secret: String,
    session_secret: String,
    api_key: String,
    tool_header: String,
    tool_url: String,
    extra_body: String,
    instructions: String,
    // Of users.
    email: String,
    message: String,
    title: String,
    task: String,
    attachment: String,
    key: String,
    stray: String,
    body: String,
    // Of the model and the tools.
    answer: String,
    thought: String,
    made_title: String,
    argument: String,
    upstream: String,
}

impl Canaries {
    fn new() -> Self {
        let mut needles = Needles::default();
        let mut make = |name| needles.make(name);
        let all = Self {
            login_secret: make("BETTER_AUTH_SECRET"),
            session_secret: make("CHATKIT_SESSION_SECRET"),
            api_key: format!("sk-proj-{}", make("OPENAI_API_KEY")),
            tool_header: make("a header of a tool server"),
            tool_url: make("the address of a tool server"),
            extra_body: make("extra_body"),
            instructions: make("the instructions"),
            email: make("a claim of a login"),
            message: make("a message"),
            title: make("a title by its user"),
            task: make("a task"),
            attachment: make("the name of an attachment"),
            key: make("an idempotency key"),
            stray: make("what is in the wrong place"),
            body: make(BODY),
            answer: make("an answer"),
            thought: make("a thought"),
            made_title: make("a title by the model"),
            argument: make("an argument and a result of a tool"),
            upstream: make("what the provider says"),
            needles: Needles::default(),
        };
        needles.add("a failure of a tool", TOOL_FAILURE);
        Self { needles, ..all }
    }
}

/// All that is around the process, and what it is to be told of it.
struct Scene {
    canaries: Arc<Canaries>,
    /// What is looked for besides: passwords, and tokens as they are made.
    more: Needles,
    model: RunningModel,
    tools: ToolServer,
    traces: Collector,
    _folder: TempDir,
    vars: Vec<(String, String)>,
}

impl Scene {
    async fn new(database_url: &str) -> Self {
        let canaries = Arc::new(Canaries::new());
        let model = model(canaries.clone()).start().await.unwrap();
        let tools = ToolServer::start(Era::Modern, &["echo", "refuse", "break", "fail"]).await;
        let traces = Collector::start().await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.toml");
        std::fs::write(&file, settings(&canaries, &tools.url)).unwrap();
        let set = [
            ("BIND_ADDR", "127.0.0.1:0"),
            ("DATABASE_URL", database_url),
            ("OPENAI_BASE_URL", &model.base_url()),
            ("OPENAI_MODEL", "test-model"),
            ("OPENAI_API_KEY", &canaries.api_key),
            ("BETTER_AUTH_SECRET", &canaries.login_secret),
            ("CHATKIT_SESSION_SECRET", &canaries.session_secret),
            ("CHATKIT_CONFIG", file.to_str().unwrap()),
            ("CHATKIT_DRAIN", "1ms"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &traces.url),
            ("TOOL_HEADER", &canaries.tool_header),
            ("RUST_LOG", "trace"),
        ];
        let vars = set.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { canaries, more: Needles::default(), model, tools, traces, _folder: folder, vars }
    }

    /// A whole day in the life of a gateway, after which nobody has heard of anything; its log.
    async fn tells_nothing(mut self, more: &[(&str, &str)], sabotage: &Sabotage<'_>) -> String {
        self.vars.extend(more.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        let process = GatewayProcess::start(&self.vars).await;
        let mut visit = Visit::new(&process.base, self.canaries.clone());

        visit.log_in(&mut self.more).await;
        visit.converse().await;
        visit.ask_a_failing_model().await;
        visit.misbehave().await;
        sabotage.begin().await;
        visit.meet_a_broken_database().await;
        sabotage.end().await;
        visit.leave_an_answer_unfinished().await;
        let metrics = visit.metrics().await;
        let Ended { status, written } = process.end().await;

        let log = String::from_utf8_lossy(&written).into_owned();
        assert!(status.success(), "{log}");
        assert!(!log.contains("panicked"), "{log}");
        self.nobody_missed_anything(&visit, &log);
        let traces = self.traces.received.lock().unwrap().clone();
        assert!(!traces.is_empty(), "spans were sent");
        let mut told = Vec::new();
        for line in log.lines() {
            self.look(&mut told, "the log", line.as_bytes());
        }
        self.look(&mut told, "the metrics", metrics.as_bytes());
        self.look(&mut told, "the traces", &traces);
        for refusal in &visit.refusals {
            self.look(&mut told, AN_ERROR, refusal.as_bytes());
        }
        eprintln!(
            "{} canaries, {} lines of log, {} errors, {} bytes of traces",
            self.canaries.needles.names().len() + self.more.names().len(),
            log.lines().count(),
            visit.refusals.len(),
            traces.len(),
        );
        assert!(told.is_empty(), "{} places tell:\n{}", told.len(), told.join("\n"));
        log
    }

    fn look(&self, told: &mut Vec<String>, place: &str, text: &[u8]) {
        for needles in [&self.canaries.needles, &self.more] {
            let found = needles.found_in(text).into_iter();
            for name in found.filter(|name| place != AN_ERROR || *name != BODY) {
                told.push(format!("{place} tells {name}: {}", String::from_utf8_lossy(text)));
            }
        }
    }

    /// What is looked for was there: the other sides of the process had it, and the log has the lines
    /// in which it would stand.
    fn nobody_missed_anything(&self, visit: &Visit, log: &str) {
        let mut heard = visit.answers.clone();
        for recorded in self.model.model().calls() {
            let _ = write!(heard, "{:?} {}", recorded.call.headers, recorded.call.body);
        }
        for came in self.tools.came("tools/call") {
            let _ = write!(heard, "{:?} {}", came.headers, came.body);
        }
        let heard = self.canaries.needles.found_in(heard.as_bytes());
        // These are nobody's to hear, or are in requests that are refused.
        let unheard = [
            "BETTER_AUTH_SECRET",
            "CHATKIT_SESSION_SECRET",
            "the address of a tool server",
            "a claim of a login",
            "an idempotency key",
            "the name of an attachment",
            "what is in the wrong place",
            BODY,
            "what the provider says",
            "a failure of a tool",
        ];
        let names = self.canaries.needles.names();
        let missed: Vec<_> = names.difference(&heard).filter(|it| !unheard.contains(it)).collect();
        assert!(missed.is_empty(), "{missed:?}");
        let tokens = self.more.found_in(visit.answers.as_bytes());
        assert!(tokens.contains("the session's token"), "{tokens:?}");
        assert!(tokens.contains("the session's next token"), "{tokens:?}");
        for line in [
            "token refused",
            "a session was issued",
            "a session was presented for refresh",
            "a session was revoked",
            "a thread was deleted",
            "the model refused a request",
            "a model call failed",
            "the agent failed",
            "run failed",
            "a call failed",
            "database error",
            "interrupting runs",
            "everything is stored and closed",
        ] {
            assert!(log.contains(line), "the log lacks: {line}");
        }
        assert!(log.contains("\"level\":\"TRACE\""), "libraries are heard, too");
    }
}

fn settings(canaries: &Canaries, tools_url: &str) -> String {
    let Canaries { instructions, extra_body, tool_url, .. } = canaries;
    format!(
        "[agent]\n\
         instructions = \"Be brief. {instructions}\"\n\
         [model_server]\n\
         extra_body = {{ metadata = {{ tenant = \"{extra_body}\" }} }}\n\
         [[mcp.servers]]\n\
         name = \"srv\"\n\
         url = \"{tools_url}?key={tool_url}\"\n\
         headers = {{ Authorization = \"Bearer ${{TOOL_HEADER}}\" }}\n"
    )
}

/// How a database is made to refuse new items of threads, and to take them again; and a Redis that goes
/// away for good meanwhile.
struct Sabotage<'s> {
    url: &'s str,
    begin: &'s str,
    end: &'s str,
    redis: Mutex<Option<RedisProcess>>,
}

impl Sabotage<'_> {
    async fn begin(&self) {
        drop(self.redis.lock().unwrap().take());
        self.execute(self.begin).await;
    }

    async fn end(&self) {
        self.execute(self.end).await;
    }

    async fn execute(&self, statement: &str) {
        use sqlx::Connection as _;

        let statement = sqlx::AssertSqlSafe(statement.to_owned());
        if self.url.starts_with("sqlite:") {
            let mut connection = sqlx::SqliteConnection::connect(self.url).await.unwrap();
            sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        } else {
            let mut connection = sqlx::PgConnection::connect(self.url).await.unwrap();
            sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
    }
}

/// A collector of traces, which keeps the bytes.
struct Collector {
    url: String,
    received: Arc<Mutex<Vec<u8>>>,
    _serving: AbortOnDropHandle<()>,
}

impl Collector {
    async fn start() -> Self {
        async fn take(State(received): State<Arc<Mutex<Vec<u8>>>>, body: Bytes) {
            received.lock().unwrap().extend_from_slice(&body);
        }
        let received = Arc::<Mutex<Vec<u8>>>::default();
        let router = Router::new().route("/v1/traces", post(take)).with_state(received.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = async move { axum::serve(listener, router).await.unwrap() };
        let serving = AbortOnDropHandle::new(TaskTracker::new().spawn(serving));
        Self { url, received, _serving: serving }
    }
}

#[tokio::test]
async fn nothing_secret_and_nothing_private_is_told() {
    let database = TestDatabase::sqlite();
    let sabotage = Sabotage {
        url: &database.url,
        begin: "CREATE TRIGGER refusing BEFORE INSERT ON message \
                BEGIN SELECT RAISE(ABORT, 'refused'); END",
        end: "DROP TRIGGER refusing",
        redis: Mutex::default(),
    };

    Scene::new(&database.url).await.tells_nothing(&[], &sabotage).await;
}

/// PostgreSQL repeats the row that it refuses.
const REFUSING: &str = "ALTER TABLE message ADD CONSTRAINT refusing CHECK (false) NOT VALID";
const TAKING: &str = "ALTER TABLE message DROP CONSTRAINT refusing";

fn on_postgres(url: &str, redis: Option<RedisProcess>) -> Sabotage<'_> {
    Sabotage { url, begin: REFUSING, end: TAKING, redis: Mutex::new(redis) }
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn nothing_secret_and_nothing_private_is_told_on_postgres() {
    let database = TestDatabase::postgres().await;
    let sabotage = on_postgres(&database.url, None);
    let mut scene = Scene::new(&database.url).await;
    scene.more.add("the database's password", password_of(&database.url));

    scene.tells_nothing(&[], &sabotage).await;
}

/// Those that need Redis, too.
mod instances {
    use super::*;

    #[tokio::test]
    #[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
    async fn nothing_secret_and_nothing_private_is_told_with_redis() {
        let (database, redis) = (TestDatabase::postgres().await, RedisProcess::start().await);
        let mut scene = Scene::new(&database.url).await;
        scene.more.add("the database's password", password_of(&database.url));
        let password = scene.more.make("the password of Redis");
        redis.ask::<String>(&["CONFIG", "SET", "requirepass", &password]).await;
        let url = redis.url().replace("redis://", &format!("redis://:{password}@"));

        let sabotage = on_postgres(&database.url, Some(redis));
        let log = scene.tells_nothing(&[("REDIS_URL", &url)], &sabotage).await;

        assert!(log.contains("Redis fails") && !log.contains("WRONGPASS"), "{log}");
    }
}

fn password_of(url: &str) -> &str {
    let (_, rest) = url.split_once("://").unwrap();
    let (user, _) = rest.rsplit_once('@').unwrap();
    user.split_once(':').expect("TEST_POSTGRES_URL has a password").1
}

/// What is wrong with a configuration is told by names. What each line has that is secret ends in the
/// canary.
#[test]
fn a_configuration_that_is_refused_is_not_quoted() {
    let mut needles = Needles::default();
    let secret = needles.make("a secret");
    let good = [
        ("DATABASE_URL", "sqlite://refused.db".to_owned()),
        ("BIND_ADDR", "127.0.0.1:0".to_owned()),
        ("BETTER_AUTH_SECRET", secret.clone()),
        ("OPENAI_API_KEY", secret.clone()),
        ("RUST_LOG", "trace".to_owned()),
    ];
    let tool = |line: &str| format!("[[mcp.servers]]\nname = \"srv\"\n{line}\n");
    for (name, value, file) in [
        ("DATABASE_URL", format!("postgres://user:{secret}@127.0.0.1:1/chat"), String::new()),
        ("DATABASE_URL", format!("postgres://user:{secret}@[::1/chat"), String::new()),
        ("DATABASE_URL", format!("postgres://user:{secret}@127.0.0.1:1x/chat"), String::new()),
        ("DATABASE_URL", format!("postgres://127.0.0.1:1/c?password={secret}"), String::new()),
        ("DATABASE_URL", format!("mysql://user:{secret}@127.0.0.1/chat"), String::new()),
        ("DATABASE_URL", format!("sqlite://refused.db?key={secret}"), String::new()),
        ("REDIS_URL", format!("redis://:{secret}@127.0.0.1:1/0"), String::new()),
        ("REDIS_URL", format!("http://:{secret}@127.0.0.1:1/0"), String::new()),
        ("BETTER_AUTH_JWKS_URL", format!("ftp://user:{secret}@127.0.0.1/jwks"), String::new()),
        ("CHATKIT_SESSION_SECRET", format!("{secret},short"), String::new()),
        ("OPENAI_API_KEY", format!("{secret}\u{7}"), String::new()),
        ("OPENAI_BASE_URL", format!("user:{secret}@127.0.0.1/v1"), String::new()),
        ("OPENAI_API", secret.clone(), String::new()),
        ("CHATKIT_RUN_TIMEOUT", secret.clone(), String::new()),
        ("BIND_ADDR", secret.clone(), String::new()),
        ("X", String::new(), tool(&format!("headers = {{ Authorization = {secret} }}"))),
        ("X", String::new(), tool(&format!("url = \"ftp://user:{secret}@host/mcp\""))),
        ("X", secret.clone(), tool("url = \"http://host/mcp\"\nheaders = { \"a b\" = \"${X}\" }")),
        ("X", String::new(), tool(&format!("command = \"x\"\nenv = {{ A = \"{secret}${{\" }}"))),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("gateway.toml"), &file).unwrap();
        // The last of two of one name holds.
        let vars = good.iter().cloned().chain([(name, value.clone())]);
        let vars: Vec<_> = vars.map(|(name, value)| (name.to_owned(), value)).collect();

        let Ended { status, written } = refused(&vars, folder.path());

        let said = String::from_utf8_lossy(&written);
        assert_eq!(status.code(), Some(1), "{name} = {value}, {file}: {said}");
        assert!(said.contains("chatkit-gateway:"), "{said}");
        assert!(needles.found_in(&written).is_empty(), "{name} = {value}, {file}: {said}");
    }
}

#[test]
fn a_file_of_variables_that_cannot_be_read_is_not_quoted() {
    let mut needles = Needles::default();
    let secret = needles.make("a secret");
    for line in [
        format!("OPENAI_API_KEY={secret} behind a blank"),
        format!("OPENAI_API_KEY='{secret}"),
        secret.clone(),
        format!("export {secret}"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".env"), &line).unwrap();

        let Ended { status, written } = refused(&[], folder.path());

        let said = String::from_utf8_lossy(&written);
        assert_eq!(status.code(), Some(1), "{line}: {said}");
        assert!(needles.found_in(&written).is_empty(), "{line}: {said}");
    }
}
