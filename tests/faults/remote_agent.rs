//! kill -9 in the middle of answers of a remote agent: of the gateway, or of the agent.

use crate::{
    crash::Lane,
    rig::{Database, Findings, settings},
};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_NODE"]
async fn a_killed_process_breaks_no_promise_with_an_agent_in_node() {
    let node = std::env::var("TEST_NODE").unwrap();
    let program = (node, "tests/faults/rig/model_agent.mjs");
    play("crash, remote agent in Node", program, 1).await;
}

/// `slowness` is by how much less there is to do for the agent.
pub(crate) async fn play(scenario: &'static str, program: (String, &str), slowness: u32) {
    let mut random = settings::random(scenario);
    let mut findings = Findings::new(scenario);
    let lane = Lane::with_agent(Database::sqlite(), program, slowness, &mut random).await;
    findings.merge(lane.play(settings::rounds(4, 100)).await);
    findings.finish();
}
