// Refusals that pass: waited for as long as they say, within bounds.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { createChatKitFetch } from "../../web/helper/chatkit-gateway.js";
import { message, read, session, setting } from "./support/setting.mjs";

const here = setting();
const REFUSAL = '{"error":{"code":"rate_limited","message":"too fast"}}';
const SILENCE_MS = 60_000;
let waits, send;

beforeEach(async () => {
  const { client_secret: token } = await session(here.gateway, "refused");
  waits = [];
  here.proxy.requests.splice(0);
  const options = { baseUrl: here.proxy.origin, getToken: () => token, silenceMs: SILENCE_MS };
  send = createChatKitFetch(options, {
    now: () => Date.parse("2030-01-01T00:00:00Z"),
    random: () => 1,
    // Waits are noted and over at once; the watch over silent connections goes on.
    setTimeout: (task, ms) => {
      if (ms === SILENCE_MS) return setTimeout(task, ms);
      waits.push(ms);
      return setTimeout(task, 0);
    },
  });
});

/** Answers the first requests of a path so, one after the other; those behind them pass. */
function refuse(path, answers) {
  const left = [...answers];
  return here.proxy.answer((request) => (request.path === path ? (left.shift() ?? null) : null));
}

test("a message that is refused is sent again when Retry-After says, with the same key", async () => {
  const calls = here.model.calls.length;
  const refusals = [
    { status: 429, headers: { "Retry-After": "7" }, body: REFUSAL },
    { status: 503, headers: { "Retry-After": "Tue, 01 Jan 2030 00:00:03 GMT" }, body: REFUSAL },
  ];
  const undo = refuse("/chatkit", refusals);

  const answer = await send(...message({ text: "at last" }));

  assert.deepEqual(read(await answer.text()).answers, ["at last"]);
  assert.deepEqual(waits, [7_000, 3_000]);
  const sent = here.proxy.requests.filter(({ path }) => path === "/chatkit");
  assert.equal(sent.length, 3);
  assert.equal(new Set(sent.map(({ headers }) => headers["idempotency-key"])).size, 1);
  assert.equal(here.model.calls.length - calls, 1);
  undo();
});

test("a wait that is too long is the page's to know of", async () => {
  const undo = refuse("/chatkit", [{ status: 429, headers: { "Retry-After": "600" }, body: REFUSAL }]);

  const answer = await send(...message({ text: "never" }));

  // ChatKit shows the notice; the refusal itself it would show as any failure.
  assert.equal(answer.headers.get("Content-Type"), "text/event-stream");
  const notice = JSON.parse((await answer.text()).replace(/^data: /, ""));
  assert.equal(notice.type, "notice");
  assert.equal(notice.level, "warning");
  assert.equal(notice.title, "Too many requests");
  const at = new Date("2030-01-01T00:10:00Z");
  const time = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  assert.equal(notice.message, `Not sent: too fast. You can try again at ${time}.`);
  assert.deepEqual(waits, []);
  undo();
});

test("who does not speak ChatKit's protocol is told of a limit by the status", async () => {
  const path = "/api/chatkit/messages";
  const undo = refuse(path, [{ status: 429, headers: { "Retry-After": "600" }, body: REFUSAL }]);

  const answer = await send(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ content: "never" }),
  });

  assert.equal(answer.status, 429);
  assert.equal(answer.headers.get("Retry-After"), "600");
  assert.equal((await answer.json()).error.code, "rate_limited");
  undo();
});

test("a refusal without Retry-After is waited for twice as long each time, and not for ever", async () => {
  const away = '{"error":{"code":"database_unavailable","message":"away"}}';
  const undo = refuse("/chatkit", Array(9).fill({ status: 503, body: away }));

  const answer = await send(...message({ text: "never" }));

  assert.equal(answer.status, 503);
  assert.deepEqual(waits, [250, 500, 1_000, 2_000]);
  undo();
});

test("what may have taken effect is sent once", async () => {
  const threads = "/api/chatkit/threads";
  const undo = refuse(threads, [{ status: 503, headers: { "Retry-After": "1" }, body: REFUSAL }]);

  const answer = await send(threads, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: "{}",
  });

  assert.equal(answer.status, 503);
  assert.deepEqual(waits, []);
  undo();
});

test("a refusal that does not pass is handed on at once", async () => {
  const undo = refuse("/chatkit", [{ status: 400, body: REFUSAL }]);

  const answer = await send(...message({ text: "wrong" }));

  assert.equal(answer.status, 400);
  assert.deepEqual(waits, []);
  undo();
});

test("Retry-After is obeyed by a reader whose answer broke, too", async () => {
  const words = Array.from({ length: 50 }, (_, at) => `word${at}`).join(" ");
  const answer = await send(...message({ text: words, interval_ms: 10 }));
  const runId = answer.headers.get("X-Run-Id");
  const undo = refuse(`/api/chatkit/runs/${runId}/events`, [
    { status: 503, headers: { "Retry-After": "4" }, body: REFUSAL },
  ]);
  const reader = answer.body.getReader();
  const first = await reader.read();

  here.proxy.cut();
  here.proxy.restore();
  let text = new TextDecoder().decode(first.value);
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    text += new TextDecoder().decode(part.value);
  }

  assert.equal(read(text).deltas, words);
  assert.ok(waits.includes(4_000), `waits: ${waits}`);
  undo();
});
