import { h, newId } from "../dom.js";
import { icon } from "../icons.js";

/** The model asks the page to do something. Without a handler of the page, the user may answer. */
export class ClientToolCall {
  #context;
  #isShown = "";

  constructor(context) {
    this.#context = context;
    this.element = h("div.item.client-tool");
  }

  update(item) {
    const { conversation, hasClientTools } = this.#context;
    const isPending = item.status === "pending";
    const isLast = conversation.items.last === item;
    const canAnswer = isPending && isLast && !conversation.run;
    const key = JSON.stringify([item.status, item.output, canAnswer]);
    // What the user types meanwhile is theirs.
    if (key === this.#isShown) return;
    this.#isShown = key;
    this.element.replaceChildren(
      h(
        "div.client-tool-head",
        {},
        icon(isPending ? "tool" : "check"),
        h("code", {}, item.name),
        state(isPending),
      ),
      h(
        "pre",
        { tabindex: "0", role: "region", ariaLabel: `Arguments of ${item.name}` },
        JSON.stringify(item.arguments, null, 2),
      ),
      ...(item.output === undefined || item.output === null
        ? []
        : [h("pre.output", {}, JSON.stringify(item.output, null, 2))]),
      ...(canAnswer ? [hasClientTools ? this.#again() : this.#form(item)] : []),
    );
  }

  /** After a reload: what the page's tool does, it may have done. */
  #again() {
    const run = () => this.#context.conversation.runClientTool();
    return h("button.button", { type: "button", onclick: run }, "Let the page answer");
  }

  #form(item) {
    const id = newId("tool-result");
    const field = h("textarea", { id, rows: 2, value: "{}", spellcheck: false });
    const problem = h("p.form-problem", { role: "alert" });
    const submit = (event) => {
      event.preventDefault();
      let result;
      try {
        result = JSON.parse(field.value);
      } catch {
        problem.textContent = "That is no JSON.";
        field.focus();
        return;
      }
      this.#context.conversation.answerClientTool(item, result);
    };
    return h(
      "form.client-tool-form",
      { onsubmit: submit },
      h("label", { for: id }, "This page has no such tool. Answer for it, as JSON:"),
      field,
      problem,
      h("button.button.primary", { type: "submit" }, "Answer"),
    );
  }
}

function state(isPending) {
  return h("span", {}, isPending ? "waits for the page" : "was answered by the page");
}
