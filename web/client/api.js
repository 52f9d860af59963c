import { readEvents } from "./event-stream.js";

/** What the gateway refused, or that it could not be reached (`status` 0). */
export class GatewayError extends Error {
  constructor({ status = 0, code = "network", message, retryAfter = null, runId = null }) {
    super(message);
    this.name = "GatewayError";
    this.status = status;
    this.code = code;
    /** Seconds, or null. */
    this.retryAfter = retryAfter;
    /** With `run_active`: the run under way. */
    this.runId = runId;
  }

  /** Whether signing in again is what helps. */
  get isLogin() {
    return this.status === 401;
  }
}

/**
 * Calls of the gateway: the ChatKit protocol at `url`, and the REST routes for what it lacks.
 * `fetch` is what brings the session's token, as ChatKit's own `api.fetch` does.
 */
export class Api {
  #fetch;
  #url;
  #rest;

  constructor({ fetch, url }) {
    this.#fetch = fetch;
    this.#url = new URL(url, globalThis.location?.href).href;
    this.#rest = this.#url.replace(/(\/api)?\/chatkit\/?$/, "/api/chatkit");
  }

  /** A request of the protocol that is answered with JSON. */
  async ask(type, params, { signal } = {}) {
    const response = await this.#post(type, params, { signal });
    return response.json();
  }

  /**
   * A request of the protocol that begins a run: `{runId, threadId, events}`. The same `key` again
   * gives the same run.
   */
  async run(type, params, { key, signal } = {}) {
    const headers = { Accept: "text/event-stream" };
    if (key) headers["Idempotency-Key"] = key;
    const response = await this.#post(type, params, { signal, headers });
    return {
      runId: response.headers.get("X-Run-Id"),
      threadId: response.headers.get("X-Thread-Id"),
      events: readEvents(response.body),
    };
  }

  /** The events of a run behind a position, to its end; by the fetch helper, if that is what it is. */
  async watch(runId, { after = 0, signal } = {}) {
    const { watchRun } = this.#fetch;
    if (watchRun) {
      const response = await checked(() => watchRun(runId, { after, signal }));
      return readEvents(response.body);
    }
    const query = after ? `?after=${after}` : "";
    const response = await this.#request(`${this.#rest}/runs/${runId}/events${query}`, {
      headers: { Accept: "text/event-stream" },
      signal,
    });
    return readEvents(response.body);
  }

  /** Stops a run; answers it. */
  async cancel(runId) {
    return (await this.#request(`${this.#rest}/runs/${runId}/cancel`, { method: "POST" })).json();
  }

  /** A page of threads, latest change first, with `archived` and `active_run_id`. */
  async threads({ archived = false, limit = 30, after } = {}) {
    const query = new URLSearchParams({ archived, limit, ...(after && { after }) });
    return (await this.#request(`${this.#rest}/threads?${query}`)).json();
  }

  /** A thread without its history: above all, whether it is being answered (`active_run_id`). */
  async thread(threadId) {
    return (await this.#request(`${this.#rest}/threads/${threadId}?messages=false`)).json();
  }

  /** Takes a thread out of the list, or back into it. */
  async archive(threadId, archived) {
    const response = await this.#request(`${this.#rest}/threads/${threadId}`, {
      method: "PATCH",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ archived }),
    });
    return response.json();
  }

  /** Sends a file to where `attachments.create` said it goes. */
  async upload(descriptor, file, { signal } = {}) {
    let body = file;
    if (descriptor.method === "POST") {
      body = new FormData();
      body.append("file", file, file.name);
    }
    const { url, method, headers } = descriptor;
    const target = new URL(url, this.#url);
    // Elsewhere the session's token has no business.
    const send = target.origin === new URL(this.#url).origin ? this.#fetch : globalThis.fetch;
    await checked(() => send(target.href, { method, headers, body, signal }));
  }

  #post(type, params, { signal, headers } = {}) {
    return this.#request(this.#url, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
      body: JSON.stringify({ type, params }),
      signal,
    });
  }

  #request(url, init) {
    return checked(() => this.#fetch(url, init));
  }
}

async function checked(send) {
  let response;
  try {
    response = await send();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    // The helper says by a status of its own why it gave up, where it knows.
    if (error.status) throw new GatewayError(error);
    throw new GatewayError({ message: "The server cannot be reached." });
  }
  if (response.ok) return response;
  const { error = {} } = await response.json().catch(() => ({}));
  throw new GatewayError({
    status: response.status,
    code: error.code ?? "unknown",
    message: error.message ?? `The server answered ${response.status}.`,
    retryAfter: Number(response.headers.get("Retry-After")) || null,
    runId: error.run_id ?? null,
  });
}
