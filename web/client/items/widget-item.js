import { h } from "../dom.js";
import { renderWidget } from "../widgets/render.js";

/** A widget: cards, lists, forms as the agent describes them. */
export class WidgetItem {
  #context;
  #widget = null;

  constructor(context) {
    this.#context = context;
    this.element = h("section.item.widget", { ariaLabel: "Widget" });
  }

  update(item, { open }) {
    if (item.widget === this.#widget) return;
    this.#widget = item.widget;
    const run = (action, control) => this.#context.runAction(action, item.id, control);
    const values = fieldValues(this.element);
    const focused = this.element.getRootNode().activeElement?.name;
    this.element.replaceChildren(renderWidget(item.widget, { run, open }));
    restoreFields(this.element, values, focused);
  }
}

const FIELDS = "input[name], textarea[name], select[name]";

/** What the user has filled in, which a new version of the widget must not take away. */
function fieldValues(element) {
  const touched = [...element.querySelectorAll(FIELDS)].filter((field) => field.dataset.touched);
  return new Map(
    touched.map((field) => [keyOf(field), isBox(field) ? field.checked : field.value]),
  );
}

function restoreFields(element, values, focused) {
  for (const field of element.querySelectorAll(FIELDS)) {
    const value = values.get(keyOf(field));
    if (value !== undefined) {
      if (isBox(field)) field.checked = value;
      else field.value = value;
      field.dataset.touched = "true";
    }
    if (focused && field.name === focused) field.focus();
  }
}

function keyOf(field) {
  return `${field.dataset.name ?? field.name}:${isBox(field) ? field.value : ""}`;
}

function isBox(field) {
  return field.type === "checkbox" || field.type === "radio";
}
