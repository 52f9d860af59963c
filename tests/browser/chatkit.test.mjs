// The page with ChatKit's own element, whose script is OpenAI's. No test asks for that one: a host of
// ours stands in for it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { stage } from "./support/stage.mjs";

const here = stage({ isDemo: true });

const CDN = "https://cdn.platform.openai.com/**";

/** An element with the interface that the page uses, which keeps what it is given. */
const ELEMENT = `customElements.define("openai-chatkit", class extends HTMLElement {
  setOptions(options) { window.given = { ...window.given, ...options }; }
  setThreadId(id) { window.thread = id; }
  async fetchUpdates() { window.updates = (window.updates ?? 0) + 1; }
});`;

test("where ChatKit cannot be had the gateway's own client stands in for it", async () => {
  const visitor = await here.arrive();
  await visitor.context.route(CDN, (route) => route.abort());

  const chat = await visitor.open("/?ui=chatkit");
  await chat.page.getByRole("status").getByText("ChatKit cannot be loaded from OpenAI.").waitFor();
  await chat.say("Hello there");
  await chat.answer.getByText("You wrote: “Hello there”.").waitFor();

  await visitor.context.close();
});

test("ChatKit's element gets a fetch that brings the session, and hears of a run that goes on", async () => {
  const visitor = await here.arrive();
  await visitor.context.route(CDN, (route) =>
    route.fulfill({ contentType: "text/javascript", body: ELEMENT }),
  );
  const { page } = await visitor.open("/?ui=chatkit");
  await page.waitForFunction(() => window.given?.api);

  const seen = await page.evaluate(async () => {
    const content = [{ type: "input_text", text: "a long answer, please" }];
    const input = { content, attachments: [], inference_options: {} };
    const answer = await window.given.api.fetch(window.given.api.url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ type: "threads.create", params: { input } }),
    });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    const { value } = await reader.read();
    return { status: answer.status, thread: answer.headers.get("x-thread-id"), value };
  });
  assert.equal(seen.status, 200);
  // As the official SDK's server sends it: no ids, no comments.
  assert.match(seen.value, /^data: \{"type":"thread.created"/);
  assert.doesNotMatch(seen.value, /^(id|:)/m);

  await page.evaluate((id) => (location.hash = `thread=${id}`), seen.thread);
  await page.reload();
  await page.waitForFunction(() => window.updates > 0);
  assert.equal(await page.evaluate(() => window.given.initialThread), seen.thread);
  await visitor.context.close();
});
