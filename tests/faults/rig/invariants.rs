//! What the gateway promises, whatever breaks: each promise is a function that answers what speaks
//! against it.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use chatkit_gateway::protocol::{ThreadEvent, Timestamp};
use reqwest::StatusCode;
use serde_json::Value;

use super::{
    Findings, Invariant, RecordingModel, Transcript, User,
    database::{Stored, StoredRun},
    gateway_process::{Crash, GatewayProcess, Resources},
    model::{Answer, Answers},
    settings,
    transcript::{Seen, delta},
};

/// How much text a crash may cost, in the time that it took the model to send it.
pub(crate) const MAY_LOSE: Duration = Duration::from_millis(500);
/// What is on its way between the model and the gateway, or between the gateway and the database,
/// when the crash comes. An optimised build on a machine of its own has little of it. The short form
/// is an unoptimised one among other tests, and waits for its turn on the processor: it only sees
/// whether text is kept at all while an answer goes on.
fn in_flight() -> Duration {
    if settings::is_long() { Duration::from_millis(100) } else { Duration::from_secs(5) }
}
/// How long a crash may leave a thread busy.
const MAY_BE_BUSY: Duration = Duration::from_secs(20);

/// All that is known of some runs.
pub(crate) struct Evidence<'a> {
    pub(crate) transcripts: &'a [Transcript],
    pub(crate) answers: &'a Answers,
    pub(crate) stored: &'a Stored,
    /// Processes that died, oldest first.
    pub(crate) crashes: &'a [Crash],
}

impl Evidence<'_> {
    /// Looks at all promises that the evidence can speak to.
    pub(crate) fn judge(&self, findings: &mut Findings) {
        findings.note(Invariant::StoredOnce, acknowledged_messages_are_stored_once(self));
        findings.note(Invariant::OneEnd, runs_have_one_end(self));
        findings.note(Invariant::DoneIsStored, what_is_done_is_stored(self));
        let lost = what_is_kept_is_a_prefix(self, findings);
        findings.note(Invariant::KeptIsPrefix, lost);
        findings.note(Invariant::Positions, positions_rise_without_gap_or_repeat(self));
        if !self.crashes.is_empty() {
            let busy = no_thread_stays_busy(self, findings);
            findings.note(Invariant::NotBusy, busy);
        }
        findings.note(Invariant::NoForeignByte, nobody_is_sent_anothers_text(self));
        findings.note(Invariant::OneCall, each_run_asks_the_model_once(self));
    }

    fn runs(&self) -> impl Iterator<Item = (&Transcript, &StoredRun)> {
        self.transcripts
            .iter()
            .filter_map(|transcript| Some((transcript, self.stored.run(&transcript.run_id)?)))
    }
}

/// (I1) An acknowledged message is stored, in the thread that was named, once; any other at most
/// once.
fn acknowledged_messages_are_stored_once(evidence: &Evidence<'_>) -> Vec<String> {
    let mut threads: HashMap<String, Vec<&str>> = HashMap::new();
    for item in evidence.stored.items.iter().filter(|item| item.kind == "user_message") {
        let plan: Option<Value> =
            item.content.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let tag = plan.as_ref().and_then(|plan| plan["tag"].as_str()).unwrap_or_default();
        threads.entry(tag.to_owned()).or_default().push(&item.thread_id);
    }
    let mut against = Vec::new();
    for transcript in evidence.transcripts {
        let stored = threads.get(&transcript.tag).map(Vec::as_slice).unwrap_or_default();
        let is_right = match transcript.acknowledged {
            Some(_) => stored == [transcript.thread_id.as_str()],
            None => stored.len() <= 1,
        };
        if !is_right {
            against.push(format!(
                "{} (acknowledged: {}) is stored {} times",
                transcript.tag,
                transcript.acknowledged.is_some(),
                stored.len()
            ));
        }
    }
    against
}

/// (I2) A run has ended, in one way for the database and for its readers, and made at most one
/// message.
fn runs_have_one_end(evidence: &Evidence<'_>) -> Vec<String> {
    let mut against = Vec::new();
    for run in &evidence.stored.runs {
        if ["queued", "running"].contains(&run.status.as_str()) {
            against.push(format!("run {} is still {}", run.id, run.status));
        }
        let answers = evidence.stored.answers(&run.id).len();
        if answers > 1 {
            against.push(format!("run {} has {answers} messages", run.id));
        }
    }
    for (transcript, run) in evidence.runs() {
        let is_told = match (transcript.done_text().is_some(), transcript.has_error()) {
            (true, false) => run.status == "completed",
            (false, true) => run.status == "interrupted" || run.status == "failed",
            (done, error) => {
                against.push(format!(
                    "the reader of {} (run {}, {}) saw done: {done}, error: {error}, {:?}",
                    transcript.tag, run.id, run.status, transcript.end
                ));
                true
            }
        };
        if !is_told {
            against.push(format!("{} was told otherwise: {}", transcript.tag, run.status));
        }
    }
    against
}

