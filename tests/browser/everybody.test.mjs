// With the keyboard, with a screen reader, on a phone, in the dark.

import assert from "node:assert/strict";
import { test } from "node:test";

import { axeSource } from "./support/packages.mjs";
import { stage } from "./support/stage.mjs";

const here = stage();

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

const ANSWER = [
  "## Findings\n\nSome **bold**, `code` and a [link](https://example.com/).",
  "1. one\n2. two\n   - [x] inner\n\n> quoted",
  "| a | b |\n|---|--:|\n| 1 | 2 |",
  "```js\nconst a = 1;\n```",
].join("\n\n");

/** It tries styles on the page, which the policy refuses. */
const BY_AXE = { allowed: ["Applying inline style"] };

/** What axe-core finds of some weight, in words. */
async function findings(page) {
  // The page's policy lets nobody add a script; the tool's own way is none of the page's.
  await page.evaluate(axeSource);
  const { violations, passes } = await page.evaluate(() => globalThis.axe.run(document));
  // It has looked, and into the shadow tree as well: there are contrasts that are good.
  const contrasts = passes.find(({ id }) => id === "color-contrast").nodes;
  assert.ok(contrasts.length > 3, `${contrasts.length} contrasts were looked at`);
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`));
}

/** What has the focus: its role and its name, or its text. */
function focused(page) {
  return page.evaluate(() => {
    let element = document.activeElement;
    while (element.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
    return element.ariaLabel || element.labels?.[0]?.textContent || element.innerText.trim();
  });
}

for (const colorScheme of ["light", "dark"]) {
  for (const [screen, options] of [["desktop", {}], ["phone", PHONE]]) {
    test(`axe-core finds nothing serious: ${screen}, ${colorScheme}`, async () => {
      const { visitor, chat } = await here.visit({ user: "axe", colorScheme, ...options });
      const found = { start: await findings(chat.page) };

      await chat.sayScript({
        text: ANSWER,
        reasoning: "Let me think.",
        calls: [{ name: "add_task", arguments: { title: "x" } }],
        then: { text: ANSWER },
      });
      await chat.done();
      found.answer = await findings(chat.page);
      if (screen === "phone") {
        await chat.page.getByRole("button", { name: "Open the list of conversations" }).click();
        found.drawer = await findings(chat.page);
      }
      const row = chat.threads.getByRole("listitem").first();
      await row.getByRole("button", { name: /^Options/ }).click();
      found.menu = await findings(chat.page);
      await chat.page.getByRole("menuitem", { name: "Delete" }).click();
      found.dialog = await findings(chat.page);

      for (const [state, list] of Object.entries(found)) assert.deepEqual(list, [], state);
      await visitor.leave(BY_AXE);
    });
  }
}

test("axe-core finds nothing serious in the form to sign in", async () => {
  const visitor = await here.arrive();
  const { page } = await visitor.open();
  await page.getByLabel("Token").waitFor();

  assert.deepEqual(await findings(page), []);
  await visitor.leave(BY_AXE);
});

test("workflow 21: everything is within reach of the keyboard", async () => {
  const { visitor, chat } = await here.visit({ user: "keys" });
  const { page } = chat;
  const { keyboard } = page;
  for (const text of ["First words", "Second words"]) {
    await keyboard.press("Control+Shift+O");
    await keyboard.type(text);
    await keyboard.press("Enter");
    await chat.done();
    await chat.thread(text).waitFor();
  }
  assert.equal(await focused(page), "Message");

  // The list is one stop of the Tab key; arrows walk in it.
  await page.evaluate(() => document.activeElement.blur());
  await page.locator("#settings > summary").focus();
  await keyboard.press("Tab");
  assert.equal(await focused(page), "New conversation");
  await keyboard.press("Tab");
  assert.equal(await focused(page), "Second words");
  await keyboard.press("ArrowDown");
  assert.equal(await focused(page), "First words");
  await keyboard.press("Enter");
  await chat.title.getByText("First words").waitFor();
  assert.equal(await focused(page), "Message");

  // A menu: arrows, Escape, and back where it came from.
  await chat.threads.getByRole("button", { name: "Options of “First words”" }).focus();
  await keyboard.press("Enter");
  assert.equal(await focused(page), "Rename");
  await keyboard.press("ArrowUp");
  assert.equal(await focused(page), "Delete");
  await keyboard.press("ArrowDown");
  await keyboard.press("ArrowDown");
  assert.equal(await focused(page), "Archive");
  await keyboard.press("Escape");
  assert.equal(await focused(page), "Options of “First words”");
  await keyboard.press("Enter");
  await keyboard.press("End");
  await keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  assert.equal(await focused(page), "Cancel");
  await keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.equal(await focused(page), "Options of “First words”");
  await keyboard.press("Enter");
  await keyboard.press("Enter");
  await keyboard.type("Other words");
  await keyboard.press("Enter");
  await chat.thread("Other words").waitFor();
  assert.equal(await focused(page), "Other words");

  // Stop is a button like others, and whoever pressed it writes on.
  await chat.sayScript({ deltas: 2000, interval_ms: 20 });
  await chat.written(20);
  await chat.stop.focus();
  await keyboard.press("Enter");
  await chat.done();
  assert.equal(await focused(page), "Message");
  await visitor.leave();
});

test("workflow 21: a screen reader is told that an answer begins, and then the answer", async () => {
  const { visitor, chat } = await here.visit({ user: "listening" });
  await chat.page.evaluate(() => {
    window.said = [];
    const root = document.querySelector("chatkit-gateway-chat").shadowRoot;
    const live = root.querySelector("[role=status][aria-live], .visually-hidden[role=status]");
    new MutationObserver(() => window.said.push(live.textContent)).observe(live, { childList: true });
  });

  await chat.say("Hello");
  await chat.answer.getByText("Hello from the scripted model.").waitFor();
  await chat.done();

  assert.deepEqual(await chat.page.evaluate(() => window.said), [
    "The assistant is answering.",
    "Assistant: Hello from the scripted model.",
  ]);
  await visitor.leave();
});

test("workflow 22: on a phone the list is a drawer, and nothing is wider than the screen", async () => {
  const { visitor, chat } = await here.visit({ user: "phone", ...PHONE });
  const { page } = chat;
  const open = page.getByRole("button", { name: "Open the list of conversations" });
  const create = chat.threads.getByRole("button", { name: "New conversation" });

  const wide = `${"x".repeat(300)}\n\n\`\`\`\n${"y".repeat(300)}\n\`\`\`\n\n| ${"z | ".repeat(30)}\n|${"---|".repeat(30)}`;
  await chat.sayScript({ text: wide });
  await chat.done();
  assert.equal(await create.isVisible(), false);
  await open.tap();
  await create.waitFor();
  await page.keyboard.press("Escape");
  await create.waitFor({ state: "hidden" });
  await open.tap();
  await create.tap();
  await create.waitFor({ state: "hidden" });

  await chat.title.getByText("New conversation").waitFor();
  await page.goBack();
  await chat.answer.waitFor();
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 390, `${width} px`);
  const column = await chat.messages.evaluate((element) => element.scrollWidth - element.clientWidth);
  assert.ok(column <= 0, `the messages are ${column} px too wide`);
  await visitor.leave();
});
