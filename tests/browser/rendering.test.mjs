// What a model says is text, whatever stands in it: nothing of it runs, and nothing is fetched.

import assert from "node:assert/strict";
import { test } from "node:test";

import { stage } from "./support/stage.mjs";

const here = stage();

const HOSTILE = [
  "<script>window.hacked = 1</script>",
  "<img src=x onerror='window.hacked = 2'>",
  "<svg onload=window.hacked=3><style>@import 'https://evil.example/s.css';</style></svg>",
  '<iframe srcdoc="<script>parent.hacked = 4</script>"></iframe>',
  "[click me](javascript:window.hacked=5)",
  "[tab](java\tscript:window.hacked=6) [upper](JaVaScRiPt:window.hacked=7)",
  "[data](data:text/html,<script>opener.hacked=8</script>) <javascript:window.hacked=9>",
  "[quote](https://evil.example/\" onmouseover=\"window.hacked=10) [vb](vbscript:x)",
  "![pixel](https://evil.example/pixel.png) ![p2](//evil.example/p2.png \"t\")",
  "![svg](data:image/svg+xml,<svg onload=alert(1)>) ![tracked](http://127.0.0.1:9/x.gif)",
  "![a](javascript:window.hacked=11) [![nested](https://evil.example/n.png)](https://evil.example/)",
  "https://evil.example/bare **bold [unclosed](https://evil.example/",
  "| a | <b>b</b> |\n|---|---|\n| <script>window.hacked=12</script> | `<i>` |",
  "```html\n<script>window.hacked = 13</script>\n",
].join("\n\n");

test("hostile text of the model runs nothing and fetches nothing", async () => {
  const { visitor, chat } = await here.visit();

  await chat.sayScript({ text: HOSTILE, interval_ms: 2 });
  await chat.done();
  await chat.messages.getByRole("link", { name: "nested" }).hover();
  assert.equal(await chat.answer.locator("a a").count(), 0);

  assert.equal(await chat.page.evaluate(() => window.hacked), undefined);
  assert.deepEqual(visitor.foreignRequests, []);
  // Not even asked for: the policy had nothing to refuse.
  assert.deepEqual(await chat.violations(), []);
  const targets = await chat.answer.locator("a").evaluateAll((links) => links.map((link) => link.href));
  assert.ok(targets.length > 3, targets.join("\n"));
  for (const target of targets) assert.match(target, /^https?:/);
  assert.equal(await chat.answer.locator(".answer").locator("img, script, iframe, svg, style").count(), 0);
  // What it said can still be read.
  assert.match(await chat.answer.innerText(), /<script>window\.hacked = 1<\/script>/);
  await visitor.leave();
});

test("a message of the user's own is shown as it was written", async () => {
  const { visitor, chat } = await here.visit();

  await chat.say("<img src=x onerror='window.hacked = 1'> **not bold** [x](javascript:1)");
  await chat.done();

  const text = await chat.questions.last().innerText();
  assert.equal(text, "<img src=x onerror='window.hacked = 1'> **not bold** [x](javascript:1)");
  assert.equal(await chat.page.evaluate(() => window.hacked), undefined);
  await visitor.leave();
});

test("the policy of the page would stop what the client let through", async () => {
  const { visitor, chat } = await here.visit();

  const outcome = await chat.page.evaluate(async () => {
    const outcome = {};
    try {
      document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.hacked = 1'>");
      outcome.html = "taken";
    } catch (error) {
      outcome.html = error.name;
    }
    const image = document.createElement("img");
    const failed = new Promise((resolve) => image.addEventListener("error", () => resolve("refused")));
    image.src = "https://evil.example/pixel.png";
    outcome.image = await failed;
    outcome.fetch = await fetch("https://evil.example/").then(
      () => "taken",
      () => "refused",
    );
    return outcome;
  });

  assert.deepEqual(outcome, { html: "TypeError", image: "refused", fetch: "refused" });
  assert.equal(await chat.page.evaluate(() => window.hacked), undefined);
  const violations = await chat.violations();
  assert.ok(violations.some((text) => text.startsWith("img-src https://evil.example")));
  assert.ok(violations.some((text) => text.startsWith("connect-src https://evil.example")));
  await visitor.context.close();
});

