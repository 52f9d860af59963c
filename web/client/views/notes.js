import { h } from "../dom.js";
import { icon } from "../icons.js";
import { MarkdownView } from "../markdown/view.js";

/** Why the last thing did not work, and what can be done about it. */
export function failureNote({ error, retry }, { conversation, onLoginRequired }) {
  const wait = error.retryAfter ? ` Wait ${error.retryAfter} s before you try again.` : "";
  const again = retry ? h("button.button", { type: "button", onclick: retry }, "Try again") : null;
  const login =
    error.isLogin && onLoginRequired
      ? h("button.button.primary", { type: "button", onclick: onLoginRequired }, "Sign in")
      : null;
  const close = h(
    "button.icon-button",
    {
      type: "button",
      ariaLabel: "Close this message",
      onclick: () => conversation.dismissFailure(),
    },
    icon("close"),
  );
  return h(
    "div.note.danger.failure",
    { role: "alert" },
    icon("warning"),
    h("p", {}, error.isLogin ? "Your session has ended." : `${sentence(error.message)}${wait}`),
    login,
    error.isLogin ? null : again,
    close,
  );
}

/** A notice of the agent's. */
export function noticeNote({ level, title, message }) {
  const body = new MarkdownView();
  body.update(message ?? "");
  const kind = { warning: "warning", danger: "danger" }[level] ?? "info";
  const close = h(
    "button.icon-button",
    { type: "button", ariaLabel: "Close this notice", onclick: () => note.remove() },
    icon("close"),
  );
  const text = h("div.note-text", {}, title ? h("strong", {}, title) : null, body.element);
  const note = h(
    "div.note",
    { role: kind === "info" ? "status" : "alert" },
    icon(kind === "info" ? "info" : "warning"),
    text,
    close,
  );
  note.classList.add(kind);
  return note;
}

/** Messages of the gateway are lower case and without a full stop. */
function sentence(text) {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(first) ? first : `${first}.`;
}
