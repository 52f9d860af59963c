//! What the servers cost: CPU and memory of processes and of those that they have started.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use nix::{
    time::{clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

/// How often memory is read and new children are looked for.
const SAMPLE: Duration = Duration::from_millis(50);
/// Points of memory that are reported, spread over the time.
const MAX_POINTS: usize = 60;

/// What the costs are divided by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) deltas: u64,
    pub(crate) answers: u64,
    /// At a time.
    pub(crate) streams: usize,
    /// Whether it went on for a time of which the course is of interest.
    pub(crate) is_long: bool,
}

/// The processes that are watched, by their names.
pub(crate) struct Watch {
    trees: Arc<Mutex<Vec<Tree>>>,
    stop: CancellationToken,
    sampler: JoinHandle<()>,
}

/// A process and its descendants.
struct Tree {
    name: String,
    root: u32,
    /// The CPU clock of each member when it was first seen, and when it was last read, in
    /// nanoseconds.
    cpu: BTreeMap<u32, (u64, u64)>,
    idle_kib: u64,
    peak_kib: u64,
    /// Seconds since the beginning, and the memory then.
    points: Vec<(f64, u64)>,
}

/// What a watched process and its descendants cost.
#[derive(Debug, Serialize)]
pub(crate) struct Cost {
    pub(crate) processes: usize,
    /// Of all their threads, those that have ended included.
    pub(crate) cpu_seconds: f64,
    pub(crate) cpu_us_per_delta: Option<f64>,
    pub(crate) cpu_ms_per_answer: Option<f64>,
    /// Resident memory before the first connection.
    pub(crate) idle_kib: u64,
    pub(crate) peak_kib: u64,
    pub(crate) kib_per_stream: f64,
    /// `[seconds, KiB]` over the time, with `--for`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) memory: Vec<(f64, u64)>,
}

impl Watch {
    /// Takes the first reading, and begins to sample.
    pub(crate) fn start(watched: &[(String, u32)]) -> anyhow::Result<Self> {
        let trees = watched.iter().map(|(name, pid)| Tree::new(name, *pid));
        let trees = Arc::new(Mutex::new(trees.collect::<anyhow::Result<Vec<_>>>()?));
        let stop = CancellationToken::new();
        let sampler = std::thread::spawn({
            let (trees, stop, began) = (Arc::clone(&trees), stop.clone(), Instant::now());
            move || {
                while !stop.is_cancelled() {
                    std::thread::sleep(SAMPLE);
                    for tree in lock(&trees).iter_mut() {
                        tree.sample(began.elapsed());
                    }
                }
            }
        });
        Ok(Self { trees, stop, sampler })
    }

    /// The costs up to now.
    pub(crate) fn finish(self, work: Work) -> BTreeMap<String, Cost> {
        self.stop.cancel();
        // It takes a last sample and ends.
        let _ = self.sampler.join();
        let trees = lock(&self.trees);
        trees.iter().map(|tree| (tree.name.clone(), tree.cost(work))).collect()
    }
}

fn lock(trees: &Mutex<Vec<Tree>>) -> std::sync::MutexGuard<'_, Vec<Tree>> {
    trees.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tree {
    fn new(name: &str, root: u32) -> anyhow::Result<Self> {
        // Makes the peak begin anew; where that is not allowed, the samples are the peak.
        let _ = fs::write(format!("/proc/{root}/clear_refs"), "5");
        let mut cpu = BTreeMap::new();
        for pid in family(root) {
            let begin = cpu_nanoseconds(pid).with_context(|| format!("cannot watch {name}"))?;
            cpu.insert(pid, (begin, begin));
        }
        let idle_kib = cpu.keys().map(|pid| memory_kib(*pid, "VmRSS:").unwrap_or(0)).sum();
        Ok(Self {
            name: name.to_owned(),
            root,
            cpu,
            idle_kib,
            peak_kib: idle_kib,
            points: Vec::new(),
        })
    }

    fn sample(&mut self, elapsed: Duration) {
        let mut resident = 0;
        for pid in family(self.root) {
            let Ok(now) = cpu_nanoseconds(pid) else { continue };
            // A child that is new has spent all of its time since we began.
            self.cpu.entry(pid).or_insert((0, now)).1 = now;
            resident += memory_kib(pid, "VmRSS:").unwrap_or(0);
        }
        self.peak_kib = self.peak_kib.max(resident);
        if let [only] = *self.cpu.keys().copied().collect::<Vec<_>>() {
            self.peak_kib = self.peak_kib.max(memory_kib(only, "VmHWM:").unwrap_or(0));
        }
        self.points.push((elapsed.as_secs_f64(), resident));
    }

    #[expect(clippy::cast_precision_loss, reason = "these are figures for people")]
    fn cost(&self, work: Work) -> Cost {
        let nanoseconds: u64 = self.cpu.values().map(|(begin, end)| end - begin).sum();
        let per = |count: u64, unit: f64| {
            (count > 0).then(|| rounded(nanoseconds as f64 / count as f64 / unit))
        };
        let step = self.points.len().div_ceil(MAX_POINTS).max(1);
        let points = self.points.iter().filter(|_| work.is_long).step_by(step);
        Cost {
            processes: self.cpu.len(),
            cpu_seconds: rounded(nanoseconds as f64 / 1e9),
            cpu_us_per_delta: per(work.deltas, 1e3),
            cpu_ms_per_answer: per(work.answers, 1e6),
            idle_kib: self.idle_kib,
            peak_kib: self.peak_kib,
            kib_per_stream: rounded(
                (self.peak_kib - self.idle_kib) as f64 / work.streams.max(1) as f64,
            ),
            memory: points.map(|(seconds, kib)| (rounded(*seconds), *kib)).collect(),
        }
    }
}

/// To three digits behind the point.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// A process and its descendants that are there now.
fn family(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        next += 1;
        let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for thread in threads.flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            found.extend(
                children.split_ascii_whitespace().filter_map(|pid| pid.parse::<u32>().ok()),
            );
        }
    }
    found
}

/// The CPU time of a process: of all threads that it has and had, to the nanosecond.
///
/// The process's CPU clock is the scheduler's own sum. `/proc/PID/stat` has steps of 10 ms, and
/// the sum over `/proc/PID/task/*/schedstat` forgets threads that have ended.
pub(crate) fn cpu_nanoseconds(pid: u32) -> anyhow::Result<u64> {
    let pid = Pid::from_raw(i32::try_from(pid).context("no process id")?);
    let time = clock_gettime(clock_getcpuclockid(pid)?)?;
    let nanoseconds = i128::from(time.tv_sec()) * 1_000_000_000 + i128::from(time.tv_nsec());
    Ok(u64::try_from(nanoseconds).unwrap_or_default())
}

/// A line of `/proc/PID/status`.
fn memory_kib(pid: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_threads_that_have_ended_counts() {
        let before = cpu_nanoseconds(std::process::id()).unwrap();
        let spent = std::thread::spawn(|| {
            let begin = Instant::now();
            let mut rounds = 0_u64;
            while begin.elapsed() < Duration::from_millis(20) {
                rounds = std::hint::black_box(rounds + 1);
            }
        });
        spent.join().unwrap();

        assert!(cpu_nanoseconds(std::process::id()).unwrap() > before + 1_000_000);
    }

    #[test]
    fn children_are_of_the_family() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();

        let family = family(std::process::id());

        child.kill().unwrap();
        child.wait().unwrap();
        assert!(family.contains(&child.id()));
    }
}
