/**
 * The looks of widgets: sizes, spacings and colours as the protocol has them, set property by property.
 * Nothing of a widget becomes CSS text, and nothing can name a picture.
 */

const RADII = {
  "2xs": 2,
  xs: 4,
  sm: 6,
  md: 8,
  lg: 10,
  xl: 12,
  "2xl": 16,
  "3xl": 20,
  "4xl": 24,
  full: 9999,
  "100%": "100%",
  none: 0,
};

/** Names of colours that follow the theme. */
const COLOURS = {
  primary: "var(--text)",
  prose: "var(--text)",
  emphasis: "var(--text)",
  secondary: "var(--muted)",
  tertiary: "var(--muted)",
  success: "var(--success)",
  warning: "var(--warning)",
  danger: "var(--danger)",
  info: "var(--info)",
  discovery: "var(--discovery)",
  caution: "var(--warning)",
  surface: "var(--surface)",
  "surface-secondary": "var(--surface)",
  "surface-elevated": "var(--background)",
};

const ALIGN = {
  start: "flex-start",
  center: "center",
  end: "flex-end",
  baseline: "baseline",
  stretch: "stretch",
};
const JUSTIFY = {
  ...ALIGN,
  between: "space-between",
  around: "space-around",
  evenly: "space-evenly",
};

const SIZES = ["height", "width", "minHeight", "minWidth", "maxHeight", "maxWidth"];

/** Sizes, spacing, border, radius and background of any block. */
export function styleBlock(element, props) {
  const { style } = element;
  for (const name of SIZES) if (props[name] !== undefined) style[name] = dimension(props[name]);
  for (const [name, prefix] of [
    ["size", ""],
    ["minSize", "min"],
    ["maxSize", "max"],
  ]) {
    if (props[name] === undefined) continue;
    style[prefix ? `${prefix}Width` : "width"] = dimension(props[name]);
    style[prefix ? `${prefix}Height` : "height"] = dimension(props[name]);
  }
  if (props.aspectRatio !== undefined) style.aspectRatio = String(props.aspectRatio);
  if (props.flex !== undefined) style.flex = String(props.flex);
  if (props.radius !== undefined) style.borderRadius = radius(props.radius);
  if (props.background !== undefined) style.backgroundColor = colour(props.background);
  spacing(style, "padding", props.padding);
  spacing(style, "margin", props.margin);
  border(style, props.border);
}

/** A block with children in a row or a column. */
export function styleBox(element, props, direction) {
  styleBlock(element, props);
  const { style } = element;
  style.flexDirection = direction === "row" ? "row" : "column";
  if (props.align) style.alignItems = ALIGN[props.align] ?? "";
  if (props.justify) style.justifyContent = JUSTIFY[props.justify] ?? "";
  if (props.wrap) style.flexWrap = props.wrap;
  if (props.gap !== undefined) style.gap = space(props.gap);
}

/** A colour: a name of the theme's, one of CSS, or one for each scheme. */
export function colour(value) {
  if (value && typeof value === "object")
    return `light-dark(${colour(value.light)}, ${colour(value.dark)})`;
  return COLOURS[value] ?? String(value ?? "");
}

function radius(value) {
  const size = RADII[value];
  return typeof size === "number" ? `${size}px` : (size ?? "");
}

/** A plain number is pixels; anything else is left to the browser, which drops what is no size. */
function dimension(value) {
  return typeof value === "number" ? `${value}px` : String(value);
}

/** A plain number counts steps of 4 pixels. */
function space(value) {
  return typeof value === "number" ? `${value * 4}px` : String(value);
}

function spacing(style, name, value) {
  if (value === undefined || value === null) return;
  if (typeof value !== "object") {
    style[name] = space(value);
    return;
  }
  const { x, y } = value;
  const sides = {
    Top: value.top ?? y,
    Right: value.right ?? x,
    Bottom: value.bottom ?? y,
    Left: value.left ?? x,
  };
  for (const [side, size] of Object.entries(sides))
    if (size !== undefined) style[`${name}${side}`] = space(size);
}

function border(style, value) {
  if (value === undefined || value === null) return;
  const set = (side, line) => {
    if (line === undefined) return;
    const {
      size = line,
      color = "var(--line)",
      style: kind = "solid",
    } = typeof line === "object" ? line : {};
    style[`border${side}Width`] = dimension(size);
    style[`border${side}Style`] = kind;
    style[`border${side}Color`] = colour(color);
  };
  if (typeof value !== "object" || value.size !== undefined) return set("", value);
  const { x, y } = value;
  set("Top", value.top ?? y);
  set("Right", value.right ?? x);
  set("Bottom", value.bottom ?? y);
  set("Left", value.left ?? x);
}

/** Weight, colour, alignment and lines of a text. */
export function styleText(element, props) {
  const { style, classList } = element;
  if (props.size) classList.add(`size-${props.size}`);
  if (props.weight) classList.add(`weight-${props.weight}`);
  if (props.color) style.color = colour(props.color);
  if (props.textAlign) style.textAlign = props.textAlign;
  if (props.italic) classList.add("italic");
  if (props.lineThrough) classList.add("line-through");
  if (props.width !== undefined) style.width = dimension(props.width);
  const lines = props.truncate ? 1 : props.maxLines;
  if (lines) {
    classList.add("clamped");
    style.setProperty("--lines", String(Number(lines) || 1));
  }
  if (props.minLines) style.minHeight = `${Number(props.minLines) * 1.5}em`;
}
