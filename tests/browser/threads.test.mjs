// Conversations in the list.

import assert from "node:assert/strict";
import { test } from "node:test";

import { stage } from "./support/stage.mjs";

const here = stage({ env: { CHATKIT_TITLES: "first_words" } });

/** A window with conversations of these first messages, each of which is its title, too. */
async function visitWith(user, ...messages) {
  const { visitor, chat } = await here.visit({ user });
  for (const [at, message] of messages.entries()) {
    if (at > 0) await chat.page.getByRole("button", { name: "New conversation", exact: true }).click();
    await chat.say(message);
    await chat.done();
    await chat.thread(message).waitFor();
  }
  return { visitor, chat };
}

test("workflow 5: a new conversation stands above the old ones", async () => {
  const { visitor, chat } = await visitWith("new", "First words");

  await chat.page.keyboard.press("Control+Shift+O");
  await chat.page.getByRole("button", { name: "List my tasks" }).waitFor();
  assert.equal(await chat.questions.count(), 0);
  assert.equal(chat.threadId, "");
  await chat.say("Second words");
  await chat.done();

  await chat.thread("Second words").waitFor();
  const titles = await chat.threads.getByRole("listitem").allInnerTexts();
  assert.deepEqual(titles.map((title) => title.trim()), ["Second words", "First words"]);
  await chat.title.getByText("Second words").waitFor();
  await visitor.leave();
});

test("workflow 6: an answer goes on while another conversation is shown", async () => {
  const { visitor, chat } = await visitWith("switching", "First words", "Second words");
  const numbers = Array.from({ length: 120 }, (_, at) => `n${at}`).join(" ");

  await chat.sayScript({ text: numbers, interval_ms: 25 });
  const before = await chat.written(20);
  await chat.thread("First words").click();
  await chat.title.getByText("First words").waitFor();
  await chat.messages.getByText("Hello from the scripted model.").waitFor();
  assert.doesNotMatch(await chat.messages.innerText(), /n0 n1/);
  await chat.thread("Second words").click();
  const after = await chat.written(before.length + 1);

  assert.ok(after.startsWith(before), after);
  await chat.done();
  assert.equal(await chat.text(), numbers);
  await chat.page.goBack();
  await chat.title.getByText("First words").waitFor();
  await chat.page.goForward();
  await chat.title.getByText("Second words").waitFor();
  assert.equal(await chat.text(), numbers);
  await visitor.leave();
});

test("workflow 7: a conversation is renamed", async () => {
  const { visitor, chat } = await visitWith("renaming", "First words");
  const input = chat.threads.getByRole("textbox", { name: "Title" });

  await chat.choose("First words", "Rename");
  await input.fill("Left again");
  await input.press("Escape");
  await chat.thread("First words").waitFor();
  await chat.choose("First words", "Rename");
  await input.fill("A <b>better</b> title");
  await input.press("Enter");

  await chat.title.getByText("A <b>better</b> title").waitFor();
  await chat.page.reload();
  await chat.thread("A <b>better</b> title").waitFor();
  await chat.title.getByText("A <b>better</b> title").waitFor();
  await visitor.leave();
});

test("workflow 8: a conversation is put away and taken back", async () => {
  const { visitor, chat } = await visitWith("archiving", "First words", "Second words");

  await chat.choose("First words", "Archive");
  await chat.thread("First words").waitFor({ state: "detached" });
  await chat.page.reload();
  await chat.thread("Second words").waitFor();
  assert.equal(await chat.thread("First words").count(), 0);
  await chat.threads.getByRole("button", { name: "Archived" }).click();
  await chat.thread("First words").waitFor();
  assert.equal(await chat.thread("Second words").count(), 0);
  await chat.choose("First words", "Take back");
  await chat.threads.getByText("Nothing is archived.").waitFor();
  await chat.threads.getByRole("button", { name: "Back to conversations" }).click();

  await chat.thread("First words").waitFor();
  await chat.thread("Second words").waitFor();
  await visitor.leave();
});

test("workflow 9: a conversation is deleted once that is confirmed", async () => {
  const { visitor, chat } = await visitWith("deleting", "First words", "Second words");
  const dialog = chat.page.getByRole("dialog", { name: "Delete “Second words”?" });
  const address = chat.page.url();

  await chat.choose("Second words", "Delete");
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await dialog.waitFor({ state: "detached" });
  assert.equal(await chat.thread("Second words").count(), 1);
  await chat.choose("Second words", "Delete");
  await dialog.getByRole("button", { name: "Delete" }).click();
  await chat.thread("Second words").waitFor({ state: "detached" });

  await chat.title.getByText("New conversation").waitFor();
  await chat.page.goto("about:blank");
  await chat.page.goto(address);
  await chat.page.getByRole("alert").getByText("no such thing").waitFor();
  await chat.thread("First words").waitFor();
  assert.equal(await chat.thread("Second words").count(), 0);
  await visitor.leave({ allowed: ["404"] });
});

test("a conversation that is deleted while it is answered stops costing anything", async () => {
  const { visitor, chat } = await here.visit({ user: "deleting-early" });
  const calls = here.model.calls.length;

  await chat.say(`Slow words ${JSON.stringify({ script: { deltas: 2000, interval_ms: 20 } })}`);
  await chat.written(20);
  const row = chat.threads.getByRole("listitem").first();
  await row.hover();
  await row.getByRole("button", { name: /^Options/ }).click();
  await chat.page.getByRole("menuitem", { name: "Delete" }).click();
  await chat.page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();

  await chat.title.getByText("New conversation").waitFor();
  const call = await here.model.ended(calls);
  assert.equal(call.isWhole, false);
  await chat.say("And now?");
  await chat.answer.getByText("Hello from the scripted model.").waitFor();
  await visitor.leave({ allowed: ["404"] });
});
