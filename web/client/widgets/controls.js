import { h, newId } from "../dom.js";
import { iconOf } from "../icons.js";
import { field } from "./fields.js";
import { styleText } from "./style.js";

/** What is pressed, chosen and filled in. */
export const CONTROLS = {
  Button: button,
  Input: (props) => field("input", props),
  Textarea: (props) => field("textarea", props),
  Select: select,
  DatePicker: datePicker,
  Checkbox: checkbox,
  RadioGroup: radioGroup,
  Label: label,
};

function button(props, context) {
  const { onClickAction: action } = props;
  const element = h(
    "button.button.w-button",
    { type: props.submit ? "submit" : "button", disabled: props.disabled === true },
    props.iconStart ? iconOf(props.iconStart) : null,
    props.label ? h("span", {}, props.label) : null,
    props.iconEnd ? iconOf(props.iconEnd) : null,
  );
  if (!props.label) element.ariaLabel = props.iconStart ?? props.iconEnd ?? "Button";
  const color = props.color ?? props.style ?? "secondary";
  element.classList.add(`color-${color}`, `variant-${props.variant ?? "solid"}`);
  element.classList.toggle(
    "primary",
    color === "primary" && (props.variant ?? "solid") === "solid",
  );
  element.classList.toggle("pill", props.pill === true);
  element.classList.toggle("block", props.block === true);
  if (action && !props.submit)
    element.addEventListener("click", () => context.run(action, element));
  return element;
}

/** Tells the agent of a change, and remembers that the user made one. */
function onChange(element, action, context, carrier = element) {
  element.addEventListener("change", () => {
    element.dataset.touched = "true";
    if (action) context.run(action, carrier);
  });
}

function select(props, context) {
  const blank = h("option", { value: "" }, props.placeholder ?? "Choose…");
  const options = (props.options ?? []).map(({ value, label: text, disabled, description }) =>
    h(
      "option",
      { value, disabled: disabled === true },
      description ? `${text}: ${description}` : text,
    ),
  );
  const element = h(
    "select.field",
    {
      name: props.name ?? "",
      disabled: props.disabled === true,
      ariaLabel: props.placeholder || props.name,
    },
    props.defaultValue === undefined || props.clearable ? blank : null,
    options,
  );
  element.value = props.defaultValue ?? "";
  onChange(element, props.onChangeAction, context);
  return element;
}

function datePicker(props, context) {
  const day = (time) => (typeof time === "string" ? time.slice(0, 10) : "");
  const element = h("input.field", {
    type: "date",
    name: props.name ?? "",
    value: day(props.defaultValue),
    min: day(props.min),
    max: day(props.max),
    disabled: props.disabled === true,
    ariaLabel: props.placeholder || props.name,
  });
  onChange(element, props.onChangeAction, context);
  return element;
}

function checkbox(props, context) {
  const box = h("input", {
    type: "checkbox",
    name: props.name ?? "",
    checked: props.defaultChecked === true || props.defaultChecked === "true",
    disabled: props.disabled === true,
    required: props.required === true,
  });
  if (!props.label) box.ariaLabel = props.name;
  onChange(box, props.onChangeAction, context);
  return h("label.option", {}, box, h("span", {}, props.label ?? ""));
}

function radioGroup(props, context) {
  // The browser groups by name, and two widgets may have the same one.
  const name = newId(props.name ?? "radio");
  const options = (props.options ?? []).map(({ label: text, value, disabled }) => {
    const radio = h("input", {
      type: "radio",
      name,
      value,
      checked: value === props.defaultValue,
      disabled: props.disabled === true || disabled === true,
      required: props.required === true,
      "data-name": props.name ?? "",
    });
    onChange(radio, props.onChangeAction, context);
    return h("label.option", {}, radio, h("span", {}, text));
  });
  const element = h(
    "div.w-radios",
    { role: "radiogroup", ariaLabel: props.ariaLabel ?? props.name },
    options,
  );
  element.classList.toggle("w-row", props.direction === "row");
  return element;
}

function label(props) {
  const element = h(
    "label.w-label",
    { "data-field": props.fieldName ?? "" },
    String(props.value ?? ""),
  );
  styleText(element, props);
  return element;
}

/** Ties labels to their fields, which they name; ids are the page's. */
export function tieLabels(root) {
  for (const element of root.querySelectorAll("label[data-field]")) {
    const { field: name } = element.dataset;
    const target = [...root.querySelectorAll("input, textarea, select")].find(
      (candidate) => candidate.name === name || candidate.dataset.name === name,
    );
    if (!target || target.type === "radio") continue;
    target.id ||= newId("field");
    element.htmlFor = target.id;
    target.ariaLabel = null;
  }
}
