/**
 * Markdown to blocks: CommonMark's with GitHub's tables and task lists, as models write them. HTML is
 * text like any other. Not known: indented code, reference definitions, footnotes.
 *
 * | block | members |
 * |---|---|
 * | `paragraph` | `text` |
 * | `heading` | `level`, `text` |
 * | `code` | `lang`, `text` |
 * | `quote` | `children` |
 * | `list` | `start` (null: bullets), `loose`, `items`: `{checked, children}` |
 * | `table` | `align`, `head`, `rows` (of texts) |
 * | `rule` | |
 *
 * Lines end with LF. Each block has `line`, the line of the text at which it begins. A block ends where
 * the next one begins, so that while a text grows only its last block can change.
 */

/** Deeper nesting is text: nobody reads it, and a hostile text could have it by the thousand. */
const MAX_DEPTH = 12;

// Each is tried against lines of any length: none may need more than one pass.
const FENCE = /^ {0,3}(`{3,}|~{3,})([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})(?=[ \t]|$)/;
const RULE = /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})([*+-]|\d{1,9}[.)])( {1,4}(?=\S)|[ \t]|$)/;
const UNDERLINE = /^ {0,3}(=+|-+)[ \t]*$/;
const DELIMITERS = /^ {0,3}\|?(?:[ \t]*:?-+:?[ \t]*\|)*[ \t]*:?-+:?[ \t]*\|?[ \t]*$/;

export function parseBlocks(text) {
  return parse(text.split("\n"), 0);
}

function parse(lines, depth) {
  const blocks = [];
  let at = 0;
  while (at < lines.length) {
    if (!lines[at].trim()) {
      at += 1;
      continue;
    }
    const found = begun(lines, at, depth) ?? paragraph(lines, at);
    blocks.push({ ...found.block, line: at });
    at = found.end;
  }
  return blocks;
}

function begun(lines, at, depth) {
  for (const read of BLOCKS) {
    const found = read(lines, at, depth);
    if (found) return found;
  }
  return null;
}

/** Each answers `{block, end}`, or nothing when its block does not begin at this line. */
const BLOCKS = [code, heading, rule, quote, list, table];

function code(lines, at) {
  const fence = FENCE.exec(lines[at]);
  if (!fence) return null;
  const [, marks, info] = fence;
  const indent = new RegExp(`^ {0,${lines[at].search(/\S/)}}`);
  let end = at + 1;
  while (end < lines.length && !closes(lines[end], marks)) end += 1;
  const text = lines
    .slice(at + 1, end)
    .map((line) => line.replace(indent, ""))
    .join("\n");
  return { block: { type: "code", lang: info.trim().split(/\s/)[0], text }, end: end + 1 };
}

function closes(line, marks) {
  const found = line.trim();
  return found.length >= marks.length && found === marks[0].repeat(found.length);
}

function heading(lines, at) {
  const found = HEADING.exec(lines[at]);
  if (!found) return null;
  const text = lines[at].slice(found[0].length).trim();
  // Marks at the end belong to the heading's form, unless they belong to a word.
  let end = text.length;
  while (text[end - 1] === "#") end -= 1;
  const isClosed = end === 0 || /\s/.test(text[end - 1]);
  const level = found[1].length;
  return {
    block: { type: "heading", level, text: isClosed ? text.slice(0, end).trim() : text },
    end: at + 1,
  };
}

function rule(lines, at) {
  return RULE.test(lines[at]) ? { block: { type: "rule" }, end: at + 1 } : null;
}

function quote(lines, at, depth) {
  if (!QUOTE.test(lines[at]) || depth >= MAX_DEPTH) return null;
  const inner = [];
  let end = at;
  for (; end < lines.length; end += 1) {
    const isMarked = QUOTE.test(lines[end]);
    // A line without its mark goes on with the paragraph of the line before.
    if (!isMarked && (!lines[end].trim() || begins(lines, end) || !inner.at(-1)?.trim())) break;
    inner.push(isMarked ? lines[end].replace(QUOTE, "") : lines[end]);
  }
  return { block: { type: "quote", children: parse(inner, depth + 1) }, end };
}

function list(lines, at, depth) {
  const first = ITEM.exec(lines[at]);
  if (!first || depth >= MAX_DEPTH) return null;
  const kind = first[2].at(-1);
  const items = [];
  let loose = false;
  let end = at;
  while (end < lines.length) {
    const mark = ITEM.exec(lines[end]);
    if (!mark || mark[2].at(-1) !== kind || RULE.test(lines[end])) break;
    const item = listItem(lines, end, mark);
    items.push(task(parse(item.lines, depth + 1)));
    loose ||= item.hasBlank && items.at(-1).children.length > 1;
    end = item.end;
    const next = nextLine(lines, end);
    const goesOn = next < lines.length && ITEM.exec(lines[next])?.[2].at(-1) === kind;
    if (goesOn && next > end) loose = true;
    if (goesOn) end = next;
  }
  const start = /\d/.test(first[2]) ? Number.parseInt(first[2], 10) : null;
  return { block: { type: "list", start, loose, items }, end };
}

/** The lines of one item without their indentation. */
function listItem(lines, at, mark) {
  const width = mark[0].length + (mark[3] ? 0 : 1);
  const inner = [lines[at].slice(mark[0].length)];
  let hasBlank = false;
  let end = at + 1;
  while (end < lines.length) {
    const next = nextLine(lines, end);
    if (next === lines.length) break;
    const indent = lines[next].search(/\S/);
    // Models often indent by less than the mark is wide.
    const isInner = indent >= Math.min(width, 2);
    const isLazy =
      next === end && !begins(lines, next) && !ITEM.test(lines[next]) && inner.at(-1).trim();
    if (!isInner && !isLazy) break;
    hasBlank ||= next > end;
    for (; end < next; end += 1) inner.push("");
    inner.push(lines[end].slice(Math.min(indent, width)));
    end += 1;
  }
  return { lines: inner, hasBlank, end };
}

/** `[ ]` or `[x]` before an item's text. */
function task(children) {
  const [first, ...others] = children;
  const box = first?.type === "paragraph" && /^\[([ xX])\][ \t]+/.exec(first.text);
  if (!box) return { checked: null, children };
  const text = first.text.slice(box[0].length);
  return { checked: box[1] !== " ", children: [{ ...first, text }, ...others] };
}

function table(lines, at) {
  if (!isTable(lines, at)) return null;
  const head = cells(lines[at]);
  const align = cells(lines[at + 1]).map((cell) => {
    const [left, right] = [cell.startsWith(":"), cell.endsWith(":")];
    return left && right ? "center" : right ? "right" : left ? "left" : null;
  });
  let end = at + 2;
  const rows = [];
  while (end < lines.length && lines[end].trim() && lines[end].includes("|")) {
    const row = cells(lines[end]);
    rows.push(head.map((_, column) => row[column] ?? ""));
    end += 1;
  }
  return { block: { type: "table", align, head, rows }, end };
}

function isTable(lines, at) {
  const next = lines[at + 1];
  return (
    lines[at].includes("|") &&
    next !== undefined &&
    next.includes("-") &&
    DELIMITERS.test(next) &&
    cells(lines[at]).length === cells(next).length
  );
}

/** The cells of a row; a bar in code or behind a backslash parts nothing. */
function cells(line) {
  const row = line
    .trim()
    .replace(/^\|/, "")
    .replace(/(?<!\\)\|$/, "");
  const cells = [""];
  let isCode = false;
  for (let at = 0; at < row.length; at += 1) {
    if (row[at] === "`") isCode = !isCode;
    if (row[at] === "\\" && row[at + 1] === "|") {
      cells[cells.length - 1] += "|";
      at += 1;
    } else if (row[at] === "|" && !isCode) cells.push("");
    else cells[cells.length - 1] += row[at];
  }
  return cells.map((cell) => cell.trim());
}

