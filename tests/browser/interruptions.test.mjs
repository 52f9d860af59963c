// Reloads, lost networks, Stop: an answer is told whole, once, and the model is asked once.

import assert from "node:assert/strict";
import { test } from "node:test";

import { stage } from "./support/stage.mjs";

const here = stage();

const words = (count) => Array.from({ length: count }, (_, at) => `w${at}`).join(" ");

/** A browser says that a connection broke by many names. */
const BROKEN = { allowed: ["net::ERR_"] };

/** That no paint showed less than the one before, or anything that is not the answer so far. */
function assertGrew(paints, whole) {
  const texts = paints.filter((text) => text !== "");
  for (const [at, text] of texts.entries()) {
    assert.ok(whole.startsWith(text.trim()), `not the answer so far: ${text}`);
    assert.ok(at === 0 || text.length >= texts[at - 1].length, `it shrank to ${text}`);
  }
}

test("workflow 10: an answer goes on after a reload", async () => {
  const { visitor, chat } = await here.visit();
  const calls = here.model.calls.length;

  await chat.sayScript({ text: words(150), interval_ms: 25 });
  const before = await chat.written(60);
  await chat.page.reload();
  const paints = await chat.watchPaints();
  await chat.answer.waitFor();
  const first = await chat.text();
  await chat.done();

  assert.ok(first.length >= before.length, `${first} after ${before}`);
  assert.equal(await chat.text(), words(150));
  assertGrew(await paints(), words(150));
  assert.equal(await chat.questions.count(), 1);
  assert.equal(here.model.calls.length, calls + 1);
  await visitor.leave();
});

test("workflow 11: Stop closes the model's connection within a second", async () => {
  const { visitor, chat } = await here.visit();
  const calls = here.model.calls.length;

  await chat.sayScript({ text: words(1000), interval_ms: 25 });
  await chat.written(60);
  const stopped = performance.now();
  await chat.stop.click();
  const call = await here.model.ended(calls);
  await chat.done();

  assert.equal(call.isWhole, false);
  assert.ok(call.endedAt - stopped < 1000, `${call.endedAt - stopped} ms`);
  const kept = await chat.text();
  assert.ok(words(1000).startsWith(kept) && kept.length >= 60, kept);
  await chat.say("Are you there?");
  await chat.messages.getByText("Hello from the scripted model.").waitFor();
  await chat.page.reload();
  await chat.messages.getByText("Hello from the scripted model.").waitFor();
  assert.equal(await chat.answers.first().locator(".answer").innerText(), kept);
  await visitor.leave();
});

test("Stop before the first word stops the run as well", async () => {
  const { visitor, chat } = await here.visit();
  const calls = here.model.calls.length;

  await chat.sayScript({ text: "never said", first_delay_ms: 600000 });
  await here.model.began(calls);
  const stopped = performance.now();
  await chat.stop.click();
  const call = await here.model.ended(calls);
  await chat.done();

  assert.ok(call.endedAt - stopped < 1000, `${call.endedAt - stopped} ms`);
  await chat.say("Are you there?");
  await chat.messages.getByText("Hello from the scripted model.").waitFor();
  await visitor.leave();
});

test("Stop while the network is away stops the run when it is back", async () => {
  const { visitor, chat } = await here.visit();
  const calls = here.model.calls.length;

  await chat.sayScript({ text: words(4000), interval_ms: 25 });
  await chat.written(60);
  here.proxy.cut();
  await chat.messages.getByText("Connection lost").waitFor();
  await chat.stop.click();
  await chat.done();
  here.proxy.restore();
  const call = await here.model.ended(calls);

  assert.equal(call.isWhole, false);
  await chat.say("Are you there?");
  await chat.messages.getByText("Hello from the scripted model.").waitFor();
  await visitor.leave(BROKEN);
});

