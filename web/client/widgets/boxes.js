import { h } from "../dom.js";
import { iconOf } from "../icons.js";
import { imageSource } from "../markdown/urls.js";
import { styleBlock, styleBox } from "./style.js";

/** What holds other components. */
export const BOXES = {
  Card: card,
  ListView: listView,
  ListViewItem: listViewItem,
  Basic: (props, context) => box("div.w-basic", props, context, props.direction),
  Box: (props, context) => box("div.w-box", props, context, props.direction),
  Row: (props, context) => box("div.w-box.w-row", props, context, "row"),
  Col: (props, context) => box("div.w-box", props, context, "col"),
  Form: form,
  Transition: (props, context) => h("div", {}, context.children(props)),
  Table: table,
  "Table.Row": (props, context) => h("tr", {}, context.children(props)),
  "Table.Cell": tableCell,
};

function box(selector, props, context, direction) {
  const element = h(selector, {}, context.children(props));
  styleBox(element, props, direction);
  return element;
}

function form(props, context) {
  const element = box("form.w-box.w-form", props, context, props.direction);
  onSubmit(element, props.onSubmitAction, context);
  return element;
}

/** Sent by Enter and by any submit button, once the browser is content with the fields. */
function onSubmit(element, action, context) {
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    event.stopPropagation();
    if (action) context.run(action, event.submitter ?? element);
  });
}

function card(props, context) {
  const body = h("div.w-card-body", {}, context.children(props));
  if (props.padding !== undefined) styleBlock(body, { padding: props.padding });
  const buttons = ["cancel", "confirm"]
    .filter((name) => props[name])
    .map((name) => {
      const { label, action } = props[name];
      const isMain = name === "confirm";
      const type = isMain && props.asForm ? "submit" : "button";
      const onclick =
        type === "button" ? (event) => context.run(action, event.currentTarget) : undefined;
      return h(isMain ? "button.button.primary" : "button.button", { type, onclick }, label);
    });
  const element = h(
    props.asForm ? "form.w-card.w-form" : "div.w-card",
    {},
    status(props.status),
    props.collapsed ? h("details", {}, h("summary", {}, "Show"), body) : body,
    buttons.length ? h("div.w-card-buttons", {}, buttons) : null,
  );
  if (props.size) element.classList.add(`w-card-${props.size}`);
  if (props.theme) element.dataset.scheme = props.theme;
  styleBlock(element, { background: props.background, border: props.border });
  if (props.asForm) onSubmit(element, props.confirm?.action, context);
  return element;
}

function status(value) {
  if (!value) return null;
  const src = value.favicon ? imageSource(value.favicon, document.baseURI) : null;
  const mark = src ? h("img", { src, alt: "" }) : value.icon ? iconOf(value.icon) : null;
  return h("div.w-status", {}, mark, value.text);
}

function listView(props, context) {
  const items = context.children(props);
  const limit = typeof props.limit === "number" ? props.limit : items.length;
  const rest = items.slice(limit);
  const list = h("ul.w-list", {}, items.slice(0, limit));
  const more = rest.length
    ? h(
        "button.button",
        { type: "button", onclick: (event) => showRest(event, list, rest) },
        `Show ${rest.length} more`,
      )
    : null;
  const element = h("div.w-card.w-list-view", {}, status(props.status), list, more);
  if (props.theme) element.dataset.scheme = props.theme;
  return element;
}

function showRest(event, list, rest) {
  event.currentTarget.remove();
  list.append(...rest);
  (rest[0].querySelector("button") ?? list).focus();
}

function listViewItem(props, context) {
  const { onClickAction: action } = props;
  const children = context.children(props);
  const inner = action
    ? h(
        "button.w-list-button",
        { type: "button", onclick: (event) => context.run(action, event.currentTarget) },
        children,
      )
    : h("div.w-list-plain", {}, children);
  styleBox(inner, { gap: props.gap, align: props.align }, "row");
  return h("li", {}, inner);
}

function table(props, context) {
  const rows = [props.children ?? []].flat();
  const isHead = (row) => row?.header === true;
  const part = (tag, wanted) =>
    h(tag, {}, context.children({ children: rows.filter((row) => isHead(row) === wanted) }));
  return h(
    "div.table",
    { tabindex: "0", role: "region", ariaLabel: "Table" },
    h("table", {}, part("thead", true), part("tbody", false)),
  );
}

function tableCell(props, context) {
  const cell = h(
    "td",
    { colSpan: props.colSpan ?? 1, rowSpan: props.rowSpan ?? 1 },
    context.children(props),
  );
  styleBlock(cell, { width: props.width, padding: props.padding });
  if (props.align) cell.style.textAlign = props.align;
  if (props.vAlign)
    cell.style.verticalAlign =
      { start: "top", center: "middle", end: "bottom" }[props.vAlign] ?? "";
  return cell;
}
