// Answers through a proxy that loses connections at random moments. `HELPER_MESSAGES=200` sends more
// of them, `HELPER_SEED` repeats the cuts of another time, as far as the timing of the machine lets it.

import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { test } from "node:test";

import { random } from "../browser/support/random.mjs";
import { createChatKitFetch } from "../../web/helper/chatkit-gateway.js";
import { CuttingProxy } from "./support/cutting-proxy.mjs";
import { message, read, session, setting } from "./support/setting.mjs";

const MESSAGES = Number(process.env.HELPER_MESSAGES ?? 40);
const SEED = Number(process.env.HELPER_SEED ?? randomInt(2 ** 31));
const AT_ONCE = 4;
const WORDS = 40;

const here = setting();

/** Sends a message; answers what is wrong with its answer, or null. */
async function fault(send, at) {
  const text = Array.from({ length: WORDS }, (_, word) => `m${at}w${word}`).join(" ");
  const request = message({ text, interval_ms: 2 });
  const answer = await send(...request);
  const found = read(await answer.text());
  const asked = JSON.stringify({ script: { text, interval_ms: 2 } });
  const isRight =
    answer.status === 200 &&
    found.deltas === text &&
    found.answers.length === 1 &&
    found.answers[0] === text &&
    found.questions.length === 1 &&
    found.questions[0] === asked;
  return isRight ? null : { at, status: answer.status, ...found };
}

test(`${MESSAGES} messages through random cuts are answered whole, by one call of the model each`, async (t) => {
  const chance = random(SEED);
  const proxy = await CuttingProxy.start(here.gateway.origin, chance);
  t.after(() => proxy.stop());
  const calls = here.model.calls.length;
  const send = createChatKitFetch({
    baseUrl: proxy.origin,
    minDelayMs: 20,
    // How many failures in a row it bears is another matter; here some connections carry nothing.
    maxRetries: 20,
    // A login that fails is the page's to repeat, so it does not go through the proxy.
    getToken: () => session(here.gateway, "cut"),
  });

  let next = 0;
  const faults = [];
  const worker = async () => {
    while (next < MESSAGES) {
      const at = next++;
      const found = await fault(send, at).catch((error) => ({ at, error: error.stack }));
      if (found) faults.push(found);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));

  t.diagnostic(`seed ${SEED}: ${proxy.cuts} of ${proxy.connections} connections cut`);
  assert.deepEqual(faults, [], `seed ${SEED}`);
  assert.equal(here.model.calls.length - calls, MESSAGES, `calls of the model, seed ${SEED}`);
  assert.ok(proxy.cuts >= MESSAGES / 2, `only ${proxy.cuts} cuts, seed ${SEED}`);
});
