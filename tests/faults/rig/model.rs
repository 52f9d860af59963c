//! A model that notes what it sent, and when.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use async_stream::stream;
use chatkit_gateway::demo::scripted_model::{ModelCall, RunningModel, ScriptedModel, Step};
use serde::{Deserialize, Serialize};

/// What a user's message asks the model to say. It is the message's whole text.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Whose it is, and which of theirs: `ada/1/7`. Every delta begins with it.
    pub(crate) tag: String,
    pub(crate) deltas: usize,
    pub(crate) interval_ms: u64,
    /// More bytes in each delta.
    pub(crate) filler: usize,
    /// Whether it falls silent behind the last delta instead of coming to an end.
    pub(crate) hangs: bool,
}

impl Plan {
    /// An answer of so many deltas.
    pub(crate) fn new(tag: String, deltas: usize, interval_ms: u64) -> Self {
        Self { tag, deltas, interval_ms, filler: 0, hangs: false }
    }

    /// The message.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).unwrap()
    }

    fn delta(&self, number: usize) -> String {
        format!("{}:{number}{} ", self.tag, "ü".repeat(self.filler))
    }
}

/// The answer to one call, as far as it was sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// Each delta with the moment before it was sent.
    pub(crate) deltas: Vec<(Instant, String)>,
}

impl Answer {
    /// All of it.
    pub(crate) fn text(&self) -> String {
        self.deltas.iter().map(|(_, delta)| delta.as_str()).collect()
    }

    /// How many whole deltas a text of this length is made of; `None` when it ends within one.
    pub(crate) fn count(&self, length: usize) -> Option<usize> {
        let mut end = 0;
        let ends = std::iter::once(0).chain(self.deltas.iter().map(|(_, delta)| {
            end += delta.len();
            end
        }));
        ends.enumerate().find(|(_, end)| *end == length).map(|(count, _)| count)
    }

    /// When the first delta was sent that is not within a text of this length.
    pub(crate) fn first_sent_behind(&self, length: usize) -> Option<Instant> {
        let mut end = 0;
        self.deltas.iter().find_map(|(at, delta)| {
            end += delta.len();
            (end > length).then_some(*at)
        })
    }
}

/// All answers, by the tags of their messages. More than one for a tag is one too many.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers(Arc<Mutex<HashMap<String, Vec<Answer>>>>);

impl Answers {
    /// The answers to a message.
    pub(crate) fn to(&self, tag: &str) -> Vec<Answer> {
        self.0.lock().unwrap().get(tag).cloned().unwrap_or_default()
    }

    /// The answer to a message: empty when there is none, the first when there are several.
    pub(crate) fn first(&self, tag: &str) -> Answer {
        self.to(tag).first().cloned().unwrap_or_default()
    }

    /// How many deltas were sent in all.
    pub(crate) fn said(&self) -> usize {
        let answers = self.0.lock().unwrap();
        answers.values().flatten().map(|answer| answer.deltas.len()).sum()
    }

    /// Throws away what is no longer needed.
    pub(crate) fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    fn begin(&self, tag: &str) -> usize {
        let mut answers = self.0.lock().unwrap();
        let answers = answers.entry(tag.to_owned()).or_default();
        answers.push(Answer::default());
        answers.len() - 1
    }

    fn say(&self, tag: &str, call: usize, delta: &str) {
        let mut answers = self.0.lock().unwrap();
        if let Some(answer) = answers.get_mut(tag).and_then(|answers| answers.get_mut(call)) {
            answer.deltas.push((Instant::now(), delta.to_owned()));
        }
    }
}

/// A model that plays the plans of the messages.
pub(crate) struct RecordingModel {
    pub(crate) answers: Answers,
    pub(crate) running: RunningModel,
}

impl RecordingModel {
    pub(crate) async fn start() -> Self {
        let answers = Answers::default();
        let noted = answers.clone();
        let model = ScriptedModel::new(move |call: Arc<ModelCall>| play(call, noted.clone()));
        Self { answers, running: model.start().await.unwrap() }
    }

    pub(crate) fn base_url(&self) -> String {
        self.running.base_url()
    }

    /// How many calls came.
    pub(crate) fn calls(&self) -> u64 {
        self.running.model().counters().calls
    }
}

fn play(
    call: Arc<ModelCall>,
    answers: Answers,
) -> impl futures_util::Stream<Item = Step> + Send + 'static {
    stream! {
        let plan: Plan = serde_json::from_str(&call.last_user_text()).unwrap();
        let number = answers.begin(&plan.tag);
        for delta in 0..plan.deltas {
            if delta > 0 && plan.interval_ms > 0 {
                yield Step::Pause(Duration::from_millis(plan.interval_ms));
            }
            let text = plan.delta(delta);
            answers.say(&plan.tag, number, &text);
            yield Step::Text(text);
        }
        if plan.hangs {
            yield Step::Hang;
        }
    }
}
