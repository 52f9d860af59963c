import { Api } from "./api.js";
import { Conversation } from "./conversation.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { plainText } from "./items.js";
import { ThreadList } from "./thread-list.js";
import { Announcer } from "./views/announcer.js";
import { Composer } from "./views/composer.js";
import { confirm } from "./views/dialog.js";
import { Sidebar } from "./views/sidebar.js";
import { startScreen } from "./views/start-screen.js";
import { titleOf } from "./views/thread-row.js";
import { Transcript } from "./views/transcript.js";
import { withFormValues } from "./widgets/fields.js";

/** How often the list is read again while a thread other than the shown one is answered, in ms. */
const LIST_PAUSE = 4000;

/** The chat in its parts, for one configuration of the element. */
export class ChatApp {
  #options;
  #api;
  #threads;
  #sidebar;
  #composer;
  #announcer = new Announcer();
  #transcript = null;
  #current = null;
  /** Conversations that go on while another one is shown, by thread. */
  #live = new Map();
  #offs = [];
  #timer = null;
  #wasRunning = false;
  #title = h("h1.chat-title");
  #openList = h(
    "button.icon-button.drawer-open",
    { type: "button", ariaLabel: "Open the list of conversations", ariaExpanded: "false" },
    icon("menu"),
  );
  #stage = h("div.stage");

  constructor(options) {
    this.#options = options;
    this.#api = new Api(options);
    this.#threads = new ThreadList(this.#api);
    this.#sidebar = new Sidebar(this.#threads, {
      open: (id) => this.openThread(id),
      create: () => this.openThread(null),
      rename: (id, title) =>
        this.#threads
          .rename(id, title)
          .then(() => this.#showTitle(title, id))
          .catch(() => {}),
      archive: (thread) => this.#archive(thread),
      remove: (thread) => this.#remove(thread),
      close: () => this.#setDrawer(false),
    });
    this.#composer = new Composer({
      ...options,
      api: this.#api,
      onSend: (message) => this.send(message),
      onStop: () => this.#current.stop(),
    });
    this.element = this.#layout();
    this.#threads.on("failure", (error) => this.#options.emit("error", { error }));
    this.#threads.on("change", () => this.#watchList());
    this.#onDocument();
  }

  /** Shows the first thread and reads the list. */
  start() {
    this.openThread(this.#options.thread ?? null, { isFirst: true });
    this.#threads.refresh();
    if (this.#options.draft) this.#composer.setText(this.#options.draft);
    const { activeElement, body } = document;
    if (this.#options.autofocus && (!activeElement || activeElement === body)) this.#composer.focus();
  }

  stop() {
    for (const off of this.#offs) off();
    clearTimeout(this.#timer);
    this.#transcript?.close();
  }

  get threadId() {
    return this.#current?.threadId ?? null;
  }

  /** Shows a thread; null begins a new one. What goes on in another goes on. */
  openThread(threadId, { isFirst = false } = {}) {
    this.#setDrawer(false);
    if (!isFirst && threadId !== null && threadId === this.threadId) return this.#composer.focus();
    const known = threadId === null ? null : this.#live.get(threadId);
    const conversation = known ?? this.#newConversation(threadId);
    this.#show(conversation);
    if (!known) conversation.load();
    else conversation.refresh();
    if (isFirst) return;
    // On a touch screen that would bring up the keyboard, over what is to be read.
    if (!matchMedia("(pointer: coarse)").matches) this.#composer.focus();
    this.#tellThread();
  }

  async send(message) {
    const conversation = this.#current;
    this.#transcript.toEnd();
    await conversation.send(message);
  }

  focusComposer() {
    this.#composer.focus();
  }

  /** What the user has written and the server does not have. */
  get draft() {
    return this.#composer.text || this.#current.unsentText;
  }

  /** What the fetch helper says of its connections (`onConnection`). */
  setConnection(connection) {
    this.#current.setConnection(connection);
    for (const conversation of this.#live.values()) conversation.setConnection(connection);
  }

  /** Looks for what has changed on the server. */
  async refresh() {
    await Promise.all([this.#threads.refresh(), this.#current?.refresh()]);
  }

  #layout() {
    this.#openList.addEventListener("click", () => this.#setDrawer(true));
    const header = h("header.chat-header", {}, this.#openList, this.#title);
    const foot = h("div.chat-foot", {}, this.#composer.element, disclaimer(this.#options));
    const scrim = h("div.scrim", { onclick: () => this.#setDrawer(false) });
    this.chat = h(
      "section.chat",
      { ariaLabel: "Chat" },
      header,
      this.#stage,
      foot,
      this.#announcer.element,
    );
    const shell = h("div.shell", {}, this.#sidebar.element, scrim, this.chat);
    shell.addEventListener("keydown", (event) => this.#onKey(event));
    return shell;
  }

  #onKey(event) {
    const { shell } = { shell: this.element };
    if (event.key === "Escape" && shell.classList.contains("drawer")) this.#setDrawer(false);
    else if ((event.ctrlKey || event.metaKey) && event.shiftKey && event.key.toLowerCase() === "o")
      this.openThread(null);
    else return;
    event.preventDefault();
  }

  /** On a phone the list lies over the chat, which is out of reach meanwhile. */
  #setDrawer(isOpen) {
    if (this.element.classList.contains("drawer") === isOpen) return;
    this.element.classList.toggle("drawer", isOpen);
    this.#openList.ariaExpanded = String(isOpen);
    this.chat.inert = isOpen;
    if (isOpen) this.#sidebar.focus();
    else this.#openList.focus();
  }

  #newConversation(threadId) {
    const { onClientTool } = this.#options;
    const conversation = new Conversation({ api: this.#api, threadId, onClientTool });
    conversation.on("created", () => this.#onCreated(conversation));
    conversation.on("thread", (thread) => this.#onThread(conversation, thread));
    conversation.on("run", () => this.#onRun(conversation));
    conversation.on("settled", () => this.#onSettled(conversation));
    conversation.on("effect", (effect) => this.#options.emit("effect", effect));
    conversation.on("failure", () => this.#onFailure(conversation));
    return conversation;
  }

  #show(conversation) {
    this.#current = conversation;
    this.#wasRunning = conversation.run !== null;
    this.#transcript?.close();
    const { onClientTool, onLoginRequired } = this.#options;
    this.#transcript = new Transcript(conversation, {
      announce: (text) => this.#announcer.say(text),
      composer: () => this.#composer,
      hasClientTools: Boolean(onClientTool),
      onLoginRequired,
      runAction: (action, itemId, control) =>
        this.#runAction(conversation, action, itemId, control),
    });
    this.#stage.replaceChildren(this.#transcript.element);
    this.#transcript.toEnd();
    conversation.on("items", () => conversation === this.#current && this.#showStart());
    this.#showStart();
    this.#sidebar.setCurrent(conversation.threadId);
    this.#showHeader();
    this.#onRun(conversation);
  }

  #showStart() {
    const { items, threadId, isLoading } = this.#current;
    const isEmpty = items.all.length === 0 && threadId === null && !isLoading;
    const shown = this.#stage.querySelector(".start");
    if (isEmpty === Boolean(shown)) return;
    if (!isEmpty) {
      shown.remove();
      return;
    }
    const { greeting, startPrompts = [] } = this.#options;
    const onPrompt = (text) => this.send({ text });
    this.#stage.append(startScreen({ greeting, prompts: startPrompts, onPrompt }));
  }

  #showHeader() {
    const { thread, threadId } = this.#current;
    const known = thread ?? this.#threads.find(threadId);
    this.#showTitle(threadId === null ? "New conversation" : titleOf(known));
    const { type, reason } = thread?.status ?? {};
    const isClosed = type === "locked" || type === "closed";
    this.#composer.lock(isClosed ? (reason ?? "This conversation takes no more messages.") : null);
  }

  #showTitle(title, id = this.threadId) {
    if (id === this.threadId) this.#title.textContent = title;
  }

  #onCreated(conversation) {
    this.#live.set(conversation.threadId, conversation);
    const now = new Date().toISOString();
    this.#threads.put({
      ...conversation.thread,
      updated_at: now,
      active_run_id: conversation.run?.id ?? "new",
    });
    if (conversation !== this.#current) return;
    this.#sidebar.setCurrent(conversation.threadId);
    this.#tellThread();
  }

  #onThread(conversation, thread) {
    const known = this.#threads.find(thread.id);
    if (known && known.title !== thread.title)
      this.#threads.put({ ...thread, active_run_id: known.active_run_id });
    if (conversation === this.#current) this.#showHeader();
  }

  #onRun(conversation) {
    const { run, threadId } = conversation;
    if (run && threadId) this.#live.set(threadId, conversation);
    if (conversation !== this.#current) return;
    this.#composer.setRunning(run !== null, run?.canStop && !run.isStopped);
    this.#showStart();
    const isRunning = run !== null;
    if (isRunning && !this.#wasRunning) {
      this.#announcer.say("The assistant is answering.");
      this.#options.emit("response.start", {});
    }
    this.#wasRunning = isRunning;
  }

  #onSettled(conversation) {
    const { threadId, items } = conversation;
    if (conversation !== this.#current) this.#live.delete(threadId);
    else {
      const answer = items.all.findLast((item) => item.type === "assistant_message");
      const text = items.last === answer && answer ? plainText(answer) : "";
      this.#announcer.say(text ? `Assistant: ${text}` : "The assistant has finished.");
      this.#options.emit("response.end", {});
    }
    this.#threads.refresh().then(() => this.#awaitTitle(conversation));
  }

  /** A title is made beside the first answer, and may come after its end. */
  async #awaitTitle(conversation, attempt = 0) {
    const { thread, threadId } = conversation;
    const title = this.#threads.find(threadId)?.title;
    if (thread?.title || attempt > 2) return;
    if (title) {
      conversation.thread = { ...thread, title };
      if (conversation === this.#current) this.#showHeader();
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await this.#threads.refresh();
    await this.#awaitTitle(conversation, attempt + 1);
  }

  #onFailure(conversation) {
    const { failure } = conversation;
    if (failure) this.#options.emit("error", { error: failure.error });
  }

  async #archive(thread) {
    const archived = !this.#threads.archived;
    await this.#threads.archive(thread.id, archived).catch(() => {});
    this.#announcer.say(archived ? "Archived" : "Taken back");
    this.#sidebar.focusList();
  }

  async #remove(thread) {
    const title = `Delete “${titleOf(thread)}”?`;
    const text = "All its messages go with it. This cannot be undone.";
    if (!(await confirm(this.element, { title, text, action: "Delete" }))) return;
    try {
      await this.#threads.delete(thread.id);
    } catch {
      return;
    }
    this.#live.delete(thread.id);
    this.#announcer.say("Deleted");
    if (thread.id === this.threadId) this.openThread(null);
    else this.#sidebar.focusList();
  }

  /** An action of a widget: with the values of its form, to whom it is for. */
  async #runAction(conversation, action, itemId, control) {
    const payload = withFormValues(action.payload, control);
    const { onWidgetAction, emit } = this.#options;
    const isBusy = action.loadingBehavior !== "none";
    if (isBusy) setBusy(control, action.loadingBehavior, true);
    try {
      if (action.handler === "client") {
        await onWidgetAction?.({ ...action, payload }, conversation.items.get(itemId));
      } else {
        await conversation.act({ ...action, payload }, itemId);
      }
    } catch (error) {
      emit("error", { error });
    } finally {
      setBusy(control, action.loadingBehavior, false);
    }
  }

  #tellThread() {
    this.#options.emit("thread.change", { threadId: this.threadId });
    this.#options.onThreadChange?.(this.threadId);
  }

  /** Threads that are answered elsewhere have no other way to say that they are done. */
  #watchList() {
    clearTimeout(this.#timer);
    const isOther = (thread) => thread.active_run_id && thread.id !== this.threadId;
    if (this.#threads.threads.some(isOther) && !document.hidden) {
      this.#timer = setTimeout(() => this.#threads.refresh(), LIST_PAUSE);
    }
  }

  #onDocument() {
    const look = () => document.hidden || this.refresh();
    document.addEventListener("visibilitychange", look);
    addEventListener("online", look);
    this.#offs.push(() => document.removeEventListener("visibilitychange", look));
    this.#offs.push(() => removeEventListener("online", look));
  }
}

function disclaimer({ disclaimer: text }) {
  return text ? h("p.disclaimer", {}, text) : null;
}

/** The control, or the whole form or card around it, waits for its action. */
function setBusy(control, behavior, isBusy) {
  if (!control) return;
  const box = behavior === "container" ? control.closest(".w-form, .w-card") : control;
  if (!box) return;
  box.ariaBusy = String(isBusy);
  if (behavior === "container") box.inert = isBusy;
  else if ("disabled" in box) box.disabled = isBusy;
}
