//! Servers that are child processes: a few lines of shell, which any machine has.

use std::{path::Path, time::Duration};

use chatkit_gateway::tools::mcp_client::{ServerSettings, settings::TransportSettings};
use serde_json::{Value, json};

use super::{SHORT, Servers, assert_error};
use crate::test_server::within_seconds;

/// Answers each message by its method; a tool does what its name says. `$1` is a folder.
const SERVER: &str = r#"
trap 'echo the end > "$1/ended"' EXIT
echo $$ > "$1/pid"
echo started >> "$1/starts"
echo "it writes to standard error" >&2
answer() { printf '{"result":%s,"jsonrpc":"2.0","id":%s}\n' "$2" "$1"; }
while IFS= read -r line; do
  id=$(printf '%s\n' "$line" | sed -n 's/.*"id":\([0-9]*\)[,}].*/\1/p')
  case $line in
    *'"server/discover"'*)
      printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}\n' "$id" ;;
    *'"initialize"'*)
      echo "this is no message"
      answer "$id" '{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}' ;;
    *'"tools/list"'*)
      answer "$id" '{"tools":[{"name":"env","inputSchema":{}},{"name":"flood","inputSchema":{}},{"name":"hang","inputSchema":{}},{"name":"die","inputSchema":{}},{"name":"noise","inputSchema":{}}]}' ;;
    *'"name":"env"'*)
      answer "$id" "{\"content\":[{\"type\":\"text\",\"text\":\"$(env | sed 's/=.*//' | sort | tr '\n' ' ')\"}]}" ;;
    *'"name":"flood"'*)
      printf '{"result":{"content":[{"type":"text","text":"'
      head -c 52428800 /dev/zero | tr '\0' 'x'
      printf '"}]},"jsonrpc":"2.0","id":%s}\n' "$id" ;;
    *'"name":"noise"'*)
      head -c 5000000 /dev/zero | tr '\0' 'x' >&2
      answer "$id" '{"content":[]}' ;;
    *'"name":"die"'*) exit 1 ;;
    *'"name":"hang"'*) ;;
    *'"notifications/cancelled"'*) echo "$line" > "$1/cancelled" ;;
  esac
done
"#;

fn shell(folder: &Path, script: &str) -> ServerSettings {
    let args = ["-c", script, "server", folder.to_str().unwrap()].map(str::to_owned).into();
    let env = vec![("GREETING".to_owned(), "hello".to_owned())];
    let transport = TransportSettings::Process { command: "sh".to_owned(), args, env };
    ServerSettings::new("srv", transport)
}

fn read(folder: &Path, file: &str) -> Option<String> {
    std::fs::read_to_string(folder.join(file)).ok()
}