function paragraph(lines, at) {
  let end = at + 1;
  while (end < lines.length && lines[end].trim() && !begins(lines, end)) {
    const underline = UNDERLINE.exec(lines[end]);
    // The last line may be the beginning of a list.
    if (underline && end < lines.length - 1) {
      const level = underline[1][0] === "=" ? 1 : 2;
      return { block: { type: "heading", level, text: join(lines, at, end) }, end: end + 1 };
    }
    end += 1;
  }
  return { block: { type: "paragraph", text: join(lines, at, end) }, end };
}

function join(lines, at, end) {
  return lines
    .slice(at, end)
    .map((line) => line.trimStart())
    .join("\n")
    .trimEnd();
}

/** Whether a block other than a paragraph begins here, so that a paragraph before it ends. */
function begins(lines, at) {
  const line = lines[at];
  if (FENCE.test(line) || HEADING.test(line) || QUOTE.test(line)) return true;
  if (RULE.test(line)) return !UNDERLINE.test(line) || !line.includes("-");
  const item = ITEM.exec(line);
  // A number in running text is no list unless it is the first.
  if (item && line.slice(item[0].length).trim())
    return !/\d/.test(item[2]) || Number.parseInt(item[2], 10) === 1;
  return isTable(lines, at);
}

function nextLine(lines, at) {
  let next = at;
  while (next < lines.length && !lines[next].trim()) next += 1;
  return next;
}
