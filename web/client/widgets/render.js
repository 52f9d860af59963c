import { h } from "../dom.js";
import { BOXES } from "./boxes.js";
import { CONTROLS, tieLabels } from "./controls.js";
import { CONTENT } from "./content.js";

/** Deeper nesting is left out: no agent means it, and a page must not fall over it. */
const MAX_DEPTH = 40;

const COMPONENTS = { ...BOXES, ...CONTROLS, ...CONTENT };

/**
 * A widget as elements. `context` is `{run(action, control), open}`: what an action does, and whether
 * more of the widget is to come. A component that is not known is shown by its parts, or by its name.
 */
export function renderWidget(widget, context) {
  const element = render(widget, { ...context, depth: 0 }) ?? h("div.w-unknown", {}, "(empty)");
  tieLabels(element);
  return element;
}

function render(component, context) {
  if (component === null || typeof component !== "object" || context.depth > MAX_DEPTH) return null;
  const inner = {
    ...context,
    depth: context.depth + 1,
    /** The children as nodes; one component, or several, or null. */
    children: ({ children }) =>
      [children ?? []]
        .flat()
        .map((child) => render(child, inner))
        .filter(Boolean),
  };
  const element = made(component, inner);
  if (component.id) element.dataset.component = component.id;
  return element;
}

/** One component that is not as the protocol has it must not cost the others, or the conversation. */
function made(component, context) {
  const isKnown = Object.hasOwn(COMPONENTS, component.type ?? "");
  if (!isKnown) return fallback(component, context);
  try {
    return COMPONENTS[component.type](component, context);
  } catch (error) {
    console.warn(`a ${component.type} of a widget cannot be shown`, error);
    return fallback(component, context);
  }
}

function fallback(component, context) {
  const children = context.children(component);
  const text = [component.title, component.label, component.value].find(
    (value) => typeof value === "string",
  );
  if (children.length || text) return h("div.w-unknown", {}, text ?? null, children);
  return h("div.w-unknown", {}, `(${component.type ?? "widget"}: this page cannot show it)`);
}
