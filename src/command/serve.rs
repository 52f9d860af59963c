//! `chatkit-gateway serve` and `chatkit-gateway demo`.

use std::time::Duration;

use anyhow::Context as _;
use chatkit_gateway::{
    app::Gateway,
    auth::SessionKeys,
    config::Config,
    demo::{assistant::DemoAssistant, scripted_model::ScriptedModel},
    protocol::{Timestamp, UserId},
    telemetry,
};
use clap::Args;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{read_file, runtime, var};

/// The demo's users; the token that is printed is the first one's.
const DEMO_USERS: [&str; 3] = ["demo", "alice", "bob"];
/// How long the demo's token is good.
const DEMO_TTL: Duration = Duration::from_hours(12);

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Port of the page and the API, on this machine only
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// Where the demo keeps its conversations
    #[arg(long, default_value = "chatkit-demo.db")]
    database: String,
}

/// Runs the gateway until SIGTERM or Ctrl-C.
pub(super) fn serve() -> anyhow::Result<()> {
    let config = Config::from_vars(var, read_file)?;
    block_on(async {
        let listener = TcpListener::bind(config.bind_addr)
            .await
            .with_context(|| format!("cannot listen on {} (BIND_ADDR)", config.bind_addr))?;
        let address = listener.local_addr()?;
        let gateway = Gateway::build(config, telemetry::start_metrics()?).await?;
        tracing::info!(%address, "listening");
        run(gateway, listener).await
    })
}

/// Serves until told to end. The first signal drains, the second hurries.
async fn run(gateway: Gateway, listener: TcpListener) -> anyhow::Result<()> {
    let (shutdown, hurry) = (CancellationToken::new(), CancellationToken::new());
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let signals = async {
        for token in [&shutdown, &hurry] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            token.cancel();
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = gateway.serve(listener, shutdown.clone(), hurry.clone()) => Ok(ended?),
        () = signals => Ok(()),
    }
}

/// What is left behind the end, such as a look-up at a name server that does not answer, is not
/// waited for.
fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = runtime()?;
    let result = runtime.block_on(work);
    runtime.shutdown_background();
    result
}

/// Runs everything with nothing to set up: a file of its own, a scripted model reached over real
/// HTTP, a login made up for the occasion.
pub(super) fn demo(args: &DemoArgs) -> anyhow::Result<()> {
    block_on(async {
        let model = ScriptedModel::new(DemoAssistant::new());
        let model_listener = TcpListener::bind("127.0.0.1:0").await?;
        let model_url = format!("http://{}/v1", model_listener.local_addr()?);
        let listener = TcpListener::bind(("127.0.0.1", args.port))
            .await
            .with_context(|| format!("cannot listen on port {} (try --port 0)", args.port))?;
        let address = listener.local_addr()?;

        let config = demo_config(&args.database, &model_url)?;
        let users = DEMO_USERS.map(|name| UserId::parse(name).expect("the name is in order"));
        let keys = SessionKeys::new(&config.auth.session);
        let token = keys.issue_detached(&users[0], DEMO_TTL, Timestamp::now()).token;
        let gateway = Gateway::build(config, telemetry::start_metrics()?)
            .await?
            .with_demo_users(users.into());

        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        tasks.spawn(async move {
            model.serve(model_listener, stopped).await;
        });
        greet(&format!("http://{address}"), &token);
        let result = run(gateway, listener).await;
        stop.cancel();
        tasks.close();
        tasks.wait().await;
        result
    })
}

/// What `serve` would read from the environment.
fn demo_config(database: &str, model_url: &str) -> anyhow::Result<Config> {
    // Made anew at each start: a token of the last demo is not good for this one.
    let secret = format!("{}{}", uuid::Uuid::now_v7(), uuid::Uuid::now_v7());
    let config = Config::from_vars(
        |name| match name {
            "DATABASE_URL" => Some(format!("sqlite://{database}")),
            "OPENAI_BASE_URL" => Some(model_url.to_owned()),
            "OPENAI_MODEL" => Some("scripted".to_owned()),
            "BETTER_AUTH_SECRET" => Some(secret.clone()),
            "CHATKIT_PLAYGROUND" => var(name),
            // It is there to be tried out, by a load generator, too.
            "CHATKIT_REQUESTS_PER_MINUTE" => Some("0".to_owned()),
            _ => None,
        },
        |_| Err(std::io::ErrorKind::NotFound.into()),
    )?;
    Ok(config)
}

#[expect(clippy::print_stdout, reason = "what the demo is for")]
fn greet(url: &str, token: &str) {
    println!(
        "\n  chatkit-gateway demo: THE MODEL IS SCRIPTED, no real one is asked.\n\n  \
         Page   {url}/\n  \
         Token  {token}\n\n  \
         Try    curl -N {url}/api/chatkit/messages \\\n           \
         -H 'Authorization: Bearer {token}' \\\n           \
         -H 'Content-Type: application/json' \\\n           \
         -d '{{\"content\":\"add a task: water the plants\"}}'\n\n  \
         Ctrl-C ends it.\n"
    );
}
