// Tokens: signing in, renewal, the end of a session.

import assert from "node:assert/strict";
import { test } from "node:test";

import { stage } from "./support/stage.mjs";

const here = stage();

const refusal = (status, code, headers = {}) => ({
  status,
  headers: { "Content-Type": "application/json", ...headers },
  body: JSON.stringify({ error: { code, message: "refused by the test", request_id: "r" } }),
});

const tokenOf = (chat) => chat.page.evaluate(() => sessionStorage.getItem("chatkit-gateway.token"));

test("workflow 18: only a good token signs in, and signing out ends the session", async () => {
  const visitor = await here.arrive();
  const chat = await visitor.open();
  const alert = chat.page.getByRole("alert");
  const field = chat.page.getByLabel("Token");
  const token = await here.gateway.token("signing-in");

  await chat.signIn("nonsense");
  await alert.getByText("That is no token").waitFor();
  await chat.signIn(`${token.slice(0, -8)}AAAAAAAA`);
  await alert.getByText("does not take that token").waitFor();
  assert.equal(await field.evaluate((input) => input === document.activeElement), true);
  await chat.signIn(`Bearer ${token} `);
  await chat.field.waitFor();
  await chat.page.locator("#settings > summary").getByText("signing-in").click();
  await chat.page.getByRole("button", { name: "Sign out" }).click();
  await field.waitFor();

  await chat.page.reload();
  await field.waitFor();
  await chat.signIn(token);
  await alert.getByText("does not take that token").waitFor();
  await visitor.leave({ allowed: ["401"] });
});

test("workflow 19: a session token is renewed before its end, and the new one outlives a reload", async () => {
  const { visitor, chat } = await here.visit({ user: "renewing" });
  const first = await tokenOf(chat);
  const start = here.proxy.requests.length;

  // Sessions last 30 minutes. What is asked in the last one renews the token first.
  await chat.page.clock.setSystemTime(Date.now() + (29 * 60 + 30) * 1000);
  await chat.say("Half an hour later");
  await chat.answer.getByText("Hello from the scripted model.").waitFor();
  const second = await tokenOf(chat);
  await chat.page.reload();
  await chat.answer.getByText("Hello from the scripted model.").waitFor();

  const requests = here.proxy.requests.slice(start);
  assert.notEqual(second, first);
  const used = requests.filter(({ headers }) => headers.authorization === `Bearer ${first}`);
  assert.deepEqual(used.map(({ path }) => path), ["/api/chatkit/refresh"]);
  assert.equal(requests.at(-1).headers.authorization, `Bearer ${second}`);
  await visitor.leave();
});

test("workflow 19: a session token that has expired is renewed when it is refused", async () => {
  const { visitor, chat } = await here.visit({ user: "late" });
  // A clock that is wrong, a machine that slept: only the gateway knows that the token is too old.
  let refused = 0;
  const undo = here.proxy.answer(({ path, body }) => {
    if (path !== "/chatkit" || !body.includes("threads.create") || refused > 0) return null;
    refused += 1;
    return refusal(401, "session_expired");
  });

  await chat.say("Do you know me?");
  await chat.answer.getByText("Hello from the scripted model.").waitFor();
  undo();

  assert.equal(refused, 1);
  assert.equal(await chat.questions.count(), 1);
  assert.equal(await chat.page.getByRole("alert").count(), 0);
  await visitor.leave({ allowed: ["401"] });
});

test("workflow 19: when the session is over the page leads back to the login", async () => {
  const { visitor, chat } = await here.visit({ user: "ending" });
  await chat.say("First words");
  await chat.done();
  const token = await tokenOf(chat);
  const headers = { Authorization: `Bearer ${token}` };
  const ended = await fetch(`${here.gateway.origin}/api/chatkit/logout`, { method: "POST", headers });
  assert.equal(ended.status, 204);

  await chat.say("Not lost");
  await chat.messages.getByText("Not sent").waitFor();
  const alert = chat.page.getByRole("alert");
  await alert.getByText("Your session has ended.").waitFor();
  await chat.questions.getByText("Not lost").waitFor();
  await alert.getByRole("button", { name: "Sign in" }).click();

  await chat.signIn(here.gateway.login("ending"));
  await chat.messages.getByText("Hello from the scripted model.").waitFor();
  assert.equal(await chat.questions.count(), 1);
  assert.equal(await chat.field.inputValue(), "Not lost");
  await chat.field.press("Enter");
  await chat.questions.getByText("Not lost").waitFor();
  await chat.done();
  assert.equal(await chat.answers.count(), 2);
  await visitor.leave({ allowed: ["401"] });
});

test("what one user could not send is not shown to another", async () => {
  const { visitor, chat } = await here.visit({ user: "first" });
  const headers = { Authorization: `Bearer ${await tokenOf(chat)}` };
  await fetch(`${here.gateway.origin}/api/chatkit/logout`, { method: "POST", headers });

  await chat.say("For my eyes only");
  await chat.page.getByRole("alert").getByRole("button", { name: "Sign in" }).click();
  await chat.signIn(here.gateway.login("second"));
  await chat.field.waitFor();

  assert.equal(await chat.field.inputValue(), "");
  assert.doesNotMatch(await chat.page.locator("body").innerText(), /my eyes/);
  await visitor.leave({ allowed: ["401"] });
});

test("no token stands in an address or stays behind the tab", async () => {
  const { visitor, chat } = await here.visit({ user: "careful" });
  const token = await tokenOf(chat);

  await chat.say("First words");
  await chat.done();

  assert.ok(visitor.requests.every((url) => !url.includes(token.slice(0, 20))));
  assert.ok(!chat.page.url().includes(token.slice(0, 20)));
  assert.equal(await chat.page.evaluate(() => JSON.stringify(localStorage)), "{}");
  assert.equal(await chat.page.evaluate(() => document.cookie), "");
  const other = await visitor.open();
  await other.page.getByLabel("Token").waitFor();
  await visitor.leave();
});
