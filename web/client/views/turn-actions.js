import { h } from "../dom.js";
import { icon } from "../icons.js";
import { plainText } from "../items.js";

/** What can be done with an answer: copy it, say whether it was good, have another one. */
export function turnActions(turn, { conversation, announce }) {
  const text = turn.items.map(plainText).filter(Boolean).join("\n\n");
  const copy = action("copy", "Copy", async (button) => {
    await navigator.clipboard.writeText(text);
    button.replaceChildren(icon("check"));
    announce("Copied");
    setTimeout(() => button.replaceChildren(icon("copy")), 1500);
  });
  const thumbs = ["positive", "negative"].map((kind) =>
    thumb(kind, turn, { conversation, announce }),
  );
  for (const thumb of thumbs) thumb.others = thumbs.filter((other) => other !== thumb);
  const retry = action("reload", "Try again", () => conversation.retry(turn.message.id));
  return h(
    "div.turn-actions",
    { role: "group", ariaLabel: "This answer" },
    text ? copy : null,
    thumbs,
    turn.message && !turn.message.local ? retry : null,
  );
}

function thumb(kind, turn, { conversation, announce }) {
  const isGood = kind === "positive";
  const button = action(
    isGood ? "thumb-up" : "thumb-down",
    isGood ? "Good answer" : "Bad answer",
    async () => {
      await conversation.feedback(turn.items, kind);
      button.ariaPressed = "true";
      for (const other of button.others) other.ariaPressed = "false";
      announce("Thank you");
    },
  );
  button.ariaPressed = "false";
  return button;
}

function action(name, label, run) {
  const button = h(
    "button.icon-button",
    { type: "button", ariaLabel: label, title: label },
    icon(name),
  );
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await run(button);
    } catch {
      button.title = `${label}: it did not work`;
      button.classList.add("failed");
    } finally {
      const hadFocus = button.matches(":focus") || button.getRootNode().activeElement === null;
      button.disabled = false;
      if (hadFocus && button.isConnected) button.focus({ preventScroll: true });
    }
  });
  return button;
}
