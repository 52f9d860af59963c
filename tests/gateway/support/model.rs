//! The model's side of a test: what each call is answered, in order.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use chatkit_gateway::demo::scripted_model::{
    Manner, ModelCall, RunningModel, Script, ScriptedModel, Step, Steps,
};
use futures_util::{StreamExt as _, stream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

/// Answers of calls to come.
#[derive(Clone, Default)]
struct Answers(Arc<Mutex<VecDeque<Steps>>>);

impl Script for Answers {
    fn answer(&self, _: Arc<ModelCall>) -> Steps {
        let next = self.0.lock().unwrap().pop_front();
        next.unwrap_or_else(|| Box::pin(stream::iter([Step::text("Hello"), Step::text(" there.")])))
    }
}

/// A model under the test's control. A call for which nothing was said is answered
/// `Hello there.`.
pub(crate) struct TestModel {
    answers: Answers,
    pub(crate) running: RunningModel,
}

impl TestModel {
    pub(crate) async fn start() -> Self {
        Self::start_as(Manner::default()).await
    }

    /// One that speaks Chat Completions as this server does.
    pub(crate) async fn start_as(manner: Manner) -> Self {
        let answers = Answers::default();
        let running = ScriptedModel::in_manner_of(manner, answers.clone()).start().await.unwrap();
        Self { answers, running }
    }

    /// The next call is answered with these steps.
    pub(crate) fn will_play(
        &self,
        steps: impl IntoIterator<Item = Step, IntoIter: Send + 'static>,
    ) {
        self.answers.0.lock().unwrap().push_back(Box::pin(stream::iter(steps)));
    }

    /// The next call is answered step by step, as the test says.
    pub(crate) fn will_listen(&self) -> Voice {
        let (steps, receiver) = mpsc::unbounded_channel();
        let steps_of_call = UnboundedReceiverStream::new(receiver).boxed();
        self.answers.0.lock().unwrap().push_back(steps_of_call);
        Voice(steps)
    }

    /// How many calls came.
    pub(crate) fn calls(&self) -> u64 {
        self.running.model().counters().calls
    }

    /// Waits for a call, from 1.
    pub(crate) async fn call(&self, number: u64) -> Arc<ModelCall> {
        self.running.model().call(number).await.unwrap().call
    }
}

/// The model's voice in one answer. Dropping it ends the answer as a good one ends.
pub(crate) struct Voice(mpsc::UnboundedSender<Step>);

impl Voice {
    pub(crate) fn say(&self, text: &str) {
        self.0.send(Step::text(text)).unwrap();
    }

    pub(crate) fn finish(self) {
        drop(self);
    }
}
