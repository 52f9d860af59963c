import { parseBlocks } from "./blocks.js";
import { CITE_CLOSE, CITE_OPEN, parseInline } from "./inline.js";

/**
 * Blocks of Markdown as nodes: strings and `{tag, attrs, children}`. The tags and attributes are those
 * that this file and `inline.js` write down; nothing of the text becomes one.
 *
 * `open` says that the text goes on behind its last block.
 */
export function blockNodes(blocks, { base, open = false }) {
  return blocks.map((block, at) =>
    NODES[block.type](block, { base, open: open && at === blocks.length - 1 }),
  );
}

export { parseBlocks };

const NODES = {
  paragraph: ({ text }, context) => ({ tag: "p", children: parseInline(text, context) }),
  // The page has its own headings above those of an answer.
  heading: ({ level, text }, context) => ({
    tag: `h${Math.min(level + 2, 6)}`,
    attrs: { class: `level-${level}` },
    children: parseInline(text, context),
  }),
  rule: () => ({ tag: "hr" }),
  quote: ({ children }, context) => ({
    tag: "blockquote",
    children: blockNodes(children, context),
  }),
  code,
  list,
  table,
};

function code({ lang, text }) {
  const label = lang || "code";
  return {
    tag: "figure",
    attrs: { class: "code" },
    children: [
      {
        tag: "figcaption",
        children: [
          { tag: "span", children: [label] },
          {
            tag: "button",
            attrs: { type: "button", class: "copy-code", "aria-label": "Copy code" },
            children: ["Copy"],
          },
        ],
      },
      {
        tag: "pre",
        // What scrolls must be within reach of the keyboard.
        attrs: { tabindex: "0", role: "region", "aria-label": `Code, ${label}` },
        children: [{ tag: "code", children: [withoutMarks(text)] }],
      },
    ],
  };
}

function withoutMarks(text) {
  return text.replace(new RegExp(`${CITE_OPEN}[^${CITE_CLOSE}]*${CITE_CLOSE}`, "gu"), "");
}

function list({ start, loose, items }, context) {
  const children = items.map((item, at) => {
    const isLast = at === items.length - 1;
    return listItem(item, loose, { ...context, open: context.open && isLast });
  });
  if (start === null) return { tag: "ul", children };
  return { tag: "ol", attrs: start === 1 ? {} : { start: String(start) }, children };
}

function listItem({ checked, children }, loose, context) {
  const nodes = blockNodes(children, context);
  // In a tight list a paragraph is no more than its text.
  const inner = loose
    ? nodes
    : nodes.flatMap((node) => (node.tag === "p" ? node.children : [node]));
  if (checked === null) return { tag: "li", children: inner };
  const attrs = { type: "checkbox", disabled: "", "aria-label": checked ? "done" : "not done" };
  if (checked) attrs.checked = "";
  return { tag: "li", attrs: { class: "task" }, children: [{ tag: "input", attrs }, ...inner] };
}

function table({ align, head, rows }, context) {
  const inline = { base: context.base };
  const cell = (tag) => (text, column) => ({
    tag,
    attrs: {
      ...(align[column] && { class: `align-${align[column]}` }),
      ...(tag === "th" && { scope: "col" }),
    },
    children: parseInline(text, inline),
  });
  const body = rows.map((row) => ({ tag: "tr", children: row.map(cell("td")) }));
  return {
    tag: "div",
    attrs: { class: "table", tabindex: "0", role: "region", "aria-label": "Table" },
    children: [
      {
        tag: "table",
        children: [
          { tag: "thead", children: [{ tag: "tr", children: head.map(cell("th")) }] },
          { tag: "tbody", children: body },
        ],
      },
    ],
  };
}
