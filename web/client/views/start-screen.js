import { h } from "../dom.js";
import { iconOf } from "../icons.js";

/** What a conversation without a message shows: a greeting, and things to begin with. */
export function startScreen({ greeting, prompts, onPrompt }) {
  const cards = prompts.map(({ label, prompt, icon }) =>
    h(
      "button.prompt",
      { type: "button", onclick: () => onPrompt(prompt) },
      iconOf(icon ?? "sparkle"),
      h("span", {}, label),
    ),
  );
  return h(
    "div.start",
    {},
    h("h2", {}, greeting ?? "What can I do for you?"),
    cards.length ? h("div.prompts", {}, cards) : null,
  );
}
