import { h } from "../dom.js";

/** A field of one line or of several, as the protocol describes it. */
export function field(tag, props) {
  const element = h(`${tag}.field`, {
    name: props.name ?? "",
    value: props.defaultValue ?? "",
    placeholder: props.placeholder ?? "",
    required: props.required === true,
    disabled: props.disabled === true,
    autocomplete: props.autoComplete ?? "",
  });
  if (tag === "input") element.type = props.inputType ?? "text";
  if (props.pattern) element.pattern = props.pattern;
  if (tag === "textarea") element.rows = props.rows ?? 3;
  // Unless a label beside it names it.
  element.ariaLabel = props.placeholder || props.name || "Text";
  element.addEventListener("input", () => {
    element.dataset.touched = "true";
  });
  return element;
}

/**
 * The payload of an action with the values of the form around its control: by their names, dotted
 * ones nested. What the payload has already stays.
 */
export function withFormValues(payload, control) {
  const form = control?.closest?.(".w-form");
  if (!form) return payload ?? null;
  const merged =
    payload && typeof payload === "object" && !Array.isArray(payload)
      ? structuredClone(payload)
      : {};
  for (const [name, value] of formValues(form)) put(merged, name.split("."), value);
  return merged;
}

function* formValues(form) {
  for (const element of form.querySelectorAll("input[name], textarea[name], select[name]")) {
    if (!element.name || element.disabled) continue;
    if (element.type === "checkbox") yield [element.name, element.checked];
    else if (element.type !== "radio") yield [element.name, element.value];
    else if (element.checked) yield [element.dataset.name, element.value];
  }
}

function put(target, path, value) {
  const [first, ...rest] = path;
  // A name of the agent's must not reach what every object has.
  if (first === "__proto__") return;
  if (!rest.length) {
    if (!Object.hasOwn(target, first)) target[first] = value;
    return;
  }
  if (!Object.hasOwn(target, first)) target[first] = {};
  if (target[first] && typeof target[first] === "object") put(target[first], rest, value);
}
