//! What the gateway has stored, compared with what it said that it had.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::bail;
use serde::Serialize;
use serde_json::Value;

use super::{
    http::{Connection, Endpoint, ResponseReader},
    target::{Target, User},
};

/// Requests at a time.
const ASKING: usize = 16;
/// Failures that are told in words.
const MAX_EXAMPLES: usize = 5;

/// An answer whose thread is known: so its message was acknowledged.
pub(crate) struct Said {
    user: User,
    thread: String,
    /// Of the answer's text, if its end was seen.
    answer: Option<Digest>,
}

/// Stands for a text: an hour of answers need not be kept in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Digest {
    length: usize,
    hash: u64,
}

impl Digest {
    fn of(text: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        Self { length: text.len(), hash: hasher.finish() }
    }
}

impl Said {
    pub(crate) fn new(user: &User, thread: &str, answer: Option<&str>) -> Self {
        Self { user: user.clone(), thread: thread.to_owned(), answer: answer.map(Digest::of) }
    }
}

/// What the comparison gave.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Audit {
    pub(crate) threads: u64,
    /// Messages of users that were acknowledged, and answers that were told to be done.
    pub(crate) expected: u64,
    /// Of these, not there.
    pub(crate) missing: u64,
    /// Of these, there more than once, or beside others that nobody was told of.
    pub(crate) surplus: u64,
    /// Of these, with another text.
    pub(crate) differing: u64,
    /// Threads that could not be read.
    pub(crate) unreadable: u64,
    pub(crate) examples: Vec<String>,
}

/// What is expected of a thread, in order.
struct Expected {
    user: User,
    answers: Vec<Option<Digest>>,
}

/// Asks for every thread.
pub(crate) async fn run_audit(target: &Arc<Target>, said: Vec<Said>) -> Audit {
    let mut threads = BTreeMap::<String, Expected>::new();
    for Said { user, thread, answer } in said {
        let expected = threads.entry(thread);
        expected.or_insert_with(|| Expected { user, answers: Vec::new() }).answers.push(answer);
    }
    let audit = Arc::new(Mutex::new(Audit::default()));
    let waiting = Arc::new(Mutex::new(threads.into_iter()));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..ASKING {
        tasks.spawn(audit_threads(Arc::clone(target), Arc::clone(&waiting), Arc::clone(&audit)));
    }
    while tasks.join_next().await.is_some() {}
    std::mem::take(&mut audit.lock().unwrap_or_else(PoisonError::into_inner))
}

async fn audit_threads(
    target: Arc<Target>,
    waiting: Arc<Mutex<impl Iterator<Item = (String, Expected)>>>,
    audit: Arc<Mutex<Audit>>,
) {
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let mut connection = None;
    while let Some((thread, expected)) = next() {
        let request = target.thread(&expected.user, &thread);
        let stored = get(&target.endpoint, &mut connection, &request).await;
        let mut audit = audit.lock().unwrap_or_else(PoisonError::into_inner);
        audit.threads += 1;
        match stored {
            Ok(stored) => {
                let kept = stored["messages"].as_array().map_or(&[][..], Vec::as_slice);
                audit.compare(&thread, &target.message, &expected.answers, kept);
            }
            Err(error) => {
                connection = None;
                audit.unreadable += 1;
                audit.example(format!("{thread}: {error}"));
            }
        }
    }
}

/// A JSON answer, on a connection that is kept.
pub(crate) async fn get(
    endpoint: &Endpoint,
    kept: &mut Option<Connection>,
    request: &[u8],
) -> anyhow::Result<Value> {
    let connection = match kept {
        Some(connection) => connection,
        None => kept.insert(Connection::open(endpoint.address).await?),
    };
    connection.send(request).await?;
    let (mut response, mut body) = (ResponseReader::default(), Vec::new());
    let mut buffer = vec![0; 16 * 1024];
    while !response.has_ended() {
        let read = std::future::poll_fn(|context| {
            connection.poll_read(context, &mut buffer).map_ok(<[u8]>::len)
        });
        match read.await? {
            0 => response.closed()?,
            length => response.feed(&buffer[..length], |bytes| body.extend_from_slice(bytes))?,
        }
    }
    let status = response.head().map_or(0, |head| head.status);
    if status != 200 {
        bail!("status {status}");
    }
    Ok(serde_json::from_slice(&body)?)
}

impl Audit {
    /// Compares a thread's messages with what was acknowledged of them.
    fn compare(
        &mut self,
        thread: &str,
        message: &str,
        answers: &[Option<Digest>],
        stored: &[Value],
    ) {
        let of = |role: &str| -> Vec<&str> {
            let of_role = stored.iter().filter(|message| message["role"] == role);
            of_role.map(|message| message["content"].as_str().unwrap_or_default()).collect()
        };
        let (users, assistants) = (of("user"), of("assistant"));
        self.count(thread, "user's messages", answers.len(), users.len());
        for text in users {
            self.differing(thread, text == message);
        }
        let done: Vec<_> = answers.iter().flatten().collect();
        if done.len() < answers.len() {
            // What was cut off may have left an answer, or none.
            let missing = done.len().saturating_sub(assistants.len());
            self.expected += done.len() as u64;
            self.missing += missing as u64;
            return;
        }
        self.count(thread, "answers", done.len(), assistants.len());
        for (text, expected) in assistants.into_iter().zip(done) {
            self.differing(thread, Digest::of(text) == *expected);
        }
    }

    fn count(&mut self, thread: &str, what: &str, expected: usize, stored: usize) {
        self.expected += expected as u64;
        self.missing += expected.saturating_sub(stored) as u64;
        self.surplus += stored.saturating_sub(expected) as u64;
        if expected != stored {
            self.example(format!("{thread}: {stored} {what} instead of {expected}"));
        }
    }

    fn differing(&mut self, thread: &str, is_same: bool) {
        if !is_same {
            self.differing += 1;
            self.example(format!("{thread}: another text is stored"));
        }
    }

    fn example(&mut self, text: String) {
        if self.examples.len() < MAX_EXAMPLES {
            self.examples.push(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn audited(answers: &[Option<&str>], stored: &Value) -> Audit {
        let mut audit = Audit::default();
        let answers: Vec<_> = answers.iter().map(|answer| answer.map(Digest::of)).collect();
        audit.compare("t", "ask", &answers, stored.as_array().unwrap());
        audit
    }

    #[test]
    fn what_is_stored_as_it_was_said_has_no_fault() {
        let audit = audited(
            &[Some("a")],
            &json!([{"role": "user", "content": "ask"}, {"role": "assistant", "content": "a"}]),
        );

        assert_eq!((audit.expected, audit.missing, audit.surplus, audit.differing), (2, 0, 0, 0));
    }

    #[test]
    fn an_answer_that_is_missing_twice_there_or_other_is_told() {
        let user = json!({"role": "user", "content": "ask"});
        let says = |text: &str| json!({"role": "assistant", "content": text});

        assert_eq!(audited(&[Some("a")], &json!([user])).missing, 1);
        assert_eq!(audited(&[Some("a")], &json!([user, says("a"), says("a")])).surplus, 1);
        assert_eq!(audited(&[Some("a")], &json!([user, says("b")])).differing, 1);
        assert_eq!(audited(&[None], &json!([])).missing, 1);
    }
}
