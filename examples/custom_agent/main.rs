//! A gateway with an agent of one's own in place of a model.
//!
//! ```text
//! BETTER_AUTH_SECRET=any-32-bytes-will-do-for-a-first-try cargo run --example custom_agent
//! TOKEN=$(BETTER_AUTH_SECRET=… cargo run -- token --user me)
//! curl -N http://127.0.0.1:8000/api/chatkit/messages -H "Authorization: Bearer $TOKEN" \
//!   -H 'Content-Type: application/json' -d '{"content":"coffee, please"}'
//! ```
//!
//! Everything but the agent is the gateway's: threads, login, streams that can be resumed, what a
//! crash leaves. It is configured by the same variables, those of the model excepted.

mod order_desk;

use std::sync::Arc;

use chatkit_gateway::{
    agent::titles::FirstWords,
    app::{Gateway, Parts},
    config::Config,
    store::{self, OpenOptions},
    telemetry,
};
use order_desk::OrderDesk;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    telemetry::start_logging(telemetry::LogFormat::Text, "info", None)?;
    let config = Config::for_own_agent(
        |name| std::env::var(name).ok(),
        |path| std::fs::read_to_string(path),
    )?;
    let listener = TcpListener::bind(config.bind_addr).await?;
    let store = store::open(config.database_url.as_str(), OpenOptions::default()).await?;
    let parts =
        Parts { titles: Some(Arc::new(FirstWords)), ..Parts::new(store, Arc::new(OrderDesk)) };
    let gateway = Gateway::with_parts(config, parts, telemetry::start_metrics()?).await?;

    // The first Ctrl-C lets answers end, the second does not.
    let (shutdown, hurry) = (CancellationToken::new(), CancellationToken::new());
    let serve = gateway.serve(listener, shutdown.clone(), hurry.clone());
    tokio::select! {
        ended = serve => Ok(ended?),
        () = cancel_on_ctrl_c([&shutdown, &hurry]) => Ok(()),
    }
}

async fn cancel_on_ctrl_c(tokens: [&CancellationToken; 2]) {
    for token in tokens {
        let _ = tokio::signal::ctrl_c().await;
        token.cancel();
    }
    std::future::pending::<()>().await;
}
