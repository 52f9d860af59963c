//! kill -9 in the middle of many answers, again and again on the same database.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use chatkit_gateway::protocol::Timestamp;
use futures_util::future::join_all;
use tokio::{task::JoinSet, time::sleep};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::rig::{
    AgentProcess, Database, Findings, GatewayProcess, Invariant, Plan, RecordingModel, Transcript,
    User,
    gateway_process::Crash,
    invariants::{self, Evidence},
    settings,
};

/// How many runs are live when the process dies.
const RUNS: usize = 20;
/// The pause between two deltas, in milliseconds.
const PACE: Range<u64> = 4..12;
/// Within this time the messages come.
const ARRIVE_WITHIN: Duration = Duration::from_millis(200);
/// Within this time the process dies: some runs are at their beginning, others at their end.
const DIES_WITHIN: Duration = Duration::from_millis(1_600);

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_breaks_no_promise_on_sqlite() {
    let mut random = settings::random("crash on SQLite");
    let mut findings = Findings::new("crash, SQLite");
    findings.merge(
        Lane::new(Database::sqlite(), 0, &mut random).await.play(settings::rounds(3, 300)).await,
    );
    findings.finish();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn a_killed_process_breaks_no_promise_on_postgres() {
    let mut random = settings::random("crash on PostgreSQL");
    let mut findings = Findings::new("crash, PostgreSQL");
    let rounds = settings::rounds(2, 300);
    let lanes = settings::lanes().min(rounds);
    // A lease is as long as it is: rounds wait for it beside each other.
    let mut playing = Vec::new();
    for number in 0..lanes {
        let lane = Lane::new(Database::postgres().await, number, &mut random).await;
        playing.push(lane.play(rounds / lanes + usize::from(number < rounds % lanes)));
    }
    for found in join_all(playing).await {
        findings.merge(found);
    }
    findings.finish();
}

/// A word that nothing follows is kept as soon as one in a stream of words.
#[tokio::test(flavor = "multi_thread")]
async fn a_word_is_kept_half_a_second_after_it_was_said() {
    let (database, model) = (Database::sqlite(), RecordingModel::start().await);
    let mut gateway = GatewayProcess::start(&database.url, &model.base_url()).await;
    let user = User::all(&[&gateway.base]).swap_remove(0);
    let begun = Timestamp::now();
    let plan = Plan { hangs: true, ..Plan::new("ada/word".to_owned(), 1, 0) };
    let asking = AbortOnDropHandle::new(TaskTracker::new().spawn(user.ask(plan)));

    model.running.model().wait_until(|counters| counters.calls == 1).await;
    // And what the word takes from the model to the gateway.
    sleep(invariants::MAY_LOSE + Duration::from_millis(20)).await;
    let crash = gateway.kill();
    gateway.restart().await;

    let transcripts = [asking.await.unwrap()];
    let mut findings = Findings::new("crash behind a word, SQLite");
    Evidence {
        transcripts: &transcripts,
        answers: &model.answers,
        stored: &database.look(begun).await,
        crashes: &[crash],
    }
    .judge(&mut findings);
    findings.round(1);
    assert_eq!(transcripts[0].text(), "ada/word:0 ");
    assert_eq!(database.look(begun).await.text(&transcripts[0].run_id), "ada/word:0 ");
    findings.finish();
}

/// A gateway on a database of its own that dies once or twice a round.
pub(crate) struct Lane {
    number: usize,
    database: Database,
    model: RecordingModel,
    gateway: GatewayProcess,
    /// Who answers in place of the gateway's own agent. Then it is this that dies, every other time.
    agent: Option<AgentProcess>,
    runs: usize,
    pace: Range<u64>,
    users: Vec<User>,
    random: fastrand::Rng,
}

impl Lane {
    async fn new(database: Database, number: usize, random: &mut fastrand::Rng) -> Self {
        let model = RecordingModel::start().await;
        let gateway = GatewayProcess::start(&database.url, &model.base_url()).await;
        Self::of(database, model, gateway, number, random)
    }

    /// With an agent that a program of this repository is. `slowness` is by how much less there is
    /// to do for it.
    pub(crate) async fn with_agent(
        database: Database,
        (interpreter, program): (String, &str),
        slowness: u32,
        random: &mut fastrand::Rng,
    ) -> Self {
        let model = RecordingModel::start().await;
        let agent = AgentProcess::start(interpreter, program, &model.base_url());
        let (database_url, model_url) = (database.url.clone(), model.base_url());
        let gateway = GatewayProcess::start_with(&database_url, &model_url, &agent.vars()).await;
        let lane = Self::of(database, model, gateway, 0, random);
        let pace = PACE.start * u64::from(slowness)..PACE.end * u64::from(slowness);
        Self { agent: Some(agent), runs: RUNS / slowness as usize, pace, ..lane }
    }

    fn of(
        database: Database,
        model: RecordingModel,
        gateway: GatewayProcess,
        number: usize,
        random: &mut fastrand::Rng,
    ) -> Self {
        let mut users = User::all(&[&gateway.base]);
        if settings::is_long() && database.is_postgres() {
            // Some come back at once, some late: all at once would only poll.
            for user in &mut users {
                user.comes_back_within = Duration::from_secs(20);
            }
        }
        let random = random.fork();
        let (agent, runs, pace) = (None, RUNS, PACE);
        Self { number, database, model, gateway, agent, runs, pace, users, random }
    }

    /// Plays so many rounds.
    pub(crate) async fn play(mut self, rounds: usize) -> Findings {
        let mut findings = Findings::new("");
        let begun = Timestamp::now();
        for round in 0..rounds {
            self.round(round, &mut findings).await;
        }
        // What had ended stays as it was, through all later crashes.
        let stored = self.database.look(begun).await;
        let lost = rounds * self.runs - stored.runs.len().min(rounds * self.runs);
        findings
            .note(Invariant::StoredOnce, (0..lost).map(|_| "a run is gone".to_owned()).collect());
        findings
    }

    async fn round(&mut self, round: usize, findings: &mut Findings) {
        self.model.answers.clear();
        let begun = Timestamp::now();
        let mut asking = JoinSet::new();
        for number in 0..self.runs {
            let user = self.users[number % self.users.len()].clone();
            let tag = format!("{}/{}.{round}.{number}", user.name, self.number);
            let plan = self.plan(tag);
            let arrives = ARRIVE_WITHIN.mul_f64(self.random.f64());
            asking.spawn(async move {
                sleep(arrives).await;
                user.ask(plan).await
            });
        }
        sleep(DIES_WITHIN.mul_f64(self.random.f64())).await;

        let mut crashes = vec![self.die().await];
        if self.random.bool() && self.random.bool() {
            // Again, perhaps while it ends what the first left.
            sleep(Duration::from_millis(self.random.u64(..200))).await;
            crashes.push(self.die().await);
        }

        let transcripts: Vec<Transcript> = asking.join_all().await;
        let restarted = Instant::now();
        let stored = self.database.look(begun).await;
        let evidence = Evidence {
            transcripts: &transcripts,
            answers: &self.model.answers,
            stored: &stored,
            crashes: &crashes,
        };
        evidence.judge(findings);
        let readable = invariants::what_is_done_is_readable(&self.users, &transcripts).await;
        findings.note(Invariant::DoneIsStored, readable);
        let foreign = invariants::nobody_finds_anothers(&self.users, &transcripts[0]).await;
        findings.note(Invariant::NoForeignByte, foreign);
        findings.took("check", restarted.elapsed());
        findings.connections(&transcripts);
        findings.round(self.runs);
    }

    /// From a few deltas to some hundred; text of one byte a letter and of two.
    fn plan(&mut self, tag: String) -> Plan {
        let random = &mut self.random;
        let deltas = random.usize(5..250);
        Plan { filler: random.usize(..12), ..Plan::new(tag, deltas, random.u64(self.pace.clone())) }
    }

    async fn die(&mut self) -> Crash {
        if let Some(agent) = &mut self.agent
            && self.random.bool()
        {
            return Crash { has_agent: true, ..agent.die() };
        }
        let crash = self.gateway.kill();
        if !settings::is_long() {
            self.database.expire_leases().await;
        }
        self.gateway.restart().await;
        Crash { has_agent: self.agent.is_some(), ..crash }
    }
}