/// Waits for a file: nothing tells when another process writes one.
async fn until_file(folder: &Path, file: &str) -> String {
    let look = async {
        loop {
            if let Some(text) = read(folder, file).filter(|text| !text.is_empty()) {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within_seconds(look).await
}

/// Waits until no process of that number runs; one that nobody has buried yet runs no more.
async fn until_gone(pid: &str) {
    let status = format!("/proc/{}/status", pid.trim());
    let runs =
        || std::fs::read_to_string(&status).is_ok_and(|status| !status.contains("State:\tZ"));
    let look = async {
        while runs() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within_seconds(look).await;
}

#[tokio::test]
async fn a_process_has_its_own_variables_and_none_of_the_gateways_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let servers = Servers::with(shell(folder.path(), SERVER)).await;

    let output = servers.call("env", &json!({})).await;

    assert!(!output.is_error, "{output:?}");
    let names: Vec<&str> = output.text.split_whitespace().collect();
    assert!(names.contains(&"GREETING") && names.contains(&"PATH"), "{names:?}");
    // Cargo sets it for every test.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    assert!(!names.contains(&"CARGO_MANIFEST_DIR"), "{names:?}");
    servers.stop().await;
}

#[tokio::test]
async fn a_line_of_50_megabytes_fails_its_call_at_once_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let servers = Servers::with(shell(folder.path(), SERVER)).await;

    assert_error(&servers.call("flood", &json!({})).await, "too long");

    assert!(!servers.call("env", &json!({})).await.is_error);
    assert_eq!(read(folder.path(), "starts").unwrap().lines().count(), 1);
    servers.stop().await;
}

#[tokio::test]
async fn what_it_writes_to_standard_error_never_holds_it_up() {
    let folder = tempfile::tempdir().unwrap();
    let servers = Servers::with(shell(folder.path(), SERVER)).await;

    assert!(!servers.call("noise", &json!({})).await.is_error);

    servers.stop().await;
}

#[tokio::test]
async fn a_process_that_dies_in_a_call_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut servers = Servers::with(shell(folder.path(), SERVER)).await;

    assert_error(&servers.call("die", &json!({})).await, "may or may not have acted");

    servers.until_up(false).await;
    servers.until_up(true).await;
    assert!(!servers.call("env", &json!({})).await.is_error);
    assert_eq!(read(folder.path(), "starts").unwrap().lines().count(), 2);
    servers.stop().await;
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_cancelled_at_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let settings = ServerSettings { timeout: SHORT, ..shell(folder.path(), SERVER) };
    let servers = Servers::with(settings).await;

    assert_error(&servers.call("hang", &json!({})).await, "stopped after 300ms");

    let cancelled: Value =
        serde_json::from_str(&until_file(folder.path(), "cancelled").await).unwrap();
    assert!(cancelled["params"]["requestId"].is_number(), "{cancelled}");
    servers.stop().await;
}

#[tokio::test]
async fn a_process_ends_with_the_gateway_by_itself_if_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let servers = Servers::with(shell(folder.path(), SERVER)).await;
    let pid = until_file(folder.path(), "pid").await;

    servers.stop().await;

    assert!(read(folder.path(), "ended").is_some(), "it saw the end of its input");
    until_gone(&pid).await;
}

#[tokio::test]
async fn a_process_that_does_not_end_is_killed_and_so_is_what_it_started() {
    let deaf =
        format!("trap '' TERM\nsleep 1000 &\necho $! > \"$1/other\"\n{SERVER}\nsleep 1000\n");
    let folder = tempfile::tempdir().unwrap();
    let servers = Servers::with(shell(folder.path(), &deaf)).await;
    let pid = until_file(folder.path(), "pid").await;
    let other = until_file(folder.path(), "other").await;

    within_seconds(servers.stop()).await;

    until_gone(&pid).await;
    until_gone(&other).await;
}

#[tokio::test]
async fn dropping_the_servers_kills_their_processes() {
    let folder = tempfile::tempdir().unwrap();
    let servers = Servers::with(shell(folder.path(), SERVER)).await;
    let pid = until_file(folder.path(), "pid").await;

    drop(servers);

    until_gone(&pid).await;
}

#[tokio::test]
async fn a_program_that_does_not_exist_keeps_nothing_from_starting() {
    let transport = TransportSettings::Process {
        command: "no-such-program-of-that-name".to_owned(),
        args: Vec::new(),
        env: Vec::new(),
    };

    let servers = within_seconds(Servers::start([ServerSettings::new("srv", transport)])).await;

    assert!(servers.names().is_empty());
    servers.stop().await;
}

#[tokio::test]
async fn a_server_of_the_older_era_that_dies_of_the_newer_ones_question_is_not_asked_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let question = "*'\"server/discover\"'*)";
    let brittle = SERVER.replace(question, &format!("{question} exit 3 ;;\n    *'\"nothing\"'*)"));
    let mut servers = Servers::with(shell(folder.path(), &brittle)).await;

    assert!(!servers.call("env", &json!({})).await.is_error);
    assert_eq!(read(folder.path(), "starts").unwrap().lines().count(), 2);
    servers.call("die", &json!({})).await;
    servers.until_up(false).await;
    servers.until_up(true).await;

    assert_eq!(read(folder.path(), "starts").unwrap().lines().count(), 3);
    servers.stop().await;
}
