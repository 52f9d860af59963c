// examples/better-auth-app: a real Better Auth, a gateway that verifies its logins by the key set, and
// a page on another origin than the gateway.

import assert from "node:assert/strict";
import { test } from "node:test";

import { AppStage, appStage, SESSION_SECRET } from "./support/better-auth.mjs";
import { aged, claimsOf } from "./support/jwt.mjs";

const here = appStage();
const HELLO = "Hello from the scripted model.";

/** What came to the gateway with a token. */
const requestsWith = (token, from = 0) =>
  here.proxy.requests
    .slice(from)
    .filter(({ headers }) => headers.authorization === `Bearer ${token}`)
    .map(({ method, path }) => `${method} ${path}`);

/** What the gateway says to a token that somebody has kept. */
const statusOf = async (token, path = "/api/chatkit/threads") => {
  const headers = { Authorization: `Bearer ${token}` };
  return (await fetch(`${here.gateway.origin}${path}`, { headers })).status;
};

test("workflow 23: an account is made, and refusals say what is wrong", async () => {
  const { visitor, chat, page, account } = await here.visit();

  await account.logIn("Anna");
  await account.alert.getByText("do not belong together").waitFor();
  await account.signUp("Anna");
  await chat.field.waitFor();
  await page.getByText("Anna", { exact: true }).waitFor();
  await account.logOut();
  await account.alert.getByText("You are logged out.").waitFor();
  await account.signUp("Anna");
  await account.alert.getByText("There is an account with that e-mail address already.").waitFor();
  await page.getByRole("button", { name: "Log in instead" }).click();
  await account.logIn("Anna", "something else");
  await account.alert.getByText("do not belong together").waitFor();
  await account.logIn("Anna");
  await chat.field.waitFor();

  await visitor.leave({ allowed: ["401", "422"] });
});

test("workflow 24: who is logged in chats, and the last conversation is there after a reload", async () => {
  const { visitor, chat, page, account } = await here.visitAs("Berta");
  for (const label of ["Create a task", "List my tasks", "Get help"]) {
    await page.getByRole("button", { name: label }).waitFor();
  }

  const paints = await chat.watchPaints();
  await chat.sayScript({ deltas: 40, interval_ms: 40, text: "the end" });
  await chat.answer.getByText("the end").waitFor();
  await chat.done();
  const seen = await paints();
  await page.reload();
  await chat.answer.getByText("the end").waitFor();

  assert.ok(seen.length >= 10, `the answer was painted ${seen.length} times`);
  assert.equal(await chat.questions.count(), 1);
  // One session for the whole visit: the reload had its token still.
  assert.equal(await sessionsOpened(account), 1);
  await visitor.leave();
});

test("workflow 25: a session token that is too old is renewed without a word", async () => {
  const { visitor, chat, page, account } = await here.visitAs("Carla");
  await chat.say("First words");
  await chat.answer.getByText(HELLO).waitFor();
  await chat.done();
  const old = aged(await account.token(), SESSION_SECRET);
  assert.equal(await statusOf(old), 401);
  await account.replaceToken(old);

  const start = here.proxy.requests.length;
  await page.reload();
  await chat.answer.getByText(HELLO).waitFor();
  await chat.say("Do you know me still?");
  await chat.questions.getByText("Do you know me still?").waitFor();
  await chat.done();
  const next = await account.token();

  assert.equal(await chat.answers.count(), 2);
  // What the page asked first was refused, and all of it waited for one renewal.
  const renewals = requestsWith(old, start).filter((request) => request.endsWith("/refresh"));
  assert.deepEqual(renewals, ["POST /api/chatkit/refresh"]);
  assert.notEqual(next, old);
  assert.equal(claimsOf(next).sid, claimsOf(old).sid);
  assert.ok(requestsWith(next, start).includes("POST /chatkit"));
  assert.equal(await account.alert.filter({ visible: true }).count(), 0);
  await visitor.leave({ allowed: ["401"] });
});

test("workflow 25: a session that the gateway has ended is opened anew by the login", async () => {
  const { visitor, chat, account } = await here.visitAs("Dora");
  await chat.say("First words");
  await chat.done();
  const first = await account.token();
  const headers = { Authorization: `Bearer ${first}` };
  await fetch(`${here.gateway.origin}/api/chatkit/logout`, { method: "POST", headers });

  await chat.say("And again");
  await chat.questions.getByText("And again").waitFor();
  await chat.done();

  assert.equal(await chat.answers.count(), 2);
  const next = await account.token();
  assert.notEqual(claimsOf(next).sid, claimsOf(first).sid);
  await visitor.leave({ allowed: ["401"] });
});

test("workflow 26: logging out ends the session at the gateway, too", async () => {
  const { visitor, chat, page, account } = await here.visitAs("Emma");
  await chat.say("First words");
  await chat.done();
  const token = await account.token();
  assert.equal(await statusOf(token), 200);

  const ended = page.waitForResponse((response) => response.url().endsWith("/api/chatkit/logout"));
  await account.logOut();
  assert.equal((await ended).status(), 204);

  assert.equal(await account.token(), null);
  assert.equal(await statusOf(token), 401);
  await page.reload();
  await account.form.waitFor();
  await visitor.leave();
});

