import assert from "node:assert/strict";

import { chromium } from "./packages.mjs";

/** Chromium as Debian has it, kept from talking to anybody of its own accord. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-default-apps",
      "--disable-domain-reliability",
      "--disable-sync",
      "--no-first-run",
    ],
  });
}

/**
 * A window of a user's own, on one origin. It notes what the page asks of whom, what it complains
 * about, and where its policy had to step in.
 */
export class Visitor {
  /** Addresses that were asked for, whether or not they were let through. */
  requests = [];
  /** Messages of the console that are errors, and errors that nobody caught. */
  complaints = [];
  /** Origins besides the page's own that it may ask. */
  otherOrigins = [];

  static async arrive(browser, origin, options = {}) {
    const visitor = new Visitor();
    visitor.origin = origin;
    visitor.context = await browser.newContext({ viewport: { width: 1200, height: 800 }, ...options });
    // Only what is broken takes so long; a machine that builds beside the tests is slow.
    visitor.context.setDefaultTimeout(60_000);
    await visitor.context.addInitScript(() => {
      window.violations = [];
      addEventListener("securitypolicyviolation", (event) => {
        window.violations.push(`${event.effectiveDirective} ${event.blockedURI}`);
      });
    });
    visitor.context.on("request", (request) => visitor.requests.push(request.url()));
    return visitor;
  }

  /** Opens a page of the origin in a tab. */
  async open(path = "/") {
    const page = await this.context.newPage();
    page.on("console", (message) => {
      if (message.type() === "error") this.complaints.push(message.text());
    });
    page.on("pageerror", (error) => this.complaints.push(error.stack));
    page.on("dialog", (dialog) => {
      this.complaints.push(`a dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    await page.goto(this.origin + path);
    return new Chat(page);
  }

  /** Requests to anybody else. */
  get foreignRequests() {
    const known = [this.origin, ...this.otherOrigins].map((origin) => `${origin}/`);
    const isKnown = (url) => known.some((start) => url.startsWith(start)) || /^(data|blob):/.test(url);
    return this.requests.filter((url) => !isKnown(url));
  }

  /** Leaves; what a quiet visit must not have seen is an error. */
  async leave({ allowed = [] } = {}) {
    await this.context.close();
    assert.deepEqual(this.foreignRequests, []);
    const unexpected = this.complaints.filter((text) => !allowed.some((part) => text.includes(part)));
    assert.deepEqual(unexpected, []);
  }
}

/** The chat in a tab, by what a person sees of it. */
export class Chat {
  constructor(page) {
    this.page = page;
    this.field = page.getByRole("textbox", { name: "Message" });
    this.send = page.getByRole("button", { name: "Send", exact: true });
    this.stop = page.getByRole("button", { name: "Stop" });
    this.threads = page.getByRole("navigation", { name: "Conversations" });
    this.messages = page.getByRole("region", { name: "Messages" });
    this.answers = page.getByRole("article", { name: "Assistant" });
    this.questions = page.getByRole("article", { name: "You" });
    this.title = page.getByRole("heading", { level: 1 });
  }

  get answer() {
    return this.answers.last();
  }

  /** Sends a message by the keyboard. */
  async say(text) {
    await this.field.fill(text);
    await this.field.press("Enter");
  }

  /** Sends the script of an answer. */
  async sayScript(script) {
    await this.say(JSON.stringify({ script }));
  }

  /** Fills in the form with a token. */
  async signIn(token) {
    await this.page.getByLabel("Token").fill(token);
    await this.page.getByRole("button", { name: "Sign in" }).click();
  }

  /** Waits until nothing is being written. */
  async done() {
    await this.stop.waitFor({ state: "hidden" });
    await this.send.waitFor();
  }

  /** Waits until the answer has at least so many characters; answers its text. */
  async written(length) {
    await this.answer.waitFor();
    await this.page.waitForFunction(
      ([article, length]) => article.innerText.length >= length,
      [await this.answer.elementHandle(), length],
    );
    return this.text();
  }

  /** The text of the last answer. */
  text() {
    return this.answer.locator(".answer").innerText();
  }

  /** The id of the thread that is shown, which stands in the address. */
  get threadId() {
    return new URL(this.page.url()).hash.slice("#thread=".length);
  }

  /**
   * Begins to note each text of the last answer that a frame begins with, which is what the frame
   * before it has painted. Answers how to read them: `[text]`, each once in a row.
   */
  async watchPaints() {
    await this.page.evaluate(() => {
      window.paints = [];
      const root = document.querySelector("chatkit-gateway-chat").shadowRoot;
      const look = () => {
        const text = [...root.querySelectorAll(".answer")].at(-1)?.textContent ?? "";
        if (text !== window.paints.at(-1)) window.paints.push(text);
        requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    });
    return () => this.page.evaluate(() => window.paints);
  }

  thread(title) {
    return this.threads.getByRole("button", { name: title, exact: true });
  }

  /** Opens the menu of a thread and takes one of its entries. */
  async choose(title, entry) {
    const button = this.threads.getByRole("button", { name: `Options of “${title}”` });
    await this.thread(title).hover();
    await button.click();
    await this.page.getByRole("menuitem", { name: entry }).click();
  }

  violations() {
    return this.page.evaluate(() => window.violations);
  }
}
