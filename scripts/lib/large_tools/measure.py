"""Runs a gateway against tools that give too much, too late or too many, one process for each case,
and prints what the user sees, how long it took and what memory it cost.

Usage: measure.py GATEWAY SCRIPTED_UPSTREAM SILENCE_S
"""

import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
SECRET = "a-secret-of-a-measurement-and-of-nothing-else"
# More than a run's model turns.
TURNS = 20


# A name with line breaks, and what docs/tools.md says that becomes of it.
BROKEN = "two\nlines\r\n: data"
OFFERED = "large__two_lines____data_" + hashlib.sha256(BROKEN.encode()).hexdigest()[:10]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def post(url, token, body, patience):
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    return urllib.request.urlopen(request, timeout=patience)


def get(url, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10).read()


def wait_until_ready(base, process):
    for _ in range(300):
        if process.poll() is not None:
            sys.exit(f"the gateway ended with {process.returncode}")
        with contextlib.suppress(OSError):
            get(f"{base}/ready")
            return
        time.sleep(0.1)
    sys.exit("the gateway is not ready after 30 s")


def high_water_mark(pid):
    """The most memory that the process had so far, in MiB."""
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


def events(response):
    """The events of a stream, each with the second at which it came."""
    began = time.monotonic()
    for line in response:
        if line.startswith(b"data: "):
            yield time.monotonic() - began, json.loads(line[len(b"data: ") :])


def calls_for_ever(name):
    script = {"text": "Never."}
    for _ in range(TURNS):
        script = {"calls": [{"name": name, "arguments": {}}], "then": script}
    return script


def is_up(base):
    return b'gateway_mcp_server_up{server="large"} 1' in get(f"{base}/metrics")


def run(case, gateway, model_url, silence):
    """Starts a gateway, sends a message that makes the model call the tool, and measures."""
    kind, tool, timeout_s = case["kind"], case["tool"], case.get("timeout_s", 30)
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        base = f"http://127.0.0.1:{port}"
        # TOML writes strings and lists of them as JSON does.
        arguments = json.dumps([os.path.join(HERE, "tool_server.py"), kind, str(silence)])
        with open(os.path.join(folder, "gateway.toml"), "w") as file:
            file.write(
                f'[[mcp.servers]]\nname = "large"\ncommand = {json.dumps(sys.executable)}\n'
                f"args = {arguments}\ntimeout_s = {timeout_s}\n"
            )
        env = {
            "PATH": os.environ["PATH"],
            "BIND_ADDR": f"127.0.0.1:{port}",
            "DATABASE_URL": f"sqlite://{folder}/chat.db",
            "OPENAI_BASE_URL": model_url,
            "BETTER_AUTH_SECRET": SECRET,
            "CHATKIT_TITLES": "off",
            "RUST_LOG": "warn",
        }
        token = subprocess.check_output([gateway, "token", "--user", "large"], env=env, cwd=folder)
        token = token.decode().strip()
        process = subprocess.Popen([gateway, "serve"], env=env, cwd=folder)
        try:
            wait_until_ready(base, process)
            for _ in range(300):
                if is_up(base):
                    break
                time.sleep(0.1)
            before = high_water_mark(process.pid)
            script = case.get("script") or {"calls": [{"name": tool, "arguments": {}}]}
            content = json.dumps({"script": script})
            began = time.monotonic()
            response = post(f"{base}/api/chatkit/messages", token, {"content": content}, silence + 120)
            run_id = response.headers["x-run-id"]
            seen = [event for _, event in events(response)]
            took = time.monotonic() - began
            after = high_water_mark(process.pid)
            run = json.loads(get(f"{base}/api/chatkit/runs/{run_id}", token))
            history = get(f"{base}/api/chatkit/threads/{run['thread_id']}", token)
        finally:
            process.send_signal(signal.SIGTERM)
            ended = process.wait(timeout=60)
    last = seen[-1]
    end = last.get("message") or last["type"]
    if last["type"] == "thread.item.done":
        content = last["item"].get("content") or [{"text": last["item"]["type"]}]
        end = content[0]["text"]
    print(
        f"| {case['name']} | {run['status']}: {end} | {took:.1f} s | {before:.0f} MiB "
        f"| {after:.0f} MiB | {len(history) / 1024:.0f} KiB | {ended} |",
        flush=True,
    )
    return run["status"] == case["status"] and ended == 0


def main():
    gateway, upstream, silence = sys.argv[1], sys.argv[2], float(sys.argv[3])
    model = subprocess.Popen([upstream, "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        model_url = next(word for word in model.stdout.readline().split() if word.startswith("http"))
        cases = [
            {"name": "nothing special", "kind": "echo", "tool": "large__echo"},
            {"name": "a result of 50 MB", "kind": "flood", "tool": "large__flood"},
            {
                "name": f"silence of {silence:.0f} s, `timeout_s` above it",
                "kind": "silent",
                "tool": "large__silent",
                "timeout_s": min(600, int(silence) + 30),
            },
            {
                "name": f"silence of {silence:.0f} s, `timeout_s = 5`",
                "kind": "silent",
                "tool": "large__silent",
                "timeout_s": 5,
            },
            {"name": "10,000 tools", "kind": "many", "tool": "large__tool_7"},
            {"name": "a name with line breaks", "kind": "breaks", "tool": OFFERED},
            {
                "name": "a model that calls for ever",
                "kind": "echo",
                "tool": "large__echo",
                "script": calls_for_ever("large__echo"),
                "status": "failed",
            },
        ]
        print("| case | the run, and the last thing said | took | memory before | after | thread | exit |")
        print("|---|---|---|---|---|---|---|")
        good = [
            run({"status": "completed", **case}, gateway, model_url, silence) for case in cases
        ]
    finally:
        model.terminate()
        model.wait()
    sys.exit(0 if all(good) else 1)


main()
