//! Remote agents and the official SDK.

use crate::remote_agent::play;

/// The example as it stands: an existing server of chatkit-python, whose agent asks the rig's model.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_SDK_PYTHON"]
async fn a_killed_process_breaks_no_promise_with_an_agent_in_python() {
    let python = std::env::var("TEST_SDK_PYTHON").unwrap();
    let program = (python, "examples/remote_agent/python/agent.py");
    play("crash, remote agent in Python", program, 4).await;
}
