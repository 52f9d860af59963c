import { GatewayError } from "./api.js";
import { Emitter } from "./emitter.js";
import { ItemList } from "./item-list.js";
import { plainText } from "./items.js";
import { Run } from "./run.js";

/** Items that are read at a time. */
const PAGE = 30;
/** Why a message cannot be sent just now. */
const BUSY = "an answer is being written.";

/**
 * One thread and what happens in it. It goes on while another one is shown, so that leaving a thread
 * stops nothing.
 *
 * Events: `items` (see `ItemList`), `run`, `progress`, `failure`, `thread`, `notice`, `effect`,
 * `created`, `settled`.
 */
export class Conversation extends Emitter {
  #api;
  #onClientTool;
  #earlier = null;

  constructor({ api, threadId = null, onClientTool = null }) {
    super();
    this.#api = api;
    this.#onClientTool = onClientTool;
    this.threadId = threadId;
    this.thread = null;
    this.items = new ItemList((change) => this.emit("items", change));
    /** The run that is followed, or null. */
    this.run = null;
    /** What the server says it does, until the next event: `{text, icon}`. */
    this.progress = null;
    /** Why the last thing did not work: `{error, retry}`. */
    this.failure = null;
    this.isLoading = false;
  }

  /** The text of the last message that could not be sent; empty when there is none. */
  get unsentText() {
    const unsent = this.items.all.findLast((item) => item.local?.error);
    return unsent ? plainText(unsent) : "";
  }

  get hasEarlier() {
    return this.#earlier !== null;
  }

  /** Reads the newest items, and follows the answer that is under way, if there is one. */
  async load() {
    if (!this.threadId) return;
    this.isLoading = true;
    this.emit("run");
    try {
      // In this order: an answer that is not under way any more is then whole among the items.
      this.#setThread(await this.#api.thread(this.threadId));
      const page = await this.#page();
      this.items.reset(page.data.reverse());
    } catch (error) {
      this.#fail(error, () => this.load());
      return;
    } finally {
      this.isLoading = false;
      this.emit("run");
    }
    const { active_run_id: runId } = this.thread;
    if (runId && !this.run) await this.follow(runId);
  }

  /** What changed while nobody looked: an answer that began elsewhere, a new title. */
  async refresh() {
    if (!this.threadId || this.run || this.isLoading) return;
    const before = this.thread?.updated_at;
    const thread = await this.#api.thread(this.threadId).catch(() => null);
    if (thread && !this.run && thread.updated_at !== before) await this.load();
  }

  /** Puts the next older items in front. */
  async loadEarlier() {
    const after = this.#earlier;
    if (!after || this.isLoading) return;
    this.isLoading = true;
    try {
      const page = await this.#page(after);
      this.items.prepend(page.data.reverse());
    } catch (error) {
      this.#fail(error, null);
    } finally {
      this.isLoading = false;
    }
  }

  /** Sends a message: `{text, attachments, quotedText, model}`. */
  async send({ text, attachments = [], quotedText, model }) {
    const item = {
      id: `local:${newKey()}`,
      type: "user_message",
      created_at: new Date().toISOString(),
      content: [{ type: "input_text", text }],
      attachments,
      quoted_text: quotedText,
      inference_options: model ? { model } : {},
      local: { key: newKey(), error: null },
    };
    this.items.put(item);
    await this.#post(item);
  }

  /** Sends a message again that could not be sent; one that had arrived all the same is not doubled. */
  async sendAgain(item) {
    item.local.error = null;
    this.items.touch(item.id);
    await this.#post(item);
  }

  /** Answers a message of the user once more; what came after it goes. */
  async retry(itemId) {
    this.items.removeAfter(itemId);
    await this.#begin("threads.retry_after_item", { item_id: itemId });
  }

