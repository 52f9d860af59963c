import { h, oncePerFrame } from "../dom.js";
import { icon, iconOf } from "../icons.js";
import { plainText, turns } from "../items.js";
import { itemView } from "../items/index.js";
import { failureNote, noticeNote } from "./notes.js";
import { turnActions } from "./turn-actions.js";

/** Nearer to the end than this, in pixels, the view follows the answer. */
const NEAR = 80;

/** The items of one conversation, the newest at the bottom. */
export class Transcript {
  #conversation;
  #context;
  #views = new Map();
  #actions = new Map();
  #dirty = new Set();
  #paint = oncePerFrame(() => this.#show());
  #offs;
  #isFollowing = true;
  #wasRunning = false;
  #earlier = h(
    "button.button.earlier",
    { type: "button", hidden: true, onclick: () => this.#loadEarlier() },
    "Show earlier messages",
  );
  #list = h("div.items");
  #waiting = h("div.item.waiting", { hidden: true });
  #notes = h("div.notes");
  #scroll = h("div.transcript-scroll", { tabindex: "0", role: "region", ariaLabel: "Messages" });
  #jump = h(
    "button.icon-button.jump",
    {
      type: "button",
      ariaLabel: "To the newest message",
      hidden: true,
      onclick: () => this.toEnd(),
    },
    icon("arrow-down"),
  );

  constructor(conversation, context) {
    this.#conversation = conversation;
    this.#context = { ...context, conversation };
    const column = h("div.column", {}, this.#earlier, this.#list, this.#waiting, this.#notes);
    this.#scroll.append(column);
    this.element = h("div.transcript", {}, this.#scroll, this.#jump);
    this.#scroll.addEventListener("scroll", () => this.#onScroll(), { passive: true });
    this.#scroll.addEventListener("click", copyCode);
    // What grows by itself, such as an image that has come, must not push the end out of sight.
    this.resizes = new ResizeObserver(() => this.#isFollowing && this.toEnd());
    this.resizes.observe(column);
    this.#offs = [
      conversation.on("items", (change) => this.#onItems(change)),
      conversation.on("run", () => this.#onRun()),
      conversation.on("progress", this.#paint),
      conversation.on("failure", () => this.#showNotes()),
      conversation.on("notice", (notice) => this.#notes.append(noticeNote(notice))),
    ];
    this.#reset();
    this.#showNotes();
    this.#onRun();
  }

  close() {
    for (const off of this.#offs) off();
    this.resizes.disconnect();
    this.element.remove();
  }

  toEnd() {
    this.#isFollowing = true;
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
    this.#jump.hidden = true;
  }

  #onItems(change) {
    if (change.op === "reset") return this.#reset();
    if (change.op === "prepend") return this.#prepend(change.items);
    if (change.op === "remove") {
      this.#views.get(change.id)?.element.remove();
      this.#views.delete(change.id);
    } else if (change.op === "rename") {
      this.#rename(change);
    } else {
      if (change.item.local && !this.#views.has(change.item.id)) this.#isFollowing = true;
      this.#dirty.add(change.item.id);
    }
    this.#paint();
  }

  /** A message that the server has now keeps its place on the page. */
  #rename({ from, item }) {
    const view = this.#views.get(from);
    this.#views.delete(from);
    this.#dirty.delete(from);
    if (view) this.#views.set(item.id, view);
    this.#dirty.add(item.id);
  }

  #reset() {
    for (const view of this.#views.values()) view?.element.remove();
    this.#views.clear();
    this.#dirty = new Set(this.#conversation.items.all.map((item) => item.id));
    this.#show();
    this.toEnd();
  }

  #prepend(items) {
    const { scrollHeight, scrollTop } = this.#scroll;
    const first = this.#list.firstChild;
    for (const item of items) {
      const view = this.#make(item);
      if (view) this.#list.insertBefore(view.element, first);
    }
    this.#showFrame();
    // What the reader looked at stays where it was.
    this.#scroll.scrollTop = scrollTop + this.#scroll.scrollHeight - scrollHeight;
  }

  async #loadEarlier() {
    this.#isFollowing = false;
    this.#earlier.disabled = true;
    await this.#conversation.loadEarlier();
    this.#earlier.disabled = false;
    this.#earlier.hidden = !this.#conversation.hasEarlier;
    (this.#earlier.hidden ? this.#scroll : this.#earlier).focus({ preventScroll: true });
  }

  #make(item) {
    const view = itemView(item, this.#context);
    this.#views.set(item.id, view);
    this.#update(view, item);
    return view;
  }

  /** An item that cannot be shown must not keep the others from being shown. */
  #update(view, item) {
    try {
      view?.update(item, { open: this.#isOpen(item.id) });
    } catch (error) {
      console.error(`the item ${item.id} cannot be shown`, error);
    }
  }

  #isOpen(id) {
    return this.#conversation.run !== null && this.#conversation.items.isOpen(id);
  }

  /** Shows what changed since the last frame. */
  #show() {
    const { items } = this.#conversation;
    for (const id of this.#dirty) {
      const item = items.get(id);
      if (!item) continue;
      if (this.#views.has(id)) this.#update(this.#views.get(id), item);
      else this.#insert(item);
    }
    this.#dirty.clear();
    this.#showFrame();
    if (this.#isFollowing) this.toEnd();
    else this.#onScroll();
  }

  #insert(item) {
    const view = this.#make(item);
    if (!view) return;
    const { all } = this.#conversation.items;
    const later = all.slice(all.indexOf(item) + 1).find((other) => this.#views.get(other.id));
    this.#list.insertBefore(view.element, later ? this.#views.get(later.id).element : null);
  }

  /** What stands around the items. */
  #showFrame() {
    this.#earlier.hidden = !this.#conversation.hasEarlier;
    this.#showWaiting();
    this.#showActions();
  }

  /** A sign of life while there is no text to see yet. */
  #showWaiting() {
    const { run, progress, items, isLoading } = this.#conversation;
    const isTalking = run && items.last && items.isOpen(items.last.id) && !progress;
    this.#waiting.hidden = isLoading
      ? items.all.length > 0
      : !run || (isTalking && run.phase === "streaming");
    if (this.#waiting.hidden) return;
    const text = isLoading ? "Loading…" : waitingText(run, progress);
    if (this.#waiting.dataset.text === text) return;
    this.#waiting.dataset.text = text;
    const mark = progress?.icon
      ? iconOf(progress.icon)
      : h("span.dots", { ariaHidden: "true" }, h("i"), h("i"), h("i"));
    this.#waiting.replaceChildren(mark, h("span", {}, text));
  }

  /** The row of buttons behind each answer, save one that is still being written. */
  #showActions() {
    const { items, run } = this.#conversation;
    const all = turns(items.all);
    const seen = new Set();
    all.forEach((turn, at) => {
      const last = turn.items.findLast((item) => this.#views.get(item.id));
      const isLive = run && at === all.length - 1;
      if (!last || isLive || !turn.items.some((item) => plainText(item))) return;
      seen.add(last.id);
      const known = this.#actions.get(last.id);
      if (known?.isConnected) return;
      const element = turnActions(turn, this.#context);
      this.#views.get(last.id).element.after(element);
      this.#actions.set(last.id, element);
    });
    for (const [id, element] of this.#actions) {
      if (seen.has(id)) continue;
      element.remove();
      this.#actions.delete(id);
    }
  }

  #showNotes() {
    const { failure } = this.#conversation;
    for (const old of this.#notes.querySelectorAll(".failure")) old.remove();
    if (failure) this.#notes.append(failureNote(failure, this.#context));
    if (!this.#conversation.run && !failure) this.#notes.replaceChildren();
    this.#paint();
  }

  #onRun() {
    const isRunning = this.#conversation.run !== null;
    if (isRunning !== this.#wasRunning) {
      this.#wasRunning = isRunning;
      this.#scroll.ariaBusy = String(isRunning);
      for (const item of this.#conversation.items.all) {
        if (item.type === "client_tool_call") this.#dirty.add(item.id);
      }
    }
    this.#paint();
  }

  #onScroll() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroll;
    this.#isFollowing = scrollHeight - scrollTop - clientHeight < NEAR;
    this.#jump.hidden = this.#isFollowing;
  }
}

function waitingText(run, progress) {
  if (run.phase === "reconnecting") return "Connection lost. Trying again…";
  if (run.phase === "stopping") return "Stopping…";
  return progress?.text ?? "Thinking…";
}

async function copyCode(event) {
  const button = event.target.closest?.(".copy-code");
  if (!button) return;
  const text = button.closest("figure").querySelector("code").textContent;
  try {
    // There is none where the page is not served securely.
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not copied";
  }
  setTimeout(() => {
    button.textContent = "Copy";
  }, 1500);
}
