//! A model that answers as the test says, through real HTTP.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use chatkit_gateway::demo::scripted_model::{
    ModelCall, RunningModel, Script, ScriptedModel, Step, Steps,
};
use futures_util::{StreamExt as _, stream};
use tokio::sync::Notify;

/// Answers to calls to come.
#[derive(Clone, Default)]
struct Answers(Arc<Mutex<VecDeque<Steps>>>);

impl Script for Answers {
    fn answer(&self, _: Arc<ModelCall>) -> Steps {
        let next = self.0.lock().unwrap().pop_front();
        next.expect("the test said what comes next")
    }
}

/// A model under the test's control.
pub(crate) struct TestModel {
    answers: Answers,
    pub(crate) running: RunningModel,
}

impl TestModel {
    pub(crate) async fn start() -> Self {
        let answers = Answers::default();
        let running = ScriptedModel::new(answers.clone()).start().await.unwrap();
        Self { answers, running }
    }

    /// The next call is answered with these steps.
    pub(crate) fn will_play<const N: usize>(&self, steps: [Step; N]) {
        self.push(Box::pin(stream::iter(steps)));
    }

    /// The next call is answered with the first step, and with the other when the gate opens.
    pub(crate) fn will_play_up_to(&self, gate: Arc<Notify>, first: Step, then: Step) {
        let then = stream::once(async move {
            gate.notified().await;
            then
        });
        self.push(Box::pin(stream::iter([first]).chain(then)));
    }

    fn push(&self, answer: Steps) {
        self.answers.0.lock().unwrap().push_back(answer);
    }

    /// All calls so far, oldest first.
    pub(crate) fn calls(&self) -> Vec<Arc<ModelCall>> {
        self.running.model().calls().into_iter().map(|recorded| recorded.call).collect()
    }

    /// Forgets the answers that nobody has asked for. Answers how many there were.
    pub(crate) fn forget_answers(&self) -> usize {
        self.answers.0.lock().unwrap().drain(..).count()
    }
}
