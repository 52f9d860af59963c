//! What servers say while their calls are under way.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rmcp::model::{ProgressNotificationParam, ProgressToken};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::{protocol::ThreadEvent, tools::Display};

/// How much of a server's message is shown, in characters.
const MAX_MESSAGE: usize = 200;
/// How often a call's progress is shown at most: what people can read. What comes between is
/// replaced by what comes after it, however much it is.
const EVERY: Duration = Duration::from_millis(200);

/// The calls under way of a connection that want to hear of their progress.
#[derive(Default)]
pub(super) struct Progress(Mutex<HashMap<ProgressToken, watch::Sender<Option<String>>>>);

impl Progress {
    /// Takes what a server says; the newest replaces what nobody has taken yet.
    pub(super) fn tell(&self, said: &ProgressNotificationParam) {
        let calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(call) = calls.get(&said.progress_token) {
            call.send_replace(Some(text(said)));
        }
    }

    /// Hears of a call until the answer is dropped.
    pub(super) fn of_call(self: &Arc<Self>, token: ProgressToken) -> CallProgress {
        let (sender, receiver) = watch::channel(None);
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.insert(token.clone(), sender);
        drop(calls);
        CallProgress { all: self.clone(), token, receiver, next_at: Instant::now() }
    }
}

/// What is said of one call.
pub(super) struct CallProgress {
    all: Arc<Progress>,
    token: ProgressToken,
    receiver: watch::Receiver<Option<String>>,
    next_at: Instant,
}

impl CallProgress {
    /// Shows what is said, behind the tool's title, for ever.
    pub(super) async fn show(&mut self, title: &str, display: &Display) {
        loop {
            sleep_until(self.next_at).await;
            if self.receiver.changed().await.is_err() {
                return std::future::pending().await;
            }
            let said = self.receiver.borrow_and_update().clone();
            if let Some(said) = said {
                let text = format!("{title}: {said}");
                display.event(ThreadEvent::ProgressUpdate { icon: None, text }).await;
            }
            self.next_at = Instant::now() + EVERY;
        }
    }
}

impl Drop for CallProgress {
    fn drop(&mut self) {
        let mut calls = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.remove(&self.token);
    }
}

/// The server's own words, else how far it is.
fn text(said: &ProgressNotificationParam) -> String {
    let message = said.message.as_deref().map(str::trim).filter(|message| !message.is_empty());
    match (message, said.total) {
        (Some(message), _) => {
            let is_shown = |c: &char| !c.is_control();
            message.chars().filter(is_shown).take(MAX_MESSAGE).collect()
        }
        (None, Some(total)) if total > 0.0 && said.progress.is_finite() => {
            format!("{:.0} %", (said.progress / total * 100.0).clamp(0.0, 100.0))
        }
        (None, _) => said.progress.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use rmcp::model::NumberOrString;

    use super::*;

    fn said(progress: f64, total: Option<f64>, message: Option<&str>) -> String {
        let token = ProgressToken(NumberOrString::Number(1));
        let mut said = ProgressNotificationParam::new(token, progress);
        said.total = total;
        said.message = message.map(str::to_owned);
        text(&said)
    }

    #[test]
    fn the_servers_words_come_before_numbers() {
        assert_eq!(said(1.0, Some(4.0), Some(" Reading\n")), "Reading");
        assert_eq!(said(1.0, Some(4.0), None), "25 %");
        assert_eq!(said(9.0, Some(4.0), Some("")), "100 %");
        assert_eq!(said(3.0, None, None), "3");
        assert_eq!(said(1.0, None, Some(&"x".repeat(1_000))).len(), MAX_MESSAGE);
    }
}
