// What somebody sees who starts the demo and opens the page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { stage } from "./support/stage.mjs";

const here = stage({ isDemo: true });

test("workflow 1: opening the demo's page signs in", async () => {
  const visitor = await here.arrive();

  const chat = await visitor.open();
  await chat.field.waitFor();

  await chat.page.getByText("scripted model", { exact: true }).waitFor();
  await chat.page.getByText("demo", { exact: true }).first().waitFor();
  assert.equal(await chat.page.evaluate(() => document.activeElement.localName), "chatkit-gateway-chat");
  await chat.page.keyboard.type("typed without a click");
  assert.equal(await chat.field.inputValue(), "typed without a click");
  await visitor.leave();
});

test("workflow 2: the words of an answer appear one after the other", async () => {
  const { visitor, chat } = await here.visit();
  const paints = await chat.watchPaints();

  await chat.say("Hello there");
  await chat.questions.getByText("Hello there").waitFor();
  await chat.stop.waitFor();
  assert.equal(await chat.send.isVisible(), false);
  await chat.done();

  const texts = (await paints()).filter((text) => text !== "");
  assert.ok(texts.length >= 10, `${texts.length} paints`);
  for (const [at, text] of texts.entries()) {
    assert.ok(at === 0 || text.length >= texts[at - 1].length, `it shrank to ${text}`);
  }
  assert.match(await chat.text(), /^You wrote: “Hello there”\.[^]*chatkit-gateway serve\.$/);
  assert.equal(await chat.answers.count(), 1);
  for (const name of ["Copy", "Good answer", "Bad answer", "Try again"]) {
    await chat.page.getByRole("button", { name, exact: true }).waitFor();
  }
  await visitor.leave();
});

test("workflow 3: a tool's call is shown while it happens, and what it did", async () => {
  const { visitor, chat } = await here.visit();
  const calls = chat.messages.locator(".workflow");

  await chat.say("add a task: water the plants");
  await chat.done();
  await calls.getByText("water the plants").first().waitFor({ state: "attached" });
  await chat.say("list my tasks");
  await chat.done();

  assert.equal(await calls.count(), 2);
  assert.match(await calls.nth(0).textContent(), /\(done\)/);
  assert.match(await calls.nth(1).textContent(), /\(done\)/);
  await calls.nth(0).locator("summary").click();
  await calls.nth(0).getByText('"title"').first().waitFor();
  assert.match(await chat.text(), /water the plants/);
  await visitor.leave();
});

test("workflow 4: another answer takes the place of the first", async () => {
  const { visitor, chat } = await here.visit();
  await chat.say("Hello again");
  await chat.done();
  const before = await chat.answer.elementHandle();

  await chat.page.getByRole("button", { name: "Try again" }).click();
  await chat.stop.waitFor();
  await chat.done();

  assert.equal(await before.evaluate((article) => article.isConnected), false);
  const shown = () => Promise.all([chat.questions.count(), chat.answers.count()]);
  assert.deepEqual(await shown(), [1, 1]);
  await chat.page.reload();
  await chat.answer.waitFor();
  assert.deepEqual(await shown(), [1, 1]);
  assert.match(await chat.text(), /^You wrote: “Hello again”/);
  await visitor.leave();
});

test("workflow 20: one user sees nothing of another's", async () => {
  const { visitor, chat } = await here.visit();
  const choose = async (user) => {
    await chat.page.locator("#settings > summary").click();
    await chat.page.getByLabel("Signed in as").selectOption(user);
    await chat.page.keyboard.press("Escape");
    await chat.field.waitFor();
  };

  await choose("alice");
  await chat.say("a secret of Alice");
  await chat.done();
  const address = chat.page.url();
  await chat.threads.getByRole("listitem").first().waitFor();
  await choose("bob");

  await chat.threads.getByText("No conversations yet.").waitFor();
  await chat.page.goto("about:blank");
  await chat.page.goto(address);
  await chat.page.getByRole("alert").getByText("no such thing").waitFor();
  assert.equal(await chat.questions.count(), 0);
  assert.doesNotMatch(await chat.page.locator("body").innerText(), /secret of Alice/);
  await choose("alice");
  await chat.threads.getByRole("listitem").first().waitFor();
  await visitor.leave({ allowed: ["404"] });
});