/// (I3) What was said to be done is stored as it was said, and that is what the model said.
fn what_is_done_is_stored(evidence: &Evidence<'_>) -> Vec<String> {
    let mut against = Vec::new();
    for transcript in evidence.transcripts {
        let Some(done) = transcript.done_text() else { continue };
        let said = evidence.answers.to(&transcript.tag);
        for (what, text, whole) in [
            ("the deltas", transcript.text(), done.get(transcript.skipped..).unwrap_or_default()),
            ("the database", evidence.stored.text(&transcript.run_id), &*done),
            ("the model", said.first().map(Answer::text).unwrap_or_default(), &*done),
        ] {
            if text != whole {
                against.push(format!(
                    "{}: {what} have {} bytes, what is done {}",
                    transcript.tag,
                    text.len(),
                    whole.len()
                ));
            }
        }
    }
    against
}

/// (I3) What was said to be done is readable at every gateway.
pub(crate) async fn what_is_done_is_readable(
    users: &[User],
    transcripts: &[Transcript],
) -> Vec<String> {
    let mut against = Vec::new();
    for transcript in transcripts {
        let Some(done) = transcript.done_text() else { continue };
        let user = users.iter().find(|user| user.name == transcript.user).unwrap();
        for base in &*user.gateways {
            let path = format!("/api/chatkit/threads/{}", transcript.thread_id);
            let (status, thread) = user.get(base, &path).await;
            let message = &thread["messages"][1];
            if status != StatusCode::OK
                || message["content"] != done.as_str()
                || message["status"] != "complete"
            {
                against.push(format!("{} at {base}: {status}", transcript.tag));
            }
        }
    }
    against
}

/// (I4) What is kept of an answer is how it began, and lacks at most what the model sent in the
/// last half second; behind an agent, what a reader saw in it.
fn what_is_kept_is_a_prefix(evidence: &Evidence<'_>, findings: &mut Findings) -> Vec<String> {
    let mut against = Vec::new();
    for (transcript, run) in evidence.runs() {
        let kept = evidence.stored.text(&run.id);
        let said = evidence.answers.to(&transcript.tag);
        let Some(said) = said.first() else {
            if !kept.is_empty() {
                against.push(format!("{}: kept without a word of the model", transcript.tag));
            }
            continue;
        };
        if !said.text().starts_with(&kept) {
            against.push(format!("{}: what is kept is not what was said", transcript.tag));
            continue;
        }
        let is_of = |crash: &&Crash| transcript.acknowledged.is_none_or(|at| at < crash.over);
        match evidence.crashes.iter().find(is_of) {
            Some(crash) => {
                let lost = if crash.has_agent {
                    transcript.first_seen_behind(kept.len())
                } else {
                    said.first_sent_behind(kept.len())
                };
                let lost = lost.map(|sent| crash.at.saturating_duration_since(sent));
                findings.lost(lost.or(Some(Duration::ZERO)));
                if lost.is_some_and(|lost| lost > MAY_LOSE + in_flight()) {
                    against.push(format!(
                        "{}: lost {} ms",
                        transcript.tag,
                        lost.unwrap_or_default().as_millis()
                    ));
                }
            }
            // Without a crash nothing may go that a reader has seen.
            None if transcript.skipped == 0 && !kept.starts_with(&transcript.text()) => against
                .push(format!(
                    "{} ({}): kept {} bytes, a reader saw {}",
                    transcript.tag,
                    run.status,
                    kept.len(),
                    transcript.text().len()
                )),
            None => {}
        }
    }
    against
}

/// (I5) Every event has a number above the last one's, and none is left out: merged deltas have as
/// many numbers as the model sent deltas. Only behind a crash is there a gap, before the error.
fn positions_rise_without_gap_or_repeat(evidence: &Evidence<'_>) -> Vec<String> {
    let mut against = Vec::new();
    for transcript in evidence.transcripts {
        against.extend(transcript.strange.iter().cloned());
        let said = evidence.answers.to(&transcript.tag);
        let said = said.first().cloned().unwrap_or_default();
        let (mut position, mut length) = (transcript.after, transcript.skipped);
        for seen in &transcript.seen {
            let expected = match numbers_of(seen, &said, &mut length) {
                Ok(count) => position + count,
                Err(strange) => {
                    against.push(format!("{} at {}: {strange}", transcript.tag, seen.seq));
                    break;
                }
            };
            let is_end = matches!(seen.event, ThreadEvent::Error(_));
            if seen.seq < expected || (seen.seq > expected && !is_end) {
                against.push(format!(
                    "{}: number {} where {expected} follows {position}",
                    transcript.tag, seen.seq
                ));
                break;
            }
            position = seen.seq;
        }
        let behind = said.text().get(transcript.skipped..).unwrap_or_default().to_owned();
        if !behind.starts_with(&transcript.text()) {
            against.push(format!("{}: the deltas are not what was said", transcript.tag));
        }
    }
    against
}

