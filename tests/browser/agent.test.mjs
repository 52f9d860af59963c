// What an agent can show besides text: widgets, questions, tools of the page. It is that of
// examples/custom_agent.

import assert from "node:assert/strict";
import { test } from "node:test";

import { stage } from "./support/stage.mjs";

const here = stage({ isOwnAgent: true });

test("questions are answered in a form, and a widget's buttons do what they say", async () => {
  const { visitor, chat } = await here.visit();
  const { page } = chat;
  const widget = chat.messages.locator(".widget");

  await chat.say("coffee, please");
  await page.getByRole("radio", { name: "Flat white" }).check();
  await page.getByLabel("For whom?").fill("<b>Ada</b>");
  await page.getByRole("button", { name: "Send", exact: true }).first().click();
  await widget.getByText("Grinding, brewing, pouring").waitFor();
  await chat.done();
  await page.reload();
  await widget.getByText("Grinding, brewing, pouring").waitFor();
  assert.match(await chat.messages.innerText(), /Flat white[^]*<b>Ada<\/b>/);

  await widget.getByRole("button", { name: "Refresh" }).click();
  await widget.getByText("Ready to be fetched").waitFor();
  await widget.getByRole("button", { name: "Cancel" }).click();
  await chat.answer.getByText("Your order is cancelled.").waitFor();
  assert.match(await widget.innerText(), /Cancelled/);
  await visitor.leave();
});

test("a tool of the page that this page does not have is answered by the user", async () => {
  const { visitor, chat } = await here.visit();
  const { page } = chat;

  await chat.say("can you deliver?");
  const field = page.getByLabel("This page has no such tool.");
  await field.fill("not JSON");
  await page.getByRole("button", { name: "Answer", exact: true }).click();
  await page.getByText("That is no JSON.").waitFor();
  await field.fill('{"city": "Lisbon"}');
  await page.getByRole("button", { name: "Answer", exact: true }).click();

  await chat.answer.getByText("We deliver to Lisbon.").waitFor();
  await visitor.leave();
});
