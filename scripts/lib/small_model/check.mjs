// Puts a gateway before a small model and talks with it: streamed answers, several turns, usage, Stop in
// mid-answer, and a list of tools that the server takes. Prints figures; fails where something is not so.
//
// Usage: node check.mjs GATEWAY MODEL.gguf FOLDER_OF_SERVER

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const [gateway, model, folder] = process.argv.slice(2);
const PATIENCE_MS = 120_000;
const work = mkdtempSync(join(tmpdir(), "small-model-"));
const children = [];

// Starts a program; it is stopped at the end, whatever happens.
function start(command, args, options) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"], ...options });
  children.push(child);
  return child;
}

async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}

async function until(what, isSo) {
  const end = Date.now() + PATIENCE_MS;
  while (Date.now() < end) {
    const answer = await isSo().catch(() => null);
    if (answer) return answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${what}: not so after ${PATIENCE_MS / 1000} s`);
}

const json = (response) => response.json();
const memory = (pid) => Math.round(Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`))[1]) / 1024);

// Sends a message and reads its events; `onDelta` is told how many deltas came.
async function say(base, headers, message, onDelta = () => {}) {
  const began = performance.now();
  const body = JSON.stringify(message);
  const response = await fetch(`${base}/api/chatkit/messages`, { method: "POST", headers, body });
  assert.equal(response.status, 200, await (response.status === 200 ? "" : response.text()));
  const run = response.headers.get("x-run-id");
  const seen = { run, thread: response.headers.get("x-thread-id"), text: "", deltas: 0, firstMs: null, last: null };
  let rest = "";
  for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
    const frames = (rest + part).split("\n\n");
    rest = frames.pop();
    for (const line of frames.flatMap((frame) => frame.split("\n"))) {
      if (!line.startsWith("data: ")) continue;
      const event = (seen.last = JSON.parse(line.slice(6)));
      if (event.update?.type !== "assistant_message.content_part.text_delta") continue;
      seen.firstMs ??= Math.round(performance.now() - began);
      seen.text += event.update.delta;
      seen.deltas += 1;
      await onDelta(seen);
    }
  }
  const result = await fetch(`${base}/api/chatkit/runs/${run}`, { headers }).then(json);
  return { ...seen, ms: Math.round(performance.now() - began), result };
}

function report(what, { text, deltas, firstMs, ms, result }) {
  const { input_tokens = 0, output_tokens = 0 } = result.usage ?? {};
  const rate = output_tokens ? (output_tokens / ((ms - firstMs) / 1000)).toFixed(0) : "–";
  console.log(
    `${what}: ${result.status}, first text after ${firstMs} ms, ${deltas} deltas in ${ms} ms, ` +
      `${input_tokens} tokens in, ${output_tokens} out (${rate}/s)\n    ${JSON.stringify(text.slice(0, 160))}`,
  );
}

async function main() {
  const server = start(process.execPath, [join(folder, "server.mjs"), model]);
  const loading = performance.now();
  const [upstream] = await once(createInterface({ input: server.stdout }), "line");
  console.log(`the model is loaded after ${Math.round(performance.now() - loading)} ms`);
  const counters = () => fetch(upstream).then(json);

  const base = `http://127.0.0.1:${await freePort()}`;
  const settings = ["[agent]", 'instructions = "You are a friendly assistant."', "history_tokens = 1500"];
  settings.push("[model_server]", "max_output_tokens = 96", "extra_body = { temperature = 0 }");
  writeFileSync(join(work, "gateway.toml"), settings.join("\n"));
  const env = {
    PATH: process.env.PATH,
    BIND_ADDR: base.slice("http://".length),
    DATABASE_URL: `sqlite://${work}/chat.db`,
    OPENAI_BASE_URL: upstream,
    OPENAI_API: "chat_completions",
    OPENAI_PROFILE: "llama_cpp",
    OPENAI_MODEL: "smollm2-135m",
    BETTER_AUTH_SECRET: "a-secret-of-this-check-and-of-nothing-else",
    CHATKIT_TITLES: "first_words",
    CHATKIT_FIRST_BYTE_TIMEOUT: "120s",
    RUST_LOG: "warn",
  };
  const token = execFileSync(gateway, ["token", "--user", "small"], { env, cwd: work }).toString().trim();
  const process_ = start(gateway, ["serve"], { env, cwd: work });
  await until("the gateway is ready", () => fetch(`${base}/ready`).then((answer) => answer.ok));
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };

  const first = await say(base, headers, { content: "What is the capital of France?" });
  report("one turn", first);
  assert.equal(first.result.status, "completed");
  assert.ok(first.deltas > 1, "the answer came in pieces");
  assert.ok(first.result.usage.input_tokens > 0 && first.result.usage.output_tokens > 0, "with its usage");

  const second = await say(base, headers, { thread_id: first.thread, content: "And of Italy?" });
  report("the next turn", second);
  assert.equal(second.result.status, "completed");
  assert.ok(second.result.usage.input_tokens > first.result.usage.input_tokens, "the model was told the first");

  // The task tools went with each of these requests: a server that could not read one had refused it.
  const before = await counters();
  const content = "Count from one to one hundred, in words, one number a line.";
  const stopped = await say(base, headers, { content }, async ({ run, deltas }) => {
    if (deltas === 5) await fetch(`${base}/api/chatkit/runs/${run}/cancel`, { method: "POST", headers });
  });
  report("stopped after five deltas", stopped);
  assert.equal(stopped.result.status, "cancelled");
  const after = await until("the model has stopped", async () => {
    const now = await counters();
    return now.given_up > before.given_up && now;
  });
  const kept = await fetch(`${base}/api/chatkit/threads/${stopped.thread}`, { headers }).then(json);
  assert.ok(kept.messages.some(({ role, content: text }) => role === "assistant" && text.length > 0), "its text is kept");

  const again = await say(base, headers, { thread_id: stopped.thread, content: "Thank you." });
  report("the turn behind it", again);
  assert.equal(again.result.status, "completed");
  console.log(`the model's server: ${JSON.stringify(after)}; the gateway's memory: ${memory(process_.pid)} MiB at most`);
  process_.kill("SIGTERM");
  const [code] = await once(process_, "exit");
  assert.equal(code, 0, "the gateway ended in order");
}

try {
  await main();
} finally {
  for (const child of children) if (child.exitCode === null) child.kill("SIGKILL");
  rmSync(work, { recursive: true, force: true });
}
