import { readFile } from "node:fs/promises";
import path from "node:path";
import { after, before } from "node:test";

import { launch, Visitor } from "./browser.mjs";
import { ModelWatch } from "./model-watch.mjs";
import { startDemo, startGateway, startModel } from "./processes.mjs";
import { Proxy } from "./proxy.mjs";

/**
 * What the tests of a file share: browser, gateway, model, and a proxy before the gateway. With
 * `isDemo` it is `chatkit-gateway demo`, with `isOwnAgent` the one of `examples/custom_agent`;
 * otherwise `serve`, with a model whose calls are watched in `model.calls`. Each test has a window of
 * its own.
 */
export function stage({ isDemo = false, isOwnAgent = false, env = {} } = {}) {
  const stage = new Stage();
  before(() => stage.start({ isDemo, isOwnAgent, env }));
  after(() => stage.stop());
  return stage;
}

class Stage {
  #running = [];

  async start({ isDemo, isOwnAgent, env }) {
    this.browser = await this.#keep(launch(), (browser) => browser.close());
    const stop = (process) => process.stop();
    if (isDemo) {
      this.gateway = await this.#keep(startDemo(), stop);
    } else if (isOwnAgent) {
      this.gateway = await this.#keep(startGateway({ env }), stop);
    } else {
      const model = await this.#keep(startModel(), stop);
      this.model = await this.#keep(ModelWatch.start(model.url), stop);
      this.gateway = await this.#keep(startGateway({ modelUrl: this.model.url, env }), stop);
    }
    this.proxy = await this.#keep(Proxy.start(this.gateway.origin), stop);
    serveFolder(this.proxy);
  }

  async stop() {
    for (const end of this.#running.reverse()) await end();
  }

  /** Somebody's window, with the chat in it: of the demo's first user, or of one who logs in. */
  async visit({ user = "alice", path = "/", ...options } = {}) {
    const visitor = await this.arrive(options);
    const chat = await visitor.open(path);
    if (this.gateway.login) await chat.signIn(this.gateway.login(user));
    await chat.field.waitFor();
    return { visitor, chat };
  }

  /** A window without a page. */
  arrive(options) {
    return Visitor.arrive(this.browser, this.proxy.origin, options);
  }

  async #keep(starting, end) {
    const running = await starting;
    this.#running.push(() => end(running));
    return running;
  }
}

const TYPES = { ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

/**
 * With `WEB_FOLDER=web` the page's files are those on the disk, not those that were built in: for
 * whoever works on them.
 */
export function serveFolder(proxy) {
  const folder = process.env.WEB_FOLDER;
  if (!folder) return;
  proxy.answer(async ({ method, path: url }) => {
    const type = TYPES[path.extname(url)];
    if (method !== "GET" || !type) return null;
    const file = url === "/chatkit-gateway.js" ? "helper/chatkit-gateway.js" : `.${url}`;
    const body = await readFile(path.join(folder, file), "utf8");
    // Also for pages of another origin.
    const access = { "Access-Control-Allow-Origin": "*" };
    return { headers: { "Content-Type": type, "Cache-Control": "no-cache", ...access }, body };
  });
}
