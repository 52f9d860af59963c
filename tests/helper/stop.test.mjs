// What becomes of a run whose page stops it, and of one whose page merely leaves.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { createChatKitFetch, LEAVE } from "../../web/helper/chatkit-gateway.js";
import { message, endOf, session, setting } from "./support/setting.mjs";

/** Two seconds of words: a run that is stopped in time is far from its end. */
const LONG = { deltas: 200, interval_ms: 10 };

const here = setting();
let token, send, calls;

beforeEach(async () => {
  ({ client_secret: token } = await session(here.gateway, "stopper"));
  send = createChatKitFetch({ baseUrl: here.proxy.origin, getToken: () => token });
  calls = here.model.calls.length;
});

/** An answer of which the first bytes have come, and its run. */
async function begun(signal) {
  const answer = await send(...message(LONG, { signal }));
  const reader = answer.body.getReader();
  await reader.read();
  await here.model.began(calls);
  return { answer, reader, runId: answer.headers.get("X-Run-Id") };
}

async function drained(reader) {
  while (!(await reader.read()).done);
}

test("aborting the request cancels its run and the model's call", async () => {
  const stop = new AbortController();
  const { reader, runId } = await begun(stop.signal);

  stop.abort();

  await assert.rejects(drained(reader), { name: "AbortError" });
  const call = await here.model.ended(calls);
  assert.equal(call.isWhole, false);
  assert.equal((await endOf(here.gateway, token, runId)).status, "cancelled");
});

test("cancelling the body cancels its run and the model's call", async () => {
  const { reader, runId } = await begun();

  await reader.cancel();

  const call = await here.model.ended(calls);
  assert.equal(call.isWhole, false);
  assert.equal((await endOf(here.gateway, token, runId)).status, "cancelled");
});

test("a Stop while the connection is lost arrives when it is back", async () => {
  const stop = new AbortController();
  const { reader, runId } = await begun(stop.signal);
  here.proxy.cut();
  const failed = assert.rejects(drained(reader), { name: "AbortError" });

  stop.abort();
  await failed;
  here.proxy.restore();

  const call = await here.model.ended(calls);
  assert.equal(call.isWhole, false);
  assert.equal((await endOf(here.gateway, token, runId)).status, "cancelled");
});

test("a Stop before the answer's head cancels the run all the same", async () => {
  const stop = new AbortController();
  const arrived = deferred();
  const released = deferred();
  const undo = here.proxy.answer(async ({ path }) => {
    if (path !== "/chatkit") return null;
    arrived.resolve();
    await released.promise;
    return null;
  });

  const sent = send(...message(LONG, { signal: stop.signal }));
  await arrived.promise;
  stop.abort();
  await assert.rejects(sent, { name: "AbortError" });
  released.resolve();

  const call = await here.model.ended(calls);
  assert.equal(call.isWhole, false);
  undo();
});

test("a message that is stopped before it is sent is never sent", async () => {
  const requests = here.proxy.requests.length;

  const sent = send(...message(LONG, { signal: AbortSignal.abort() }));

  await assert.rejects(sent, { name: "AbortError" });
  assert.equal(here.proxy.requests.length, requests);
  assert.equal(here.model.calls.length, calls);
});

test("a reader that leaves stops nothing, by its signal or by its body", async () => {
  const stop = new AbortController();
  const first = await begun(stop.signal);
  stop.abort(LEAVE);
  await assert.rejects(drained(first.reader), LEAVE);
  const isFirstWhole = (await here.model.ended(calls)).isWhole;
  calls += 1;
  const second = await begun();
  await second.reader.cancel(LEAVE);

  const isSecondWhole = (await here.model.ended(calls)).isWhole;

  assert.deepEqual([isFirstWhole, isSecondWhole], [true, true]);
});

test("an answer that is left before it is read closes its connection", async () => {
  const stop = new AbortController();
  const closed = [];
  const spying = createChatKitFetch({
    baseUrl: here.proxy.origin,
    getToken: () => token,
    fetch: (url, init) => {
      if (init.method === "POST") init.signal.addEventListener("abort", () => closed.push(url));
      return fetch(url, init);
    },
  });
  await spying(...message(LONG, { signal: stop.signal }));

  stop.abort(LEAVE);

  assert.equal(closed.length, 1);
  assert.equal((await here.model.ended(calls)).isWhole, true);
});

function deferred() {
  const one = {};
  one.promise = new Promise((resolve) => (one.resolve = resolve));
  return one;
}