/// How many numbers an event has, by what the model sent.
fn numbers_of(seen: &Seen, said: &Answer, length: &mut usize) -> Result<u64, &'static str> {
    let Some(delta) = delta(&seen.event) else { return Ok(1) };
    let before = said.count(*length).ok_or("it begins within a delta")?;
    *length += delta.len();
    let after = said.count(*length).ok_or("it ends within a delta")?;
    Ok((after - before) as u64)
}

/// (I6) A run that a crash left was ended in time.
fn no_thread_stays_busy(evidence: &Evidence<'_>, findings: &mut Findings) -> Vec<String> {
    let Some(last) = evidence.crashes.last() else { return Vec::new() };
    let mut against = Vec::new();
    for run in evidence.stored.runs.iter().filter(|run| run.status == "interrupted") {
        let ended = Timestamp::from_micros(run.ended_at.unwrap_or_default());
        let busy = ended.since(last.time);
        findings.took("busy", busy);
        if busy > MAY_BE_BUSY {
            against.push(format!("run {} was busy for {:.1} s", run.id, busy.as_secs_f64()));
        }
    }
    against
}

/// (I7) Nobody was sent a text with another's name.
fn nobody_is_sent_anothers_text(evidence: &Evidence<'_>) -> Vec<String> {
    evidence.transcripts.iter().flat_map(|transcript| transcript.foreign.iter().cloned()).collect()
}

/// (I7) Another's run and thread look like ones that do not exist.
pub(crate) async fn nobody_finds_anothers(users: &[User], transcript: &Transcript) -> Vec<String> {
    let mut against = Vec::new();
    for user in users.iter().filter(|user| user.name != transcript.user) {
        for path in [
            format!("/api/chatkit/runs/{}", transcript.run_id),
            format!("/api/chatkit/runs/{}/events", transcript.run_id),
            format!("/api/chatkit/threads/{}", transcript.thread_id),
        ] {
            let (status, body) = user.get(&user.gateways[0], &path).await;
            if status != StatusCode::NOT_FOUND {
                against.push(format!("{} reads {path}: {status} {body}", user.name));
            }
        }
    }
    against
}

/// (I8) A message has one run, which asks the model once; where a process died, once at most.
fn each_run_asks_the_model_once(evidence: &Evidence<'_>) -> Vec<String> {
    let mut against = Vec::new();
    for transcript in evidence.transcripts {
        let calls = evidence.answers.to(&transcript.tag).len();
        let run = evidence.stored.run(&transcript.run_id);
        let may_lack =
            run.is_none() || (!evidence.crashes.is_empty() && transcript.done_text().is_none());
        if calls > 1 || (calls == 0 && !may_lack) {
            against.push(format!("{}: {calls} calls", transcript.tag));
        }
        let of_thread = |run: &&StoredRun| run.thread_id == transcript.thread_id;
        let runs = evidence.stored.runs.iter().filter(of_thread).count();
        if transcript.acknowledged.is_some() && runs != 1 {
            against.push(format!("{}: {runs} runs", transcript.tag));
        }
    }
    against
}

/// (I9) A process has nothing open that it had not before. What belongs to requests goes within
/// moments. Connections to the model are kept for the next calls; the database's pool is not always
/// the same size, and memory is not given back to the last page.
pub(crate) async fn resources_are_back(
    gateway: &GatewayProcess,
    model: &RecordingModel,
    before: Resources,
) -> Vec<String> {
    /// Until what clients have closed is closed here, too.
    const MOMENTS: Duration = Duration::from_secs(5);
    /// The pool's, and that of `/metrics`.
    const MORE_DESCRIPTORS: usize = 20;
    const MORE_TASKS: usize = 8;
    const MORE_KIB: usize = 64 * 1024;
    let begun = Instant::now();
    loop {
        let now = gateway.resources().await;
        // Each with a descriptor and a task.
        let kept = usize::try_from(model.running.model().counters().open_connections).unwrap();
        let mut against = Vec::new();
        for (what, before, now, more) in [
            ("live runs", before.live_runs, now.live_runs, 0),
            ("readers", before.readers, now.readers, 0),
            ("tasks", before.tasks, now.tasks, kept + MORE_TASKS),
            ("descriptors", before.descriptors, now.descriptors, kept + MORE_DESCRIPTORS),
            ("KiB", before.resident_kib, now.resident_kib, MORE_KIB),
        ] {
            if now > before + more {
                against.push(format!("{what}: {before} before, {now} now"));
            }
        }
        if against.is_empty() || begun.elapsed() > MOMENTS {
            return against;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The status of a process that ended before the database had taken all.
pub(crate) const UNSTORED: i32 = 75;

/// (I10) A process ended in time, and in order: with this status.
pub(crate) fn ends_in_time(
    told: Instant,
    limit: Duration,
    status: std::process::ExitStatus,
    expected: i32,
) -> Vec<String> {
    let mut against = Vec::new();
    if told.elapsed() > limit {
        against.push(format!("took {:.2} s of {limit:?}", told.elapsed().as_secs_f64()));
    }
    if status.code() != Some(expected) {
        against.push(format!("ended with {status}"));
    }
    against
}
