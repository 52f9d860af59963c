//! Violations, counted, and the row of the report.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use super::Transcript;

/// What the gateway promises, whatever breaks. Each is a function of `invariants`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Invariant {
    /// Each acknowledged message is stored once.
    StoredOnce,
    /// Each run has one end, and at most one message for each model call.
    OneEnd,
    /// What was said to be done is readable everywhere, and is what the deltas said.
    DoneIsStored,
    /// What is kept is the beginning of what the model sent, and lacks half a second at most.
    KeptIsPrefix,
    /// Positions rise without gap or repeat over all connections.
    Positions,
    /// No thread is busy 20 s after a crash.
    NotBusy,
    /// Nobody gets a byte of another.
    NoForeignByte,
    /// Each run asks the model once.
    OneCall,
    /// Descriptors, tasks, memory and connections are back to where they were.
    ResourcesBack,
    /// A process ends within its drain time and a second.
    EndsInTime,
}

const ALL: [Invariant; 10] = [
    Invariant::StoredOnce,
    Invariant::OneEnd,
    Invariant::DoneIsStored,
    Invariant::KeptIsPrefix,
    Invariant::Positions,
    Invariant::NotBusy,
    Invariant::NoForeignByte,
    Invariant::OneCall,
    Invariant::ResourcesBack,
    Invariant::EndsInTime,
];

/// At most so many violations are printed.
const PRINTED: usize = 20;

/// What came of a scenario.
pub(crate) struct Findings {
    scenario: &'static str,
    started: Instant,
    rounds: usize,
    runs: usize,
    connections: usize,
    violations: BTreeMap<Invariant, Vec<String>>,
    most_lost: Option<Duration>,
    notes: BTreeMap<&'static str, Duration>,
}

impl Findings {
    pub(crate) fn new(scenario: &'static str) -> Self {
        Self {
            scenario,
            started: Instant::now(),
            rounds: 0,
            runs: 0,
            connections: 0,
            violations: BTreeMap::new(),
            most_lost: None,
            notes: BTreeMap::new(),
        }
    }

    /// A round of so many runs is over.
    pub(crate) fn round(&mut self, runs: usize) {
        self.rounds += 1;
        self.runs += runs;
    }

    /// There were so many runs.
    pub(crate) fn runs(&mut self, runs: usize) {
        self.runs += runs;
    }

    /// So many connections served these readers.
    pub(crate) fn connections(&mut self, transcripts: &[Transcript]) {
        self.connections += transcripts.iter().map(|reader| reader.connections).sum::<usize>();
    }

    /// A promise was looked at.
    pub(crate) fn note(&mut self, invariant: Invariant, violations: Vec<String>) {
        self.violations.entry(invariant).or_default().extend(violations);
    }

    /// This much text was lost, in the time that it took the model to send it.
    pub(crate) fn lost(&mut self, lost: Option<Duration>) {
        self.most_lost = self.most_lost.max(lost);
    }

    /// Something took this long; the longest is reported.
    pub(crate) fn took(&mut self, what: &'static str, time: Duration) {
        let longest = self.notes.entry(what).or_default();
        *longest = time.max(*longest);
    }

    /// What another round, or another lane, found.
    pub(crate) fn merge(&mut self, other: Self) {
        self.rounds += other.rounds;
        self.runs += other.runs;
        self.connections += other.connections;
        for (invariant, violations) in other.violations {
            self.note(invariant, violations);
        }
        self.lost(other.most_lost);
        for (what, time) in other.notes {
            self.took(what, time);
        }
    }

    /// Writes the row of the report and fails when a promise was broken.
    pub(crate) fn finish(self) {
        let row = self.row();
        eprintln!("{row}");
        if let Some(folder) = std::env::var_os("FAULT_REPORT") {
            std::fs::write(Path::new(&folder).join(format!("{}.row", self.file_name())), row)
                .unwrap();
        }
        let broken: Vec<String> = self
            .violations
            .iter()
            .flat_map(|(invariant, all)| {
                all.iter().map(move |text| format!("{invariant:?}: {text}"))
            })
            .collect();
        let shown = broken.iter().take(PRINTED).cloned().collect::<Vec<_>>().join("\n");
        assert!(broken.is_empty(), "{} violations:\n{shown}", broken.len());
    }

    fn file_name(&self) -> String {
        self.scenario.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-")
    }

    fn row(&self) -> String {
        let mut row = format!(
            "| {} | {} | {} | {} |",
            self.scenario, self.rounds, self.runs, self.connections
        );
        for invariant in ALL {
            // Writing into a string cannot fail.
            let _ = match self.violations.get(&invariant) {
                Some(violations) => write!(row, " {} |", violations.len()),
                None => write!(row, " – |"),
            };
        }
        let lost = self.most_lost.map_or("–".to_owned(), |lost| lost.as_millis().to_string());
        let notes: Vec<String> = self
            .notes
            .iter()
            .map(|(what, time)| format!("{what} {:.1} s", time.as_secs_f64()))
            .collect();
        let _ = write!(
            row,
            " {lost} | {:.0} | {} |",
            self.started.elapsed().as_secs_f64(),
            notes.join(", ")
        );
        row
    }
}
