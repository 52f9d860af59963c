import http from "node:http";
import net from "node:net";

/**
 * A proxy between page and gateway that a test can break: it loses connections, refuses new ones, and
 * answers chosen requests itself.
 */
export class Proxy {
  /** Requests that came: `{method, path, body, headers}`. */
  requests = [];
  #target;
  #server;
  #sockets = new Set();
  #isCut = false;
  #rules = [];

  /** `target` is the gateway's origin. */
  static async start(target) {
    const proxy = new Proxy();
    proxy.#target = new URL(target);
    proxy.#server = http.createServer((request, response) => proxy.#pass(request, response));
    proxy.#server.on("connection", (socket) => {
      if (proxy.#isCut) return socket.destroy();
      proxy.#sockets.add(socket);
      socket.on("close", () => proxy.#sockets.delete(socket));
    });
    await new Promise((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get origin() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** Loses every connection, in the middle of whatever it carries, and takes no other. */
  cut() {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  restore() {
    this.#isCut = false;
  }

  /**
   * Answers requests itself: `rule({method, path, body, headers})` gives null to let one pass,
   * `{status, headers, body}`, or `{isLost: true}`: the gateway gets it, and the page loses its
   * connection when the answer begins. Answers how to end that.
   */
  answer(rule) {
    this.#rules.push(rule);
    return () => {
      this.#rules = this.#rules.filter((other) => other !== rule);
    };
  }

  async stop() {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #pass(request, response) {
    const chunks = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return; // The page has gone.
    }
    const body = Buffer.concat(chunks).toString();
    const seen = { method: request.method, path: request.url, body, headers: request.headers };
    this.requests.push(seen);
    for (const rule of this.#rules) {
      const answer = await rule(seen);
      if (answer?.isLost) return this.#forward(seen, response, { isLost: true });
      if (answer) return send(response, answer);
    }
    this.#forward(seen, response);
  }

  #forward({ method, path, body, headers }, response, { isLost = false } = {}) {
    const { hostname: host, port } = this.#target;
    // The host stays the page's own, as it would without a proxy.
    const upstream = http.request({ host, port, method, path, headers, agent: false }, (answer) => {
      if (isLost) return response.destroy();
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
      answer.on("error", () => response.destroy());
    });
    upstream.on("error", () => response.destroy());
    response.on("close", () => upstream.destroy());
    upstream.end(body);
  }
}

function send(response, { status = 200, headers = {}, body = "" }) {
  response.writeHead(status, headers);
  response.end(body);
}

/** A port that nobody listens on. */
export async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
