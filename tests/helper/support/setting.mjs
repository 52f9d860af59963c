import assert from "node:assert/strict";
import { after, before } from "node:test";

import { ModelWatch } from "../../browser/support/model-watch.mjs";
import { startGateway, startModel } from "../../browser/support/processes.mjs";
import { Proxy } from "../../browser/support/proxy.mjs";

/** The gateway's `CHATKIT_SESSION_SECRET`. */
export const SESSION_SECRET = "a-secret-of-the-sessions-for-tests-only";

/**
 * What the tests of a file share: a gateway, a model whose calls are watched in `model.calls`, and a
 * proxy before the gateway that can answer itself.
 */
export function setting() {
  const setting = {};
  const running = [];
  const keep = (process) => {
    running.push(process);
    return process;
  };
  before(async () => {
    const model = keep(await startModel());
    setting.model = keep(await ModelWatch.start(model.url));
    const env = {
      CHATKIT_MAX_RUNS_PER_USER: "0",
      CHATKIT_REQUESTS_PER_MINUTE: "0",
      CHATKIT_TITLES: "off",
      CHATKIT_SESSION_SECRET: SESSION_SECRET,
    };
    setting.gateway = keep(await startGateway({ modelUrl: setting.model.url, env }));
    setting.proxy = keep(await Proxy.start(setting.gateway.origin));
  });
  after(async () => {
    for (const process of running.reverse()) await process.stop();
  });
  return setting;
}

/** A session of a user, as `POST /api/chatkit/session` answers it; not by way of a proxy. */
export async function session(gateway, user) {
  const headers = { Authorization: `Bearer ${gateway.login(user)}` };
  const answer = await fetch(`${gateway.origin}/api/chatkit/session`, { method: "POST", headers });
  assert.equal(answer.status, 200);
  return answer.json();
}

/** A message in a new thread that asks the scripted model for an answer: what `fetch` takes. */
export function message(script, more = {}) {
  const content = [{ type: "input_text", text: JSON.stringify({ script }) }];
  const input = { content, attachments: [], inference_options: {} };
  const body = JSON.stringify({ type: "threads.create", params: { input } });
  return ["/chatkit", { method: "POST", headers: { "Content-Type": "application/json" }, body, ...more }];
}

/** What a client makes of a whole body: its deltas, joined, and the texts of the items that are done. */
export function read(body) {
  assert.ok(body.endsWith("\n\n"), "the body ends with a frame");
  const frames = body.slice(0, -2).split("\n\n");
  const events = frames.map((frame) => {
    assert.match(frame, /^data: [^\n]*$/, "a frame is one line of data");
    return JSON.parse(frame.slice("data: ".length));
  });
  const deltas = events
    .filter(({ update }) => update?.type === "assistant_message.content_part.text_delta")
    .map(({ update }) => update.delta);
  const done = events.filter(({ type }) => type === "thread.item.done").map(({ item }) => item);
  const texts = (type) => done.filter((item) => item.type === type).map((item) => item.content[0].text);
  return {
    events,
    deltas: deltas.join(""),
    answers: texts("assistant_message"),
    questions: texts("user_message"),
  };
}

/** A run once it has ended. */
export async function endOf(gateway, token, id) {
  const run = `${gateway.origin}/api/chatkit/runs/${id}`;
  const init = { headers: { Authorization: `Bearer ${token}` } };
  await (await fetch(`${run}/events`, init)).text();
  const answer = await fetch(run, init);
  assert.equal(answer.status, 200);
  return answer.json();
}
