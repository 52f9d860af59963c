import { h, setAttribute } from "../dom.js";
import { menuButton } from "./menu.js";

/** One thread in the list. */
export class ThreadRow {
  #actions;
  #thread = null;
  #archived = false;
  #title = h("span.thread-title");
  #live = h(
    "span.thread-live",
    { title: "Is being answered", hidden: true },
    h("span.visually-hidden", {}, ", is being answered"),
  );
  #open = h(
    "button.thread-open",
    { type: "button", onclick: () => this.#actions.open(this.#thread.id) },
    this.#title,
    this.#live,
  );
  #menu = menuButton({ label: "Conversation options", entries: () => this.#entries() });

  constructor(actions) {
    this.#actions = actions;
    this.element = h("li.thread", {}, this.#open, this.#menu);
  }

  update(thread, { isCurrent, archived }) {
    this.#thread = thread;
    this.#archived = archived;
    const title = titleOf(thread);
    if (this.#title.textContent !== title) this.#title.textContent = title;
    this.#live.hidden = !thread.active_run_id;
    this.#menu.ariaLabel = `Options of “${title}”`;
    setAttribute(this.#open, "aria-current", isCurrent ? "true" : null);
    this.element.classList.toggle("current", isCurrent);
  }

  setTabStop(isStop) {
    this.#open.tabIndex = isStop ? 0 : -1;
    this.#menu.tabIndex = isStop ? 0 : -1;
  }

  focus() {
    this.#open.focus();
  }

  #entries() {
    const [name, text] = this.#archived ? ["restore", "Take back"] : ["archive", "Archive"];
    return [
      { label: "Rename", icon: "pencil", action: () => this.#rename() },
      { label: text, icon: name, action: () => this.#actions.archive(this.#thread) },
      {
        label: "Delete",
        icon: "trash",
        isDanger: true,
        action: () => this.#actions.remove(this.#thread),
      },
    ];
  }

  #rename() {
    const input = h("input.thread-rename", {
      value: this.#thread.title ?? "",
      ariaLabel: "Title",
      maxLength: 500,
    });
    let isOver = false;
    const end = (isTaken) => {
      if (isOver) return;
      isOver = true;
      input.replaceWith(this.#open);
      this.#open.focus();
      const title = input.value.trim();
      if (isTaken && title && title !== this.#thread.title)
        this.#actions.rename(this.#thread.id, title);
    };
    input.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      if (event.key === "Enter") end(true);
      else if (event.key === "Escape") end(false);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    input.addEventListener("blur", () => end(true));
    this.#open.replaceWith(input);
    input.focus();
    input.select();
  }
}

/** What a thread is called while it has no title. */
export function titleOf(thread) {
  return thread?.title || "New conversation";
}
