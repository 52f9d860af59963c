//! A model that answers as the test says, through real HTTP.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use chatkit_gateway::demo::scripted_model::{
    ModelCall, RunningModel, Script, ScriptedModel, Step, Steps,
};
use futures_util::stream;

/// Answers to calls to come.
#[derive(Clone, Default)]
struct Answers(Arc<Mutex<VecDeque<Vec<Step>>>>);

impl Script for Answers {
    fn answer(&self, _: Arc<ModelCall>) -> Steps {
        let next = self.0.lock().unwrap().pop_front();
        Box::pin(stream::iter(next.expect("the test said what comes next")))
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
    pub(crate) fn will_play(&self, steps: impl IntoIterator<Item = Step>) {
        self.answers.0.lock().unwrap().push_back(steps.into_iter().collect());
    }
}
