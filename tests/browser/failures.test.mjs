// The model fails, the gateway refuses: the page says so, and nothing is lost.

import assert from "node:assert/strict";
import { test } from "node:test";

import { stage } from "./support/stage.mjs";

const here = stage({ env: { CHATKIT_MAX_RUNS_PER_USER: "2" } });

test("workflow 16: a model that fails is told in words, and can be asked again", async () => {
  const { visitor, chat } = await here.visit();
  const alert = chat.page.getByRole("alert");

  await chat.sayScript({ text: "Half of it", error: { code: "server_error", message: "broken" } });
  await alert.getByRole("button", { name: "Try again" }).waitFor();
  await chat.done();
  const said = await alert.innerText();
  const before = here.model.calls.length;
  await alert.getByRole("button", { name: "Try again" }).click();
  await here.model.ended(before);
  await alert.getByRole("button", { name: "Try again" }).waitFor();
  await chat.done();

  assert.match(said, /^[A-Z][^]*\.$/m);
  assert.equal(await chat.questions.count(), 1);
  await alert.getByRole("button", { name: "Close this message" }).click();
  await alert.waitFor({ state: "detached" });
  await chat.say("And now?");
  await chat.messages.getByText("Hello from the scripted model.").waitFor();
  await visitor.leave();
});

test("workflow 17: what is refused for now is sent again when Retry-After says", async () => {
  const { visitor, chat } = await here.visit();
  const posts = [];
  const undo = here.proxy.answer(({ path, body, headers }) => {
    if (path !== "/chatkit" || !body.includes("threads.create")) return null;
    posts.push({ key: headers["idempotency-key"], at: performance.now() });
    if (posts.length > 1) return null;
    const error = { code: "too_many_runs", message: "too many answers under way", request_id: "r" };
    const json = { "Content-Type": "application/json", "Retry-After": "2" };
    return { status: 429, headers: json, body: JSON.stringify({ error }) };
  });

  await chat.say("Patience");
  await chat.messages.getByText("Hello from the scripted model.").waitFor();
  undo();

  assert.equal(posts.length, 2);
  assert.equal(posts[0].key, posts[1].key);
  // Not before the time; how much later is the machine's business.
  assert.ok(posts[1].at - posts[0].at >= 1990, `${posts[1].at - posts[0].at} ms`);
  assert.equal(await chat.questions.count(), 1);
  assert.equal(await chat.page.getByRole("alert").count(), 0);
  await visitor.leave({ allowed: ["429"] });
});

test("a message that is refused for good keeps its words", async () => {
  const { visitor, chat } = await here.visit();
  const undo = here.proxy.answer(({ path, body }) => {
    if (path !== "/chatkit" || !body.includes("threads.create")) return null;
    const error = { code: "internal_error", message: "something broke", request_id: "r" };
    return { status: 500, headers: { "Content-Type": "application/json" }, body: JSON.stringify({ error }) };
  });

  await chat.say("Precious words");
  await chat.messages.getByText("Not sent").waitFor();
  await chat.page.getByRole("button", { name: "Edit" }).click();
  assert.equal(await chat.field.inputValue(), "Precious words");
  assert.equal(await chat.questions.count(), 0);
  undo();
  await chat.field.press("Enter");
  await chat.answer.getByText("Hello from the scripted model.").waitFor();

  assert.equal(await chat.questions.count(), 1);
  await visitor.leave({ allowed: ["500"] });
});
