import { h, newId } from "../dom.js";
import { icon } from "../icons.js";

/** Questions to the user: a form while they wait, the answers afterwards. */
export class StructuredInput {
  #context;
  #shown = null;

  constructor(context) {
    this.#context = context;
    this.element = h("section.item.structured-input", { ariaLabel: "Questions" });
  }

  update(item) {
    // What is filled in already must not be lost.
    if (this.#shown === item.status) return;
    this.#shown = item.status;
    this.element.replaceChildren(item.status === "pending" ? this.#form(item) : answers(item));
  }

  #form(item) {
    const questions = item.inputs.map((input) => new Question(input));
    const send = (status) => {
      const given = questions.map((question) => [question.id, question.answer()]);
      const skipped = status === "skipped";
      const input = { status, answers: skipped ? {} : Object.fromEntries(given) };
      form.inert = true;
      this.#context.conversation.answer(item.id, input).finally(() => {
        form.inert = false;
      });
    };
    const form = h(
      "form",
      {
        onsubmit: (event) => {
          event.preventDefault();
          send("answered");
        },
      },
      questions.map((question) => question.element),
      h(
        "div.form-buttons",
        {},
        h("button.button.primary", { type: "submit" }, "Send"),
        h("button.button", { type: "button", onclick: () => send("skipped") }, "Skip"),
      ),
    );
    return form;
  }
}

/** One question with its fields. */
class Question {
  #fields = [];
  #own = null;

  constructor(input) {
    this.id = input.id;
    this.element = input.type === "multiple_choice" ? this.#choice(input) : this.#text(input);
  }

  answer() {
    const chosen = this.#fields.filter((field) => field.checked).map((field) => field.value);
    const own = this.#own?.value.trim();
    const values = own ? [...chosen, own] : chosen;
    return { values, skipped: values.length === 0 };
  }

  #choice({ question, options, multiple }) {
    const name = newId("choice");
    this.#fields = options.map(({ value }) =>
      h("input", { type: multiple ? "checkbox" : "radio", name, value }),
    );
    const labels = this.#fields.map((field) =>
      h("label.option", {}, field, h("span", {}, field.value)),
    );
    // Answers of one's own are allowed by the protocol.
    this.#own = h("input.field", {
      type: "text",
      placeholder: "Something else…",
      ariaLabel: `${question} Something else`,
    });
    this.#own.addEventListener("input", () => {
      if (!multiple && this.#own.value) for (const field of this.#fields) field.checked = false;
    });
    for (const field of this.#fields) {
      field.addEventListener("change", () => {
        if (!multiple) this.#own.value = "";
      });
    }
    return h("fieldset", {}, h("legend", {}, question), labels, this.#own);
  }

  #text({ question, description }) {
    const id = newId("answer");
    this.#own = h("input.field", { id, type: "text" });
    const about = description ? h("p.field-about", { id: newId("about") }, description) : null;
    if (about) this.#own.setAttribute("aria-describedby", about.id);
    return h("div.question", {}, h("label", { for: id }, question), about, this.#own);
  }
}

function answers(item) {
  const rows = item.inputs.map(({ question, answer }) => [
    h("dt", {}, question),
    h("dd", {}, answer?.values?.length ? answer.values.join(", ") : "skipped"),
  ]);
  const title = item.status === "skipped" ? "Skipped" : "Answered";
  return h("div", {}, h("p.answered", {}, icon("check"), title), h("dl", {}, rows));
}
