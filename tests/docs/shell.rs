//! Runs the steps of a page in one bash, from top to bottom, as a reader would paste them.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tempfile::TempDir;
use tokio::process::Command;

use super::page::{Expected, Step};

/// How long a whole page may take.
const PAGE_TIMEOUT: Duration = Duration::from_mins(3);

/// `curl` as the steps see it: what it answers is shown, and kept beside its headers for the test.
const PRELUDE: &str = r#"
curl() { command curl --max-time 60 --dump-header "$STEP/headers" "$@" | tee "$STEP/body"; }
"#;

/// What came of a page's steps.
pub(crate) struct Transcript {
    folder: TempDir,
    /// What the shell wrote, for the person who reads a failure.
    output: String,
}

impl Transcript {
    /// Runs the steps.
    pub(crate) async fn of(steps: &[Step], environment: &[(&'static str, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = script(folder.path(), steps);
        let output = Command::new("bash")
            .args(["-c", &script])
            .current_dir(folder.path())
            .env("PATH", path_with_gateway(folder.path()))
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(PAGE_TIMEOUT, output).await;
        let output = output.expect("the page's lines end in time").expect("bash is there");
        let output = String::from_utf8_lossy(&output.stderr).into_owned();
        Self { folder, output }
    }

    /// A variable as it was at the end.
    pub(crate) fn variable(&self, name: &str) -> String {
        let value = std::fs::read_to_string(self.folder.path().join(name)).unwrap();
        assert!(!value.is_empty(), "no line has set {name}\n{}", self.output);
        value
    }

    /// Says what a step gave instead of what the page says; `None` when the page is right.
    pub(crate) fn contradiction(&self, step: usize, expected: &Expected) -> Option<String> {
        let folder = step_folder(self.folder.path(), step);
        let read = |name| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        let (headers, body) = (read("headers"), read("body"));
        let is_as_said = status(&headers) == Some(expected.status)
            && if expected.is_error() {
                expected.words == [code(&body)]
            } else {
                expected.words.iter().all(|word| headers.contains(word) || body.contains(word))
            };
        (!is_as_said).then(|| format!("{headers}{body}\n{}", self.output))
    }
}

fn script(folder: &Path, steps: &[Step]) -> String {
    let mut script = PRELUDE.to_owned();
    for (number, step) in steps.iter().enumerate() {
        let folder = step_folder(folder, number);
        std::fs::create_dir(&folder).unwrap();
        let _ = write!(script, "STEP='{}'\n{}\n", folder.display(), step.script);
    }
    for variable in ["THREAD", "RUN"] {
        let _ = writeln!(script, "printf %s \"${variable}\" >{variable}");
    }
    script
}

fn step_folder(folder: &Path, step: usize) -> PathBuf {
    folder.join(format!("step-{step}"))
}

/// A search path on which `chatkit-gateway` is the one under test.
fn path_with_gateway(folder: &Path) -> String {
    let gateway = Path::new(env!("CARGO_BIN_EXE_chatkit-gateway"));
    std::os::unix::fs::symlink(gateway, folder.join("chatkit-gateway")).unwrap();
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap())
}

/// The status of the last answer.
fn status(headers: &str) -> Option<u16> {
    let line = headers.lines().rev().find(|line| line.starts_with("HTTP/"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// The code of an error.
fn code(body: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    body["error"]["code"].as_str().unwrap_or_default().to_owned()
}
