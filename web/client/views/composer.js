import { h, newId } from "../dom.js";
import { icon } from "../icons.js";
import { AttachmentTray } from "./attachment-tray.js";

/** The longest message that the gateway takes, in characters. */
const MAX_LENGTH = 32_000;

/**
 * Where the user writes. `onSend(message)` gets `{text, attachments, model}`, `onStop` is called by
 * the button that takes the place of Send while an answer is written.
 */
export class Composer {
  #onSend;
  #onStop;
  #models;
  #tray = null;
  #isRunning = false;
  #reason = null;
  #field;
  #send = h("button.send", { type: "submit", ariaLabel: "Send" }, icon("arrow-up"));
  #stop = h(
    "button.send.stop",
    { type: "button", ariaLabel: "Stop", hidden: true, onclick: () => this.#onStop() },
    icon("stop"),
  );
  #hint = h("p.composer-hint", { role: "status" });

  constructor({ onSend, onStop, placeholder, models = [], attachments = null, api }) {
    this.#onSend = onSend;
    this.#onStop = onStop;
    const id = newId("message");
    this.#field = h("textarea", {
      id,
      rows: 1,
      placeholder: placeholder ?? "Write a message…",
      dir: "auto",
      enterKeyHint: "send",
    });
    this.#models = models.length ? modelSelect(models) : null;
    if (attachments) this.#tray = new AttachmentTray(api, attachments, () => this.#update());
    this.element = h(
      "form.composer",
      {
        onsubmit: (event) => {
          event.preventDefault();
          this.#submit();
        },
      },
      h("label.visually-hidden", { for: id }, "Message"),
      this.#hint,
      this.#tray?.element ?? null,
      this.#field,
      h(
        "div.composer-bar",
        {},
        this.#tray?.button ?? null,
        this.#models,
        h("span.grow"),
        this.#stop,
        this.#send,
      ),
    );
    this.#field.addEventListener("input", () => this.#update());
    this.#field.addEventListener("keydown", (event) => this.#onKey(event));
    if (this.#tray) this.#tray.listen(this.element, this.#field);
    this.#update();
  }

  get text() {
    return this.#field.value;
  }

  setText(text) {
    this.#field.value = text;
    this.#update();
    this.focus();
  }

  focus() {
    this.#field.focus({ preventScroll: true });
  }

  /** Whether an answer is being written, and whether it can be stopped. */
  setRunning(isRunning, canStop) {
    const hadFocus = [this.#stop, this.#send].includes(this.element.getRootNode().activeElement);
    this.#isRunning = isRunning;
    this.#stop.hidden = !isRunning;
    this.#stop.disabled = !canStop;
    this.#send.hidden = isRunning;
    this.#update();
    // The button that had it is gone.
    if (hadFocus) this.focus();
  }

  /** Takes no messages, and says why; null takes them again. */
  lock(reason) {
    this.#reason = reason;
    this.#update();
  }

  #submit() {
    const text = this.#field.value.trim();
    if (!this.#canSend(text)) return;
    const attachments = this.#tray?.take() ?? [];
    this.#field.value = "";
    this.#update();
    this.#onSend({ text, attachments, model: this.#models?.value || undefined });
  }

  #canSend(text = this.#field.value.trim()) {
    if (this.#isRunning || this.#reason !== null || text.length > MAX_LENGTH) return false;
    if (this.#tray && !this.#tray.isReady) return false;
    return text !== "";
  }

  #update() {
    const field = this.#field;
    field.disabled = this.#reason !== null;
    this.#send.disabled = !this.#canSend();
    const surplus = field.value.length - MAX_LENGTH;
    const hint = this.#reason ?? (surplus > 0 ? `Too long by ${surplus} characters.` : "");
    if (this.#hint.textContent !== hint) this.#hint.textContent = hint;
    this.#hint.hidden = hint === "";
    // As high as its text, up to what the styles allow.
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight}px`;
  }

  #onKey(event) {
    // Enter may choose a word of an input method.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229)
      return;
    event.preventDefault();
    this.#submit();
  }
}

function modelSelect(models) {
  const options = models.map((model) =>
    h("option", { value: model.id, selected: model.default === true }, model.label ?? model.id),
  );
  return h("select.model-select", { ariaLabel: "Model" }, options);
}
