import { GatewayError } from "./api.js";

/** How long a stop may take before the connection is closed on it, in milliseconds. */
const STOP_PATIENCE = 3000;
/** The longest pause between two attempts to reach the server, in milliseconds. */
const LONGEST_PAUSE = 8000;

/**
 * One answer: asked for, or found under way, and followed to its end whatever the connection does.
 *
 * With the fetch helper a broken connection is mended beneath the response's body; without it, or
 * when it has given up, the run is watched by its id from the last event on.
 */
export class Run {
  #api;
  #conversation;
  #request;
  #abort = new AbortController();
  #lastSeq = 0;

  /** `request` is `{type, params, local}` for a new run, `{runId}` for one that is under way. */
  constructor(api, conversation, request) {
    this.#api = api;
    this.#conversation = conversation;
    this.#request = request;
    this.id = request.runId ?? null;
    this.local = request.local ?? null;
    /** `starting`, `streaming`, `reconnecting` or `stopping`. */
    this.phase = "starting";
    /** Whether a stop would stop it. Runs that are found under way can be stopped by their id. */
    this.canStop = true;
    this.isStopped = false;
  }

  /** Follows it to its end. Throws what kept it from beginning, or from being followed. */
  async play() {
    const { signal } = this.#abort;
    try {
      if (this.id) await this.#watch();
      else await this.#ask();
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#conversation.items.close();
    }
  }

  /** Stops it. What comes until the end is still shown: it is what is stored. */
  async stop() {
    if (this.isStopped) return;
    this.isStopped = true;
    this.#enter("stopping");
    if (!this.id) return this.#abort.abort();
    const giveUp = setTimeout(() => this.#abort.abort(), STOP_PATIENCE);
    try {
      await this.#api.cancel(this.id);
    } catch {
      clearTimeout(giveUp);
      this.#abort.abort();
    }
  }

  setConnected(isConnected) {
    this.#enter(isConnected ? "streaming" : "reconnecting");
  }

  async #ask() {
    const { type, params, local } = this.#request;
    const started = await this.#api.run(type, params, {
      key: local?.local.key,
      signal: this.#abort.signal,
    });
    this.id = started.runId;
    this.#enter("streaming");
    try {
      await this.#read(started.events);
    } catch (error) {
      if (!this.id || this.#abort.signal.aborted) throw error;
      await this.#watch();
    }
  }

  /** Reads on from the last event, again and again while the server cannot be reached. */
  async #watch() {
    for (let attempt = 0; ; attempt += 1) {
      try {
        const after = this.#lastSeq;
        const events = await this.#api.watch(this.id, { after, signal: this.#abort.signal });
        this.#enter("streaming");
        return await this.#read(events);
      } catch (error) {
        if (error.status || this.#abort.signal.aborted) throw lost(error);
        this.#enter("reconnecting");
        await this.#pause(attempt);
      }
    }
  }

  async #read(events) {
    for await (const { id, event } of events) {
      const seq = Number(id?.split(":").at(-1));
      if (seq) this.#lastSeq = seq;
      try {
        this.#receive(event);
      } catch (error) {
        // One event that cannot be shown must not cost the others.
        console.error(error);
      }
    }
  }

  #receive(event) {
    if (event.type === "stream_options") {
      this.canStop = event.stream_options.allow_cancel;
      this.#conversation.emit("run");
    }
    this.#conversation.items.receive(event, this.local);
    this.#conversation.receive(event);
  }

  #enter(phase) {
    if (this.isStopped && phase !== "stopping") return;
    this.phase = phase;
    this.#conversation.emit("run");
  }

  /** Until it is time for another attempt, or the network is back. */
  #pause(attempt) {
    const longest = Math.min(LONGEST_PAUSE, 500 * 2 ** attempt);
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        globalThis.removeEventListener?.("online", end);
        this.#abort.signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, longest * (0.5 + Math.random() / 2));
      globalThis.addEventListener?.("online", end);
      this.#abort.signal.addEventListener("abort", end);
    });
  }
}

/** The events are gone, but the thread has the answer. */
function lost(error) {
  if (error.code !== "events_expired") return error;
  return new GatewayError({
    ...error,
    message: "The answer is ready; load the conversation again.",
  });
}
