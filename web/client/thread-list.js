import { Emitter } from "./emitter.js";

/** Threads that are read at a time. */
const PAGE = 30;

/**
 * The user's threads, latest change first; those that are put away are a list of their own.
 *
 * Events: `change`, `failure` (a `GatewayError`).
 */
export class ThreadList extends Emitter {
  #api;
  #after = null;
  /** Counts the lists that were asked for, so that an answer that comes late is let go. */
  #asked = 0;

  constructor(api) {
    super();
    this.#api = api;
    this.threads = [];
    this.archived = false;
    this.isLoading = false;
    this.isLoaded = false;
  }

  get hasMore() {
    return this.#after !== null;
  }

  find(id) {
    return this.threads.find((thread) => thread.id === id);
  }

  /** Shows the threads that are put away, or the others. */
  async showArchived(archived) {
    this.archived = archived;
    this.threads = [];
    this.#after = null;
    this.isLoaded = false;
    await this.refresh();
  }

  /** Reads as many threads again as are shown. */
  async refresh() {
    const limit = Math.min(Math.max(this.threads.length, PAGE), 1000);
    await this.#read({ limit }, (page) => page.data);
  }

  /** Reads the next older threads. */
  async loadMore() {
    if (!this.#after || this.isLoading) return;
    await this.#read({ limit: PAGE, after: this.#after }, (page) => {
      const older = page.data.filter((thread) => !this.find(thread.id));
      return [...this.threads, ...older];
    });
  }

  /** A thread as it is now, in front: it has just changed. */
  put(thread) {
    const known = this.find(thread.id);
    if (!known && this.archived) return;
    this.threads = [{ ...known, ...thread }, ...this.threads.filter(({ id }) => id !== thread.id)];
    this.emit("change");
  }

  async rename(id, title) {
    await this.#change(id, { title }, () =>
      this.#api.ask("threads.update", { thread_id: id, title }),
    );
  }

  async archive(id, archived) {
    await this.#remove(id, () => this.#api.archive(id, archived));
  }

  async delete(id) {
    await this.#remove(id, () => this.#api.ask("threads.delete", { thread_id: id }));
  }

  async #read(query, merge) {
    const asked = (this.#asked += 1);
    this.isLoading = true;
    this.emit("change");
    try {
      const page = await this.#api.threads({ archived: this.archived, ...query });
      if (asked !== this.#asked) return;
      this.threads = merge(page);
      this.#after = page.has_more ? page.after : null;
      this.isLoaded = true;
    } catch (error) {
      if (asked === this.#asked) this.emit("failure", error);
    } finally {
      if (asked === this.#asked) {
        this.isLoading = false;
        this.emit("change");
      }
    }
  }

  /** Shows a change at once, and takes it back when the server does not take it. */
  async #change(id, members, ask) {
    const before = this.threads;
    this.threads = before.map((thread) => (thread.id === id ? { ...thread, ...members } : thread));
    this.emit("change");
    await this.#ask(ask, before);
  }

  async #remove(id, ask) {
    const before = this.threads;
    this.threads = before.filter((thread) => thread.id !== id);
    this.emit("change");
    await this.#ask(ask, before);
  }

  async #ask(ask, before) {
    try {
      await ask();
    } catch (error) {
      this.threads = before;
      this.emit("change");
      this.emit("failure", error);
      throw error;
    }
  }
}