test("Markdown that is cut off anywhere is shown, and comes out whole", async () => {
  const text = [
    "# Title\n\nSome **bold**, *soft*, `code` and ~~gone~~ words.",
    "1. one\n2. two\n   - inner **x**\n   - [ ] open\n   - [x] closed",
    "| left | right |\n|:---|---:|\n| a | 1 |\n| b | 2 |",
    "> quoted\n> text\n\n```js\nconst a = `b`;\n```\n\n---\n\nThe end.",
  ].join("\n\n");
  const { visitor, chat } = await here.visit();

  await chat.sayScript({ text, interval_ms: 5 });
  await chat.done();
  const streamed = await chat.answer.locator(".answer").innerHTML();
  await chat.page.reload();
  await chat.answer.waitFor();

  // Piece by piece or at once: the same.
  assert.equal(await chat.answer.locator(".answer").innerHTML(), streamed);
  assert.equal(await chat.answer.locator("li").count(), 5);
  assert.equal(await chat.answer.locator("table tbody tr").count(), 2);
  assert.equal(await chat.answer.locator("pre").innerText(), "const a = `b`;");
  await visitor.leave();
});

test("a long answer is not rendered anew for each of its words", async () => {
  const { visitor, chat } = await here.visit();
  const paragraphs = Array.from({ length: 12 }, (_, at) => `Paragraph ${at}: ${"word ".repeat(12)}`);

  await chat.sayScript({ text: paragraphs.join("\n\n"), interval_ms: 4 });
  await chat.written(40);
  const first = await chat.answer.locator("p").first().elementHandle();
  await chat.page.evaluate((paragraph) => {
    window.changes = 0;
    const watch = { childList: true, characterData: true, subtree: true };
    new MutationObserver((records) => (window.changes += records.length)).observe(paragraph, watch);
  }, first);
  await chat.done();

  // The paragraph is the same element, and was let alone from the moment the next one began.
  assert.equal(await first.evaluate((paragraph) => paragraph.isConnected), true);
  assert.ok((await chat.page.evaluate(() => window.changes)) < 14);
  assert.equal(await chat.answer.locator("p").count(), 12);
  await visitor.leave();
});

test("a widget that is not as it should be keeps nothing else from being shown", async () => {
  const { visitor, chat } = await here.visit();
  await chat.say("Before");
  await chat.done();
  const hostile = {
    type: "Card",
    children: [
      { type: "constructor" },
      { type: "__proto__", value: "odd" },
      { type: "Text", value: "unfit", size: "a b", color: "url(https://evil.example/c.png)" },
      { type: "Image", src: "https://evil.example/i.png", alt: "far away" },
      { type: "Image", src: "javascript:window.hacked=1", alt: "script" },
      { type: "Box", background: "url(https://evil.example/b.png)", children: 7 },
      { type: "Markdown", value: "<img src=x onerror='window.hacked=2'> **bold**" },
      { type: "Text", value: "The last one" },
    ],
  };
  const undo = here.proxy.answer(({ path, body }) => {
    if (path !== "/chatkit" || !body.includes('"items.list"')) return null;
    const item = (id, more) => ({ id, thread_id: "t", created_at: "2026-01-01T00:00:00Z", ...more });
    const data = [
      item("3", { type: "assistant_message", content: [{ type: "output_text", text: "After", annotations: [] }] }),
      item("2", { type: "widget", widget: hostile }),
      item("1", { type: "widget", widget: null }),
      item("0", { type: "assistant_message", content: null }),
    ];
    return { headers: { "Content-Type": "application/json" }, body: JSON.stringify({ data, has_more: false }) };
  });

  await chat.page.reload();
  await chat.answer.getByText("After").waitFor();
  undo();

  const text = await chat.messages.innerText();
  assert.match(text, /unfit[^]*far away[^]*bold[^]*The last one[^]*After/);
  assert.equal(await chat.page.evaluate(() => window.hacked), undefined);
  assert.deepEqual(visitor.foreignRequests, []);
  assert.deepEqual(await chat.violations(), []);
  await visitor.leave({ allowed: ["cannot be shown"] });
});
