import { after, before } from "node:test";

import { launch, Visitor } from "./browser.mjs";
import { ModelWatch } from "./model-watch.mjs";
import { startApp, startGateway, startModel } from "./processes.mjs";
import { freePort, Proxy } from "./proxy.mjs";
import { serveFolder } from "./stage.mjs";

/** The gateway's key of session tokens, by which a test can make an old one. */
export const SESSION_SECRET = "a-secret-of-the-sessions-for-tests-only";
/** Of every account here; they end with the test. */
const PASSWORD = "correct horse battery";
/** Where the page keeps the session token of its tab. */
const KEPT = "better-auth-app.session";

/**
 * What the tests of examples/better-auth-app share: browser, the app's server with a real Better Auth,
 * a gateway that verifies logins by its key set, a proxy before the gateway, the scripted model. Page
 * and gateway are two origins. `client` is `own`, `auto` or `chatkit`.
 */
export function appStage({ client = "own" } = {}) {
  const stage = new AppStage();
  before(() => stage.start({ client }));
  after(() => stage.stop());
  return stage;
}

export class AppStage {
  #running = [];

  async start({ client = "own", assistant = false } = {}) {
    const stop = (process) => process.stop();
    this.browser = await this.#keep(launch(), (browser) => browser.close());
    const model = await this.#keep(startModel({ assistant }), stop);
    this.model = await this.#keep(ModelWatch.start(model.url), stop);
    // Each must know the other's address before it starts.
    const [appPort, gatewayPort] = [await freePort(), await freePort()];
    this.origin = `http://127.0.0.1:${appPort}`;
    this.proxy = await this.#keep(Proxy.start(`http://127.0.0.1:${gatewayPort}`), stop);
    const app = { port: appPort, client, gateway: this.proxy.origin };
    await this.#keep(startApp(app), stop);
    const env = {
      BETTER_AUTH_JWKS_URL: `${this.origin}/api/auth/jwks`,
      BETTER_AUTH_SECRET: "",
      CHATKIT_SESSION_SECRET: SESSION_SECRET,
      CHATKIT_CORS_ORIGINS: this.origin,
    };
    const gateway = { modelUrl: this.model.url, env, port: gatewayPort };
    this.gateway = await this.#keep(startGateway(gateway), stop);
    serveFolder(this.proxy);
  }

  async stop() {
    for (const end of this.#running.reverse()) await end();
  }

  /** A window of somebody who is not logged in. */
  async arrive(options) {
    const visitor = await Visitor.arrive(this.browser, this.origin, options);
    visitor.otherOrigins = [this.proxy.origin];
    return visitor;
  }

  /** A window with the page in it: `{visitor, chat, page, account}`. */
  async visit(options) {
    const visitor = await this.arrive(options);
    const chat = await visitor.open();
    return { visitor, chat, page: chat.page, account: new Account(chat.page) };
  }

  /** The same of somebody who has just made an account. */
  async visitAs(name, options) {
    const visit = await this.visit(options);
    await visit.account.signUp(name);
    await visit.chat.field.waitFor();
    await visit.account.hasSession();
    return visit;
  }

  async #keep(starting, end) {
    const running = await starting;
    this.#running.push(() => end(running));
    return running;
  }
}

/** What a person does with the login of the app. */
export class Account {
  constructor(page) {
    this.page = page;
    this.form = page.getByRole("form", { name: "Log in" });
    this.alert = page.getByRole("alert");
    this.logOutButton = page.getByRole("button", { name: "Log out" });
  }

  async signUp(name) {
    await this.page.getByRole("button", { name: "Create one" }).click();
    await this.page.getByLabel("Name").fill(name);
    await this.#fillIn(name, PASSWORD);
    await this.page.getByRole("button", { name: "Sign up" }).click();
  }

  async logIn(name, password = PASSWORD) {
    await this.#fillIn(name, password);
    await this.form.getByRole("button", { name: "Log in", exact: true }).click();
  }

  async logOut() {
    await this.logOutButton.click();
    await this.form.waitFor();
  }

  async #fillIn(name, password) {
    await this.page.getByLabel("E-mail").fill(`${name.toLowerCase()}@example.com`);
    await this.page.getByLabel("Password").fill(password);
  }

  /** The session token that this tab keeps; null without. */
  token() {
    return this.page.evaluate((key) => JSON.parse(sessionStorage.getItem(key))?.secret ?? null, KEPT);
  }

  /** Waits until the gateway has opened a session. */
  hasSession() {
    return this.page.waitForFunction((key) => sessionStorage.getItem(key) !== null, KEPT);
  }

  /** Puts another token in its place, which the page takes when it is loaded again. */
  async replaceToken(secret) {
    await this.page.evaluate(
      ([key, secret]) => {
        const kept = JSON.parse(sessionStorage.getItem(key));
        sessionStorage.setItem(key, JSON.stringify({ ...kept, secret }));
      },
      [KEPT, secret],
    );
  }

  /** Ends all logins of this user at Better Auth, as from another device: the page is told nothing. */
  async revokeLogins() {
    const { origin } = new URL(this.page.url());
    const answer = await this.page.request.post(`${origin}/api/auth/revoke-sessions`, {
      headers: { Origin: origin, "Content-Type": "application/json" },
      data: {},
    });
    if (!answer.ok()) throw new Error(`revoke-sessions: ${answer.status()}`);
  }
}
