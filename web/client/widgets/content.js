import { h } from "../dom.js";
import { iconOf } from "../icons.js";
import { imageSource, linkTarget } from "../markdown/urls.js";
import { MarkdownView } from "../markdown/view.js";
import { field } from "./fields.js";
import { colour, styleBlock, styleText } from "./style.js";

/** What is read and looked at. */
export const CONTENT = {
  Text: text,
  Title: (props) => styled("p.w-title", props),
  Caption: (props) => styled("p.w-caption", props),
  Markdown: markdown,
  Badge: badge,
  Divider: divider,
  Icon: iconComponent,
  Image: image,
  Spacer: (props) => {
    const element = h("div.w-spacer");
    styleBlock(element, { minSize: props.minSize });
    return element;
  },
  Chart: chart,
};

function styled(selector, props) {
  const element = h(selector, { dir: "auto" }, String(props.value ?? ""));
  styleText(element, props);
  return element;
}

function text(props) {
  const { editable } = props;
  if (!editable) return styled("p.w-text", props);
  const element = field("input", { ...editable, defaultValue: props.value, inputType: "text" });
  styleText(element, props);
  return element;
}

function markdown(props, context) {
  const view = new MarkdownView();
  view.update(String(props.value ?? ""), { open: context.open && props.streaming === true });
  return view.element;
}

function badge(props) {
  const element = h("span.w-badge", {}, String(props.label ?? ""));
  element.classList.add(
    `color-${props.color ?? "secondary"}`,
    `variant-${props.variant ?? "soft"}`,
  );
  element.classList.toggle("pill", props.pill === true);
  return element;
}

function divider(props) {
  const element = h("hr.w-divider");
  if (props.color) element.style.borderColor = colour(props.color);
  if (props.spacing !== undefined) styleBlock(element, { margin: { y: props.spacing } });
  element.classList.toggle("flush", props.flush === true);
  return element;
}

function iconComponent(props) {
  const element = h("span.w-icon", {}, iconOf(props.name));
  element.classList.add(`icon-${props.size ?? "md"}`);
  if (props.color) element.style.color = colour(props.color);
  return element;
}

/** Of this page's own host, or in the widget itself; another host's is a link to it. */
function image(props) {
  const src = imageSource(props.src, document.baseURI);
  if (!src) {
    const href = linkTarget(props.src, document.baseURI);
    const label = props.alt || "image";
    return h(
      "a.image-link",
      { href: href ?? undefined, target: "_blank", rel: "noopener noreferrer" },
      iconOf("image"),
      label,
    );
  }
  const element = h("img.w-image", { src, alt: props.alt ?? "" });
  styleBlock(element, props);
  if (props.fit) element.style.objectFit = props.fit;
  if (props.position) element.style.objectPosition = props.position;
  element.classList.toggle("frame", props.frame === true);
  element.classList.toggle("flush", props.flush === true);
  return element;
}

/** The numbers of a chart as a table, with a bar for each. */
function chart({ data = [], series = [], xAxis }) {
  const key = typeof xAxis === "string" ? xAxis : xAxis?.dataKey;
  const labels = typeof xAxis === "object" ? (xAxis?.labels ?? {}) : {};
  const numbers = data.flatMap((row) => series.map(({ dataKey }) => Number(row[dataKey]) || 0));
  const max = Math.max(...numbers, 0) || 1;
  const cell = (row, { dataKey, color, label }) => {
    const value = Number(row[dataKey]) || 0;
    const meter = h("span.w-bar", { ariaHidden: "true" });
    meter.style.width = `${Math.max(0, (value / max) * 100)}%`;
    if (color) meter.style.backgroundColor = colour(color);
    return h(
      "td",
      { title: label ?? dataKey },
      h("span.w-number", {}, String(row[dataKey] ?? "")),
      meter,
    );
  };
  const head = [
    h("th", { scope: "col" }, ""),
    ...series.map(({ label, dataKey }) => h("th", { scope: "col" }, label ?? dataKey)),
  ];
  const rows = data.map((row) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, String(labels[row[key]] ?? row[key] ?? "")),
      series.map((one) => cell(row, one)),
    ),
  );
  const table = h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows));
  return h("div.table.w-chart", { tabindex: "0", role: "region", ariaLabel: "Chart" }, table);
}
