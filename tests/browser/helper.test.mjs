// The fetch helper in Node, through a proxy that cuts its connections.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { createChatKitFetch } from "../../web/helper/chatkit-gateway.js";
import { ModelWatch } from "./support/model-watch.mjs";
import { startGateway, startModel } from "./support/processes.mjs";
import { Proxy } from "./support/proxy.mjs";
import { random } from "./support/random.mjs";

const MESSAGES = 200;
const AT_ONCE = 4;

let model, watch, gateway, proxy;

before(async () => {
  model = await startModel();
  watch = await ModelWatch.start(model.url);
  const env = { CHATKIT_MAX_RUNS_PER_USER: "0", CHATKIT_TITLES: "off" };
  gateway = await startGateway({ modelUrl: watch.url, env });
  proxy = await Proxy.start(gateway.origin);
});

after(async () => {
  await proxy?.stop();
  await gateway?.stop();
  await watch?.stop();
  await model?.stop();
});

/** Sends a message in a new thread; answers the whole body as text. */
async function send(fetch, text) {
  const script = { text, interval_ms: 2 };
  const content = [{ type: "input_text", text: JSON.stringify({ script }) }];
  const input = { content, attachments: [], inference_options: {} };
  const answer = await fetch(`${proxy.origin}/chatkit`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ type: "threads.create", params: { input } }),
  });
  assert.equal(answer.status, 200);
  return answer.text();
}

/** What a client makes of a body: the deltas, and the text of the item that is done. */
function read(body) {
  const events = body.split("\n\n").filter(Boolean).map((frame) => JSON.parse(frame.slice("data: ".length)));
  const deltas = events
    .filter(({ update }) => update?.type === "assistant_message.content_part.text_delta")
    .map(({ update }) => update.delta);
  const done = events.filter(({ type, item }) => type === "thread.item.done" && item.type === "assistant_message");
  return { deltas: deltas.join(""), done: done.map(({ item }) => item.content[0].text) };
}

test(`${MESSAGES} messages through a proxy that cuts at random are answered whole, one model call each`, async () => {
  const login = gateway.login("cut");
  const fetch = createChatKitFetch({
    baseUrl: proxy.origin,
    minDelayMs: 20,
    // Not through the proxy: a login that fails is the page's to repeat.
    getToken: async () => {
      const headers = { Authorization: `Bearer ${login}` };
      const answer = await globalThis.fetch(`${gateway.origin}/api/chatkit/session`, { method: "POST", headers });
      return answer.json();
    },
  });
  const chance = random(7);
  // Each connection is lost after 0 to 6,000 bytes of its answer, or not at all.
  proxy.cutAnswers(() => (chance() < 0.6 ? Math.floor(chance() * 6_000) : null));
  const before = watch.calls.length;

  let next = 0;
  const failures = [];
  const worker = async () => {
    while (next < MESSAGES) {
      const at = next++;
      const text = Array.from({ length: 40 }, (_, word) => `m${at}w${word}`).join(" ");
      const { deltas, done } = read(await send(fetch, text));
      if (deltas !== text || done.length !== 1 || done[0] !== text) failures.push({ at, deltas, done });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));

  assert.deepEqual(failures, []);
  assert.equal(watch.calls.length - before, MESSAGES);
  assert.ok(proxy.cuts > MESSAGES / 2, `${proxy.cuts} cuts`);
});

test("a reader that leaves with LEAVE stops nothing, and one that aborts stops its run", async () => {
  const { LEAVE } = await import("../../web/helper/chatkit-gateway.js");
  proxy.cutAnswers(() => null);
  const fetch = createChatKitFetch({ baseUrl: proxy.origin, getToken: () => gateway.token("leaving") });
  const begin = async (signal) => {
    const script = { deltas: 150, interval_ms: 10 };
    const content = [{ type: "input_text", text: JSON.stringify({ script }) }];
    const input = { content, attachments: [], inference_options: {} };
    const answer = await fetch("/chatkit", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ type: "threads.create", params: { input } }),
      signal,
    });
    return answer.body.getReader();
  };
  const ends = [];

  for (const reason of [LEAVE, undefined]) {
    const calls = watch.calls.length;
    const stop = new AbortController();
    const reader = await begin(stop.signal);
    await reader.read();
    await watch.began(calls);
    stop.abort(reason);
    await assert.rejects(async () => {
      for (;;) if ((await reader.read()).done) return;
    });
    ends.push((await watch.ended(calls)).isWhole);
  }

  assert.deepEqual(ends, [true, false]);
});
