import http from "node:http";

/**
 * Stands between gateway and model and notes each call: `{startedAt, endedAt, isWhole}`, in
 * milliseconds; `isWhole` is false for one that the gateway left.
 */
export class ModelWatch {
  calls = [];
  /** Wakes whoever waits for a change of a call. */
  #changes = new EventTarget();
  #server;
  #target;

  static async start(target) {
    const watch = new ModelWatch();
    watch.#target = new URL(target);
    watch.#server = http.createServer((request, response) => watch.#pass(request, response));
    await new Promise((resolve) => watch.#server.listen(0, "127.0.0.1", resolve));
    return watch;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}/v1`;
  }

  async stop() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** The call at this place among all, once it has begun. */
  began(at) {
    return this.#await(() => this.calls[at]);
  }

  /** The call at this place among all, once it is over. */
  ended(at) {
    return this.#await(() => (this.calls[at]?.endedAt ? this.calls[at] : null));
  }

  async #await(find) {
    for (let found = find(); ; found = find()) {
      if (found) return found;
      await new Promise((resolve) => this.#changes.addEventListener("change", resolve, { once: true }));
    }
  }

  async #pass(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const call = { startedAt: performance.now(), endedAt: null, isWhole: false };
    this.calls.push(call);
    const tell = () => this.#changes.dispatchEvent(new Event("change"));
    tell();
    const { hostname: host, port } = this.#target;
    const { method, url: path, headers } = request;
    const upstream = http.request({ host, port, method, path, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    upstream.on("error", () => response.destroy());
    response.on("close", () => {
      call.endedAt = performance.now();
      call.isWhole = response.writableFinished;
      upstream.destroy();
      tell();
    });
    upstream.end(Buffer.concat(chunks));
  }
}
