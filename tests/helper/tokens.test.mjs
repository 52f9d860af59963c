// Session tokens: asked for once, renewed once, never kept for somebody else.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { aged } from "../browser/support/jwt.mjs";
import { createChatKitFetch, LEAVE } from "../../web/helper/chatkit-gateway.js";
import { message, read, SESSION_SECRET, session, setting } from "./support/setting.mjs";

const THREADS = "/api/chatkit/threads";

const here = setting();
beforeEach(() => here.proxy.requests.splice(0));

const paths = () => here.proxy.requests.map(({ method, path }) => `${method} ${path}`);
const tokensOf = (path) =>
  here.proxy.requests
    .filter((request) => request.path.startsWith(path))
    .map(({ headers }) => headers.authorization.slice("Bearer ".length));

/** A `fetch` whose first token the gateway knows, and takes for too old; `asked` counts getToken. */
async function withAgedToken(user) {
  const { client_secret: fresh } = await session(here.gateway, user);
  const old = aged(fresh, SESSION_SECRET);
  const asked = [];
  const send = createChatKitFetch({
    baseUrl: here.proxy.origin,
    getToken: (current) => {
      asked.push(current);
      // As `expires_in` has it, it is good; the gateway knows better.
      return { client_secret: old, expires_in: 1800 };
    },
  });
  return { send, old, asked };
}

test("a token that the gateway calls expired is renewed, and the request goes on", async () => {
  const { send, old, asked } = await withAgedToken("late");

  const answer = await send(THREADS);

  assert.equal(answer.status, 200);
  assert.deepEqual(paths(), [`GET ${THREADS}`, "POST /api/chatkit/refresh", `GET ${THREADS}`]);
  const [first, second] = tokensOf(THREADS);
  assert.equal(first, old);
  assert.notEqual(second, old);
  assert.deepEqual(asked, [null]);
});

test("a message with an expired token is answered, by one call of the model", async () => {
  const { send } = await withAgedToken("late sender");
  const calls = here.model.calls.length;

  const answer = await send(...message({ text: "here I am" }));

  assert.deepEqual(read(await answer.text()).answers, ["here I am"]);
  assert.equal(here.model.calls.length - calls, 1);
  assert.equal(paths().filter((path) => path.endsWith("/refresh")).length, 1);
});

test("many requests with one expired token renew it once", async () => {
  const { send } = await withAgedToken("late crowd");

  const answers = await Promise.all(Array.from({ length: 8 }, () => send(THREADS)));

  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  assert.equal(paths().filter((path) => path.endsWith("/refresh")).length, 1);
});

test("a token that expires in mid-answer is renewed when the connection breaks", async () => {
  const { client_secret: token } = await session(here.gateway, "halfway");
  const send = createChatKitFetch({
    baseUrl: here.proxy.origin,
    minDelayMs: 20,
    getToken: () => token,
  });
  const words = Array.from({ length: 60 }, (_, at) => `word${at}`).join(" ");
  const answer = await send(...message({ text: words, interval_ms: 10 }));
  const reader = answer.body.getReader();
  const first = await reader.read();
  const undo = here.proxy.answer(({ path, headers }) => {
    if (path.endsWith("/refresh") || headers.authorization !== `Bearer ${token}`) return null;
    return { status: 401, body: '{"error":{"code":"session_expired","message":"too old"}}' };
  });

  here.proxy.cut();
  here.proxy.restore();
  const rest = await textOf(reader);
  undo();

  const { deltas } = read(new TextDecoder().decode(first.value) + rest);
  assert.equal(deltas, words);
});

test("a token is renewed before its end, by the time that it has to live", async () => {
  const { client_secret: token } = await session(here.gateway, "early");
  let now = 1_000_000;
  const told = [];
  const send = createChatKitFetch(
    {
      baseUrl: here.proxy.origin,
      getToken: () => ({ client_secret: token, expires_in: 1800 }),
      onToken: (secret) => told.push(secret),
    },
    { now: () => now },
  );

  await send(THREADS);
  now += (1800 - 61) * 1000;
  await send(THREADS);
  now += 2_000;
  await send(THREADS);

  const [first, second, third] = tokensOf(THREADS);
  assert.deepEqual([first, second], [token, token]);
  assert.notEqual(third, token);
  assert.deepEqual(told, [third]);
});

test("when a session is over the page is asked, and a 401 is handed on when it has nothing better", async () => {
  const { client_secret: token } = await session(here.gateway, "gone");
  const asked = [];
  const send = createChatKitFetch({
    baseUrl: here.proxy.origin,
    getToken: (current) => {
      asked.push(current);
      if (current) throw new Error("the login has ended, too");
      return token;
    },
  });
  const first = await send(THREADS);
  const headers = { Authorization: `Bearer ${token}` };
  await fetch(`${here.gateway.origin}/api/chatkit/logout`, { method: "POST", headers });

  const second = await send(THREADS);

  assert.equal(first.status, 200);
  assert.equal(second.status, 401);
  assert.deepEqual(asked, [null, token]);
});

test("a token that was asked for before the user changed is not kept", async () => {
  const alice = (await session(here.gateway, "alice")).client_secret;
  const bob = (await session(here.gateway, "bob")).client_secret;
  const answers = [];
  const send = createChatKitFetch({
    baseUrl: here.proxy.origin,
    getToken: () => new Promise((resolve) => answers.push(resolve)),
  });
  const before = send(THREADS).catch(() => null);
  await new Promise(setImmediate);

  send.forget();
  const after = send(THREADS);
  await new Promise(setImmediate);
  answers[0](alice);
  await before;
  answers[1]?.(bob);
  await after;
  await send(`${THREADS}?limit=1`);

  assert.deepEqual(tokensOf(`${THREADS}?limit=1`), [bob]);
});

test("a message under way when the user changes is not sent again as the other one's", async () => {
  const users = ["first", "second"];
  const send = createChatKitFetch({
    baseUrl: here.proxy.origin,
    minDelayMs: 1,
    getToken: async () => (await session(here.gateway, users.shift())).client_secret,
  });
  const calls = here.model.calls.length;
  const undo = here.proxy.answer(({ path }) => {
    if (path !== "/chatkit") return null;
    send.forget();
    return { status: 503, headers: { "Retry-After": "0" } };
  });

  await assert.rejects(send(...message({ text: "mine" })), LEAVE);
  undo();
  await send(THREADS);

  assert.equal(tokensOf("/chatkit").length, 1);
  assert.equal(here.model.calls.length, calls);
  assert.deepEqual(users, []);
});

test("the token goes to no other origin and no other path", async () => {
  const { client_secret: token } = await session(here.gateway, "careful");
  const seen = [];
  const send = createChatKitFetch({
    baseUrl: `${here.proxy.origin}/`,
    getToken: () => token,
    fetch: (url, init) => {
      seen.push(new Headers(init?.headers).has("Authorization"));
      return Promise.resolve(new Response("{}"));
    },
  });

  await send("http://elsewhere.example/api/chatkit/threads");
  await send(`${here.proxy.origin}/api/other`);
  await send(`${here.proxy.origin.replace("127.0.0.1", "127.0.0.2")}/chatkit`);
  await send(`${here.proxy.origin}/chatkit-of-mine`);

  assert.deepEqual(seen, [false, false, false, false]);
});

async function textOf(reader) {
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text;
    text += decoder.decode(value, { stream: true });
  }
}