test("workflow 12: an answer goes on when the network is back", async () => {
  const { visitor, chat } = await here.visit();
  const calls = here.model.calls.length;
  const paints = await chat.watchPaints();

  await chat.sayScript({ text: words(320), interval_ms: 25 });
  await chat.written(60);
  here.proxy.cut();
  await chat.messages.getByText("Connection lost").waitFor();
  // The time is the promise: the run goes on meanwhile, and its events are kept.
  await new Promise((resolve) => setTimeout(resolve, 5000));
  here.proxy.restore();
  await chat.done();

  assert.equal(await chat.text(), words(320));
  assertGrew(await paints(), words(320));
  assert.equal(await chat.answers.count(), 1);
  assert.equal(await chat.questions.count(), 1);
  assert.equal(here.model.calls.length, calls + 1);
  await visitor.leave(BROKEN);
});

test("an answer goes on however often its connection breaks", async () => {
  const { visitor, chat } = await here.visit();
  const paints = await chat.watchPaints();

  await chat.sayScript({ text: words(240), interval_ms: 25 });
  for (const length of [40, 200, 400, 600]) {
    await chat.written(length);
    here.proxy.cut();
    here.proxy.restore();
  }
  await chat.done();

  assert.equal(await chat.text(), words(240));
  assertGrew(await paints(), words(240));
  await visitor.leave(BROKEN);
});

test("workflow 13: a message whose answer was lost on its way is there once", async () => {
  const { visitor, chat } = await here.visit();
  const calls = here.model.calls.length;
  const keys = [];
  const undo = here.proxy.answer(async ({ method, path, headers }) => {
    if (method !== "POST" || path !== "/chatkit" || !headers["idempotency-key"]) return null;
    keys.push(headers["idempotency-key"]);
    // The gateway gets the first one, and the page gets nothing.
    return keys.length === 1 ? { isLost: true } : null;
  });

  await chat.sayScript({ text: words(20), interval_ms: 5 });
  await chat.answer.waitFor();
  await chat.done();
  undo();

  assert.equal(await chat.text(), words(20));
  assert.equal(await chat.questions.count(), 1);
  assert.ok(keys.length > 1 && new Set(keys).size === 1, keys.join(" "));
  await chat.page.reload();
  await chat.answer.waitFor();
  assert.equal(await chat.questions.count(), 1);
  assert.equal(await chat.answers.count(), 1);
  assert.equal(here.model.calls.length, calls + 1);
  await visitor.leave(BROKEN);
});

test("workflow 14: an answer is written to its end although the tab is closed", async () => {
  const { visitor, chat } = await here.visit({ user: "closing" });
  const calls = here.model.calls.length;

  await chat.sayScript({ text: words(100), interval_ms: 25 });
  await chat.written(40);
  const address = new URL(chat.page.url());
  await chat.page.close({ runBeforeUnload: true });
  const call = await here.model.ended(calls);
  await visitor.leave();
  const later = await here.visit({ user: "closing", path: `/${address.hash}` });

  assert.equal(call.isWhole, true);
  await later.chat.answer.waitFor();
  await later.chat.done();
  assert.equal(await later.chat.text(), words(100));
  await later.visitor.leave();
});

test("workflow 15: two tabs show the same answer, and a message of the second is not lost", async () => {
  const { visitor, chat } = await here.visit();
  await chat.sayScript({ text: words(160), interval_ms: 25 });
  await chat.written(20);
  const second = await visitor.open(`/${new URL(chat.page.url()).hash}`);
  await second.signIn(here.gateway.login("alice"));
  await second.written(20);
  await Promise.all([chat.done(), second.done()]);
  assert.equal(await chat.text(), words(160));
  assert.equal(await second.text(), words(160));

  // The second tab does not know yet of an answer that begins in the first.
  await chat.sayScript({ text: words(80), interval_ms: 25 });
  await chat.written(20);
  await second.say("Kept for later");
  await second.messages.getByText("Not sent").waitFor();
  const again = second.page.getByRole("button", { name: "Send again" });
  await second.stop.waitFor();
  // Too early: it stays where it is, and can be sent later.
  await again.click();
  await second.messages.getByText("Not sent").waitFor();
  await second.done();
  assert.equal(await second.text(), words(80));
  await again.click();
  await second.messages.getByText("Hello from the scripted model.").waitFor();

  assert.equal(await second.questions.getByText("Kept for later").count(), 1);
  assert.equal(await second.questions.count(), 3);
  await visitor.leave({ allowed: ["409"] });
});