test("workflow 27: two users never see each other's conversations", async () => {
  const first = await here.visitAs("Frida");
  await first.chat.say("Frida's secret");
  await first.chat.done();
  const listed = await list(await first.account.token());
  const second = await here.visitAs("Greta");
  const token = await second.account.token();

  assert.equal(listed.length, 1);
  assert.deepEqual(await list(token), []);
  assert.equal(await statusOf(token, `/api/chatkit/threads/${listed[0].id}`), 404);
  assert.doesNotMatch(await second.page.locator("body").innerText(), /secret/);

  // The same in one browser, one behind the other.
  await first.account.logOut();
  await first.account.logIn("Greta");
  await first.chat.field.waitFor();
  await first.page.getByRole("button", { name: "Get help" }).waitFor();
  assert.equal(await first.chat.questions.count(), 0);
  assert.doesNotMatch(await first.page.locator("body").innerText(), /secret/);
  await first.account.logOut();
  await first.account.logIn("Frida");
  await first.chat.questions.getByText("Frida's secret").waitFor();
  await first.visitor.leave();
  await second.visitor.leave();
});

test("workflow 28: a login that was revoked leads back to the form, at the latest by a renewal", async () => {
  const { visitor, chat, page, account } = await here.visitAs("Hanna");
  await chat.say("First words");
  await chat.done();
  const token = await account.token();
  await account.revokeLogins();

  // The gateway renews without asking the login; the page asks.
  await page.clock.setSystemTime(Date.now() + (29 * 60 + 30) * 1000);
  await chat.say("Not for long");
  await account.form.waitFor();
  await account.alert.getByText("Your session has ended. Log in again.").waitFor();

  assert.equal(await account.token(), null);
  assert.ok(requestsWith(token).includes("POST /api/chatkit/refresh"));
  await account.logIn("Hanna");
  await chat.questions.getByText("First words").waitFor();
  await visitor.leave({ allowed: ["401"] });
});

test("workflow 28: what could not be sent when the login had ended is there after the next one", async () => {
  const { visitor, chat, account } = await here.visitAs("Ida");
  await chat.say("First words");
  await chat.done();
  const headers = { Authorization: `Bearer ${await account.token()}` };
  await account.revokeLogins();
  await fetch(`${here.gateway.origin}/api/chatkit/logout`, { method: "POST", headers });

  await chat.say("Not lost");
  await account.form.waitFor();
  await account.alert.getByText("Your session has ended. Log in again.").waitFor();
  await account.logIn("Ida");
  await chat.questions.getByText("First words").waitFor();

  assert.equal(await chat.questions.count(), 1);
  assert.equal(await chat.field.inputValue(), "Not lost");
  await visitor.leave({ allowed: ["401"] });
});

/** The threads of whom a token stands for. */
async function list(token) {
  const headers = { Authorization: `Bearer ${token}` };
  const answer = await fetch(`${here.gateway.origin}/api/chatkit/threads`, { headers });
  return (await answer.json()).data;
}

/** How many sessions the gateway has opened for this page's user. */
async function sessionsOpened(account) {
  const { user_id: user } = claimsOf(await account.token());
  return here.proxy.requests.filter(
    ({ path, headers }) =>
      path === "/api/chatkit/session" &&
      headers.authorization &&
      claimsOf(headers.authorization).sub === user,
  ).length;
}

const CDN = "https://cdn.platform.openai.com/**";

/** An element with the interface that the page uses, which keeps what it is given. */
const ELEMENT = `customElements.define("openai-chatkit", class extends HTMLElement {
  setOptions(options) { window.given = options; }
  async fetchUpdates() { window.updates = (window.updates ?? 0) + 1; }
});`;

test("ChatKit's element is used where it can be had, with the same options and a fetch that logs in", async (t) => {
  const withChatKit = new AppStage();
  await withChatKit.start({ client: "auto" });
  t.after(() => withChatKit.stop());
  const { visitor, page, account } = await withChatKit.visit();
  visitor.otherOrigins.push("https://cdn.platform.openai.com");
  await visitor.context.route(CDN, (route) =>
    route.fulfill({ contentType: "text/javascript", body: ELEMENT }),
  );

  await account.signUp("Julia");
  await page.waitForFunction(() => window.given?.api);
  const seen = await page.evaluate(async () => {
    const content = [{ type: "input_text", text: "hello" }];
    const input = { content, attachments: [], inference_options: {} };
    const { api, theme, startScreen } = window.given;
    const answer = await api.fetch(api.url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ type: "threads.create", params: { input } }),
    });
    const labels = startScreen.prompts.map(({ label }) => label);
    return { status: answer.status, text: await answer.text(), theme, labels };
  });
  assert.equal(seen.status, 200);
  assert.match(seen.text, /^data: \{"type":"thread.created"/);
  assert.match(seen.text, /scripted model/);
  assert.equal(seen.theme.colorScheme, "light");
  assert.equal(seen.theme.color.accent.primary, "#2563eb");
  assert.deepEqual(seen.labels, ["Create a task", "List my tasks", "Get help"]);

  // What ChatKit's element cannot say, the page says by the status.
  await page.evaluate(() =>
    window.given.api.fetch(window.given.api.url, { method: "POST", body: "no JSON" }),
  );
  await account.alert.getByText("The chat could not do that.").waitFor();
  await visitor.leave({ allowed: ["415"] });
});

test("where ChatKit cannot be had the gateway's own client stands in for it", async (t) => {
  const withoutChatKit = new AppStage();
  await withoutChatKit.start({ client: "auto" });
  t.after(() => withoutChatKit.stop());
  const { visitor, chat, account } = await withoutChatKit.visit();
  await visitor.context.route(CDN, (route) => route.abort());

  await account.signUp("Karla");
  await chat.say("Hello there");
  await chat.answer.getByText(HELLO).waitFor();

  await visitor.context.close();
});