  /** An action of a widget. A synchronous one changes its widget and nothing else. */
  async act(action, itemId) {
    const { type, payload = null, streaming = true } = action;
    const params = { item_id: itemId, action: { type, payload } };
    if (streaming) return this.#begin("threads.custom_action", params);
    try {
      const thread = { thread_id: this.threadId };
      const { updated_item: item } = await this.#api.ask("threads.sync_custom_action", {
        ...thread,
        ...params,
      });
      if (item) this.items.put(item);
    } catch (error) {
      this.#fail(error, () => this.act(action, itemId));
    }
  }

  /** Answers questions: `{status, answers}`. */
  async answer(itemId, input) {
    await this.#begin("threads.add_structured_input", { item_id: itemId, input });
  }

  /** Brings what a tool of the page gave. */
  async answerClientTool(item, result) {
    this.items.put({ ...item, status: "completed", output: result });
    await this.#begin("threads.add_client_tool_output", { result: result ?? null });
  }

  async feedback(items, kind) {
    const item_ids = items.map((item) => item.id);
    await this.#api.ask("items.feedback", { thread_id: this.threadId, item_ids, kind });
  }

  /** Follows a run that is under way already. */
  async follow(runId) {
    await this.#play(new Run(this.#api, this, { runId }));
  }

  /** The fetch helper has lost a run's connection, or has it back. */
  setConnection({ state, runId }) {
    if (runId === this.run?.id) this.run.setConnected(state !== "lost");
  }

  /** Stops the run; what was written stays. */
  async stop() {
    await this.run?.stop();
  }

  dismissFailure() {
    this.failure = null;
    this.emit("failure");
  }

  /** An event of a run that is no item's. */
  receive(event) {
    switch (event.type) {
      case "thread.created":
        this.#created(event.thread);
        break;
      case "thread.updated":
        this.#setThread({ ...this.thread, title: event.thread.title, status: event.thread.status });
        break;
      case "notice":
        this.emit("notice", event);
        break;
      case "client_effect":
        this.emit("effect", { name: event.name, data: event.data ?? {} });
        break;
      case "error":
        this.#fail(runError(event), event.allow_retry ? () => this.#retryLast() : null);
        break;
    }
    this.#setProgress(event.type === "progress_update" ? event : null);
  }

  async #post(item) {
    const params = {
      input: {
        content: item.content,
        attachments: item.attachments.map((attachment) => attachment.id),
        quoted_text: item.quoted_text,
        inference_options: item.inference_options,
      },
    };
    const type = this.threadId ? "threads.add_user_message" : "threads.create";
    await this.#begin(type, params, item);
  }

  async #begin(type, params, local = null) {
    if (this.run) {
      if (local) this.#notSent(local, new GatewayError({ code: "run_active", message: BUSY }));
      return;
    }
    const all = this.threadId ? { thread_id: this.threadId, ...params } : params;
    await this.#play(new Run(this.#api, this, { type, params: all, local }));
  }

  async #play(run) {
    this.run = run;
    this.dismissFailure();
    this.emit("run");
    let failed = null;
    try {
      await run.play();
    } catch (error) {
      failed = error;
    }
    this.run = null;
    this.#setProgress(null);
    this.emit("run");
    if (failed) this.#runFailed(run, failed);
    this.emit("settled", run);
    if (!failed && !run.isStopped) await this.runClientTool();
  }

  #runFailed(run, error) {
    const { local } = run;
    const wasTaken = !local || !this.items.has(local.id);
    if (!wasTaken) this.#notSent(local, error);
    if (error.code === "run_active" && error.runId) {
      // The thread is being answered for another window: then that answer is what there is to see.
      this.follow(error.runId);
      return;
    }
    this.#fail(error, wasTaken ? () => this.load() : null);
  }

  #notSent(item, error) {
    item.local.error = error;
    this.items.touch(item.id);
  }

  /** Runs the page's own tool, when the run ended with a call of it. */
  async runClientTool() {
    const item = this.items.last;
    if (item?.type !== "client_tool_call" || item.status !== "pending" || !this.#onClientTool)
      return;
    let result;
    try {
      result = await this.#onClientTool({ name: item.name, params: item.arguments });
    } catch (error) {
      result = { error: String(error?.message ?? error) };
    }
    await this.answerClientTool(item, result);
  }

  async #retryLast() {
    const message = this.items.all.findLast((item) => item.type === "user_message");
    if (message?.local) await this.sendAgain(message);
    else if (message) await this.retry(message.id);
  }

  async #page(after) {
    const params = {
      thread_id: this.threadId,
      limit: PAGE,
      order: "desc",
      ...(after && { after }),
    };
    const page = await this.#api.ask("items.list", params);
    this.#earlier = page.has_more ? page.after : null;
    return page;
  }

  #created(thread) {
    if (this.threadId) return;
    this.threadId = thread.id;
    this.#setThread(thread);
    this.emit("created", thread.id);
  }

  #setThread(thread) {
    this.thread = thread;
    this.emit("thread", thread);
  }

  #setProgress(progress) {
    if (progress === this.progress) return;
    this.progress = progress;
    this.emit("progress");
  }

  #fail(error, retry) {
    if (error.name === "AbortError") return;
    this.failure = { error, retry };
    this.emit("failure");
  }
}

/** `crypto.randomUUID` is missing where a page is not served securely. */
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The error of a run, which has no status: the stream had begun. */
function runError({ code, message }) {
  const text = message ?? "The answer could not be completed.";
  return new GatewayError({ status: 200, code: code ?? "custom", message: text });
}
