import { h } from "../dom.js";
import { icon } from "../icons.js";
import { ThreadRow } from "./thread-row.js";

/**
 * The list of threads beside the conversation; on a phone, a drawer over it. `actions` are `open(id)`,
 * `create()`, `rename(id, title)`, `archive(thread)`, `remove(thread)`, `close()`.
 */
export class Sidebar {
  #threads;
  #actions;
  #rows = new Map();
  #current = null;
  #list = h("ul.thread-list", { onkeydown: (event) => this.#onKey(event) });
  #empty = h("p.thread-list-empty", { hidden: true });
  #more = h(
    "button.button.more",
    { type: "button", hidden: true, onclick: () => this.#threads.loadMore() },
    "Show more",
  );
  #archived = h("button.sidebar-link", { type: "button", onclick: () => this.#toggleArchived() });

  constructor(threads, actions) {
    this.#threads = threads;
    this.#actions = actions;
    const create = h(
      "button.button.new-thread",
      { type: "button", title: "New conversation (Ctrl+Shift+O)", onclick: () => actions.create() },
      icon("pencil"),
      "New conversation",
    );
    const close = h(
      "button.icon-button.drawer-close",
      { type: "button", ariaLabel: "Close the list", onclick: () => actions.close() },
      icon("close"),
    );
    this.element = h(
      "nav.sidebar",
      { ariaLabel: "Conversations" },
      h("div.sidebar-top", {}, create, close),
      h("div.sidebar-scroll", {}, this.#list, this.#empty, this.#more),
      h("div.sidebar-bottom", {}, this.#archived),
    );
    threads.on("change", () => this.#show());
    this.#show();
  }

  setCurrent(id) {
    this.#current = id;
    this.#show();
  }

  focus() {
    this.element.querySelector(".new-thread").focus();
  }

  /** Puts the focus on the current thread, or on the first there is. */
  focusList() {
    const row = this.#rows.get(this.#current) ?? this.#rows.values().next().value;
    if (row) row.focus();
    else this.focus();
  }

  #toggleArchived() {
    this.#threads.showArchived(!this.#threads.archived);
  }

  #show() {
    const { threads, archived, isLoaded, isLoading, hasMore } = this.#threads;
    const rows = new Map();
    for (const thread of threads) {
      const row = this.#rows.get(thread.id) ?? new ThreadRow(this.#actions);
      row.update(thread, { isCurrent: thread.id === this.#current, archived });
      rows.set(thread.id, row);
    }
    this.#rows = rows;
    this.#arrange([...rows.values()].map((row) => row.element));
    // One stop of the Tab key for the whole list; arrows walk in it.
    const first = rows.get(this.#current) ?? rows.values().next().value;
    for (const row of rows.values()) row.setTabStop(row === first);
    this.#empty.hidden = !isLoaded || threads.length > 0;
    this.#empty.textContent = archived ? "Nothing is archived." : "No conversations yet.";
    this.#more.hidden = !hasMore;
    this.#more.disabled = isLoading;
    const [name, text] = archived
      ? ["chevron-left", "Back to conversations"]
      : ["archive", "Archived"];
    this.#archived.replaceChildren(icon(name), text);
  }

  /** Puts the rows in their order without moving those that stand right: the focus would be lost. */
  #arrange(elements) {
    const wanted = new Set(elements);
    for (const child of [...this.#list.children]) if (!wanted.has(child)) child.remove();
    elements.forEach((element, at) => {
      if (this.#list.children[at] !== element)
        this.#list.insertBefore(element, this.#list.children[at] ?? null);
    });
  }

  #onKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.target.closest(".menu, input")) return;
    const rows = [...this.#rows.values()];
    const at = rows.findIndex((row) => row.element.contains(event.target));
    rows[at + step]?.focus();
    event.preventDefault();
  }
}
