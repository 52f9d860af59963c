//! The flows whose client goes away. There that stops the answer; here only a cancel does, and it
//! leaves what the SDK leaves.

use chatkit_gateway::protocol::UserId;
use reqwest::{Response, StatusCode};
use serde_json::Value;

use crate::{
    agent::ScriptedAgent,
    compare::{Side, events},
    flows::{Changes, Expected, FLOWS, State},
    play::{Play, Poster},
    recording::Recorded,
    replay::STOPPED,
    server::TestServer,
};

#[tokio::test]
async fn a_client_that_leaves_stops_nothing_and_a_cancel_leaves_what_the_sdk_leaves() {
    for flow in STOPPED {
        let play = Play::new(flow, Poster::Helper);
        let mut agent = ScriptedAgent::default();
        agent.add(play.user.as_str(), play.script());
        let server = TestServer::start(agent).await;
        let changes = changes_of(flow);
        let Recorded::Stream(recorded_stream) = &play.recording.answer else { unreachable!() };
        let (mut recorded, mut ours) = (play.normal(Side::Recorded), play.normal(Side::Ours));
        let expected = play.expected_events(&mut recorded, recorded_stream, &changes);
        let count = expected.lines().count();
        play.fill(&server).await;

        let mut response = play.request(&server).send().await.unwrap();
        let run = response.headers()["x-run-id"].to_str().unwrap().to_owned();
        let seen = read_events(&mut response, count).await;
        drop(response);
        let status = run_status(&server, &play.user, &run).await;
        assert!(matches!(status.as_str(), "queued" | "running"), "{flow}: {status}");
        let path = format!("/api/chatkit/runs/{run}/events");
        let mut again = server.get(&play.user, &path).send().await.unwrap();
        let seen_again = read_events(&mut again, count).await;
        let path = format!("/api/chatkit/runs/{run}/cancel");
        let cancelled = server.post(&play.user, &path, "{}".to_owned()).send().await.unwrap();

        assert_eq!(events(&ours.text(&seen)), expected, "{flow}");
        assert_eq!(events(&seen_again), events(&seen), "{flow}");
        assert_eq!(cancelled.status(), StatusCode::ACCEPTED);
        assert_eq!(events(&again.text().await.unwrap()), "", "{flow}: events after a cancel");
        assert_eq!(run_status(&server, &play.user, &run).await, "cancelled");
        let stored = ours.text(&play.stored(&server, "").await);
        assert_eq!(stored, play.expected_store(&mut recorded, &changes), "{flow}");
        server.stop().await;
    }
}

fn changes_of(flow: &str) -> Changes {
    match FLOWS.iter().find(|(name, _)| *name == flow).map(|(_, state)| *state) {
        Some(State::Different { expected: Expected::Changed(changes), .. }) => changes,
        _ => panic!("{flow} differs on purpose"),
    }
}

/// Reads a stream until there are that many events.
pub(crate) async fn read_events(response: &mut Response, count: usize) -> String {
    let mut seen = Vec::new();
    loop {
        let chunk = response.chunk().await.unwrap().expect("the run has not ended");
        seen.extend_from_slice(&chunk);
        let text = String::from_utf8_lossy(&seen);
        if seen.ends_with(b"\n\n") && events(&text).lines().count() >= count {
            return text.into_owned();
        }
    }
}

async fn run_status(server: &TestServer, user: &UserId, run: &str) -> String {
    let path = format!("/api/chatkit/runs/{run}");
    let run: Value = server.get(user, &path).send().await.unwrap().json().await.unwrap();
    run["status"].as_str().unwrap().to_owned()
}
