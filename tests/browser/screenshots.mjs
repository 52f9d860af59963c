// Takes the pictures of docs/images: `node tests/browser/screenshots.mjs FOLDER`, with the variables
// that scripts/lib/browser.sh sets. Look at them before they are kept.

import path from "node:path";

import { AppStage } from "./support/better-auth.mjs";
import { launch, Visitor } from "./support/browser.mjs";
import { startDemo } from "./support/processes.mjs";
import { Proxy } from "./support/proxy.mjs";
import { serveFolder } from "./support/stage.mjs";

const [folder] = process.argv.slice(2);
const DESKTOP = { viewport: { width: 1100, height: 720 } };
const PHONE = { viewport: { width: 390, height: 780 }, isMobile: true, hasTouch: true };

const app = new AppStage();
try {
  await app.start({ assistant: true });
  await exampleApp();
} finally {
  await app.stop();
}

const browser = await launch();
const gateway = await startDemo();
const proxy = await Proxy.start(gateway.origin);
serveFolder(proxy);
try {
  await desktop();
  await phone();
} finally {
  await browser.close();
  await proxy.stop();
  await gateway.stop();
}

async function desktop() {
  const { visitor, chat } = await arrive({ ...DESKTOP, colorScheme: "light" });
  await chat.say("hello");
  await chat.done();
  await chat.page.keyboard.press("Control+Shift+O");
  await chat.say("add a task: water the plants");
  await chat.done();
  await chat.say("list my tasks");
  await chat.done();
  await chat.messages.locator(".workflow summary").first().click();
  await chat.field.focus();
  await picture(chat, "playground-light");
  await chat.page.emulateMedia({ colorScheme: "dark" });
  await picture(chat, "playground-dark");
  await visitor.leave();
}

async function phone() {
  const { visitor, chat } = await arrive({ ...PHONE, colorScheme: "light" });
  await chat.say("a long answer, please");
  await chat.written(700);
  await picture(chat, "phone-light");
  await chat.page.emulateMedia({ colorScheme: "dark" });
  await chat.page.getByRole("button", { name: "Open the list of conversations" }).tap();
  await chat.page.waitForTimeout(500);
  await picture(chat, "phone-list-dark");
  await visitor.leave();
}

/** examples/better-auth-app, with the gateway's own client. */
async function exampleApp() {
  const { visitor, chat, page, account } = await app.visit(DESKTOP);
  await page.getByLabel("E-mail").fill("maria@example.com");
  await picture(chat, "app-login");
  await account.signUp("Maria");
  await chat.field.waitFor();
  await chat.say("add a task: water the plants");
  await chat.done();
  await chat.say("list my tasks");
  await chat.done();
  await picture(chat, "app-chat");
  await visitor.leave();

  const phone = await app.visit(PHONE);
  await phone.account.logIn("Maria");
  await phone.chat.field.waitFor();
  await picture(phone.chat, "app-phone");
  await phone.visitor.leave();
}

async function arrive(options) {
  const visitor = await Visitor.arrive(browser, proxy.origin, options);
  const chat = await visitor.open();
  await chat.field.waitFor();
  return { visitor, chat };
}

function picture({ page }, name) {
  return page.screenshot({ path: path.join(folder, `${name}.png`), caret: "hide" });
}
