//! The flows that are answered in one go.

use reqwest::StatusCode;

use crate::{
    agent::ScriptedAgent,
    files::ScriptedFiles,
    flows::{FLOWS, State},
    model_input::INPUTS,
    play::{Play, Poster},
    recording::Recorded,
    server::TestServer,
};

/// Flows whose client goes away: see [`crate::stopped`].
pub(crate) const STOPPED: [&str; 2] =
    ["42-cancel-mid-message", "43-cancel-widget-workflow-pending"];

#[tokio::test]
async fn every_flow_is_answered_as_the_table_says() {
    let mut wrong = Vec::new();
    for has_files in [false, true] {
        let plays: Vec<(Play, State)> =
            plays().into_iter().filter(|(play, _)| play.has_files() == has_files).collect();
        let (mut agent, mut files) = (ScriptedAgent::default(), ScriptedFiles::default());
        for (play, _) in &plays {
            agent.add(play.user.as_str(), play.script());
            files.add(play.user.as_str(), play.script());
        }
        let server = TestServer::start_with(agent, has_files.then_some(files)).await;

        for (play, state) in &plays {
            if let Err(problem) = play.judge(&server, *state).await {
                wrong.push(format!("{}\n{problem}\n", play.user));
            }
        }

        server.stop().await;
    }
    assert!(wrong.is_empty(), "{} plays differ:\n\n{}", wrong.len(), wrong.join("\n"));
}

/// The recording names an item that is not there, which the SDK does not look for.
#[tokio::test]
async fn feedback_on_an_item_that_is_there_is_answered_as_recorded() {
    let play = Play::new("40-feedback", Poster::Page);
    let server = TestServer::start(ScriptedAgent::default()).await;
    play.fill(&server).await;
    let request = play.request_with(&server, r#""msg_a1","msg_w1""#, r#""msg_a1""#);

    let answer = request.send().await.unwrap();

    assert_eq!(answer.status(), StatusCode::OK);
    let Recorded::Json(recorded) = &play.recording.answer else { unreachable!() };
    assert_eq!(answer.text().await.unwrap(), *recorded);
    server.stop().await;
}

/// The recording is that of any failure: what went wrong is not told.
#[tokio::test]
async fn an_agent_that_panics_before_its_first_event_fails_like_any_other() {
    let play = Play::new("44-error-stream-error", Poster::Page);
    // Without a script the agent of these tests panics.
    let server = TestServer::start(ScriptedAgent::default()).await;

    let judged = play.judge(&server, State::Equal).await;

    judged.unwrap();
    server.stop().await;
}

/// As in the SDK, which compares the thread with what it sent last.
#[tokio::test]
async fn a_thread_that_is_set_to_what_it_was_is_not_sent_again() {
    let play = Play::new("04-add-user-message-no-output", Poster::Page);
    let mut agent = ScriptedAgent::default();
    let script = r#"{"respond":[{"set_title":null},{"set_status":{"type":"active"}}]}"#;
    agent.add(play.user.as_str(), script.to_owned());
    let server = TestServer::start(agent).await;

    let judged = play.judge(&server, State::Equal).await;

    judged.unwrap();
    server.stop().await;
}

/// Each flow as a page plays it, and each stream as the gateway's own client does, too.
pub(crate) fn plays() -> Vec<(Play, State)> {
    let mut plays = Vec::new();
    let is_elsewhere = |flow| STOPPED.contains(flow) || INPUTS.contains(flow);
    let flows = FLOWS.iter().filter(|(flow, _)| !is_elsewhere(flow));
    for (flow, state) in flows {
        let play = Play::new(flow, Poster::Page);
        let stream = match &play.recording.answer {
            Recorded::Stream(stream) => Some(stream.clone()),
            _ => None,
        };
        plays.push((play, *state));
        if let Some(stream) = stream
            && stream.contains(r#""stream_options":{"allow_cancel":true}"#)
        {
            plays.push((Play::new(flow, Poster::Helper), *state));
        }
    }
    plays
}
