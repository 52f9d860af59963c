import { emphasised } from "./emphasis.js";
import { imageSource, linkTarget } from "./urls.js";

/**
 * Inline Markdown to nodes: strings and `{tag, attrs, children}`, adjacent strings joined. HTML stays
 * text. Every step passes over the text once, whatever stands in it.
 *
 * `open` says that more text is to come: marks that are not closed yet are taken as if they were, so
 * that nobody sees `**` turn into bold. `base` is the page's address.
 */
export function parseInline(text, { base, open = false }) {
  return new Inline(text, base, open).parse();
}

/** Between these two stands the number of a source that the text cites. */
export const CITE_OPEN = "\u{E000}";
export const CITE_CLOSE = "\u{E001}";

/** A longer address or title is none. Without a bound, many that are not closed cost a pass each. */
const LONGEST = 2048;
const MOST_PARENTHESES = 32;

const PUNCTUATION = /[\p{P}\p{S}]/u;
const ESCAPABLE = /[!-/:-@[-`{-~]/;
const URL_START = /https?:\/\/[^\s<>\u{E000}]+/uy;
const SPECIAL = /[\\`*_~[\]!<\nh\u{E000}]/gu;

class Inline {
  #text;
  #base;
  #open;
  #at = 0;
  /** Nodes and marks so far: `{node}`, or `{mark, count, canOpen, canClose}`, or `{bracket}`. */
  #parts = [];
  #brackets = [];
  /** Lengths of runs of backticks that stand nowhere behind a position. */
  #noTicks = new Map();

  constructor(text, base, open) {
    this.#text = text;
    this.#base = base;
    this.#open = open;
  }

  parse() {
    while (this.#at < this.#text.length) this.#step();
    return emphasised(this.#parts, this.#open);
  }

  #step() {
    SPECIAL.lastIndex = this.#at;
    const next = SPECIAL.exec(this.#text)?.index ?? this.#text.length;
    if (next > this.#at) {
      this.#push(this.#text.slice(this.#at, next));
      this.#at = next;
      return;
    }
    const read = READERS[this.#text[this.#at]];
    if (!this[read]()) {
      this.#push(this.#text[this.#at]);
      this.#at += 1;
    }
  }

  #push(node) {
    this.#parts.push({ node });
  }

  escape() {
    const next = this.#text[this.#at + 1];
    if (next === undefined || (next !== "\n" && !ESCAPABLE.test(next))) return false;
    this.#push(next === "\n" ? { tag: "br" } : next);
    this.#at += 2;
    return true;
  }

  newline() {
    const last = this.#parts.at(-1);
    if (typeof last?.node === "string") last.node = last.node.trimEnd();
    this.#push({ tag: "br" });
    this.#at += 1;
    return true;
  }

  code() {
    const start = this.#at;
    const run = this.#run("`");
    const end = this.#closingTicks(start + run, run);
    const isOpen = end === null && this.#open && run < 3 && this.#text.length > start + run;
    if (end === null && !isOpen) {
      this.#push("`".repeat(run));
      this.#at = start + run;
      return true;
    }
    let inner = this.#text.slice(start + run, end ?? undefined).replaceAll("\n", " ");
    if (inner.startsWith(" ") && inner.endsWith(" ") && inner.trim()) inner = inner.slice(1, -1);
    this.#push({ tag: "code", children: [withoutCitations(inner)] });
    this.#at = end === null ? this.#text.length : end + run;
    return true;
  }

  /** Where the next run of exactly so many backticks begins. */
  #closingTicks(from, count) {
    if (this.#noTicks.has(count)) return null;
    for (let at = from; at < this.#text.length;) {
      at = this.#text.indexOf("`", at);
      if (at < 0) break;
      let end = at;
      while (this.#text[end] === "`") end += 1;
      if (end - at === count) return at;
      at = end;
    }
    this.#noTicks.set(count, true);
    return null;
  }

  marks() {
    const mark = this.#text[this.#at];
    const count = this.#run(mark);
    const before = charBefore(this.#text, this.#at);
    const after = charAt(this.#text, this.#at + count);
    const [afterSpace, beforeSpace] = [isSpace(after), isSpace(before)];
    const left =
      !afterSpace && (!PUNCTUATION.test(after) || beforeSpace || PUNCTUATION.test(before));
    const right =
      !beforeSpace && (!PUNCTUATION.test(before) || afterSpace || PUNCTUATION.test(after));
    const isWordMark = mark === "_";
    this.#parts.push({
      mark,
      count,
      length: count,
      canOpen: left && (!isWordMark || !right || PUNCTUATION.test(before)),
      canClose: right && (!isWordMark || !left || PUNCTUATION.test(after)),
    });
    this.#at += count;
    return true;
  }

  openBracket() {
    this.#bracket("[", false);
    return true;
  }

  image() {
    if (this.#text[this.#at + 1] !== "[") return false;
    this.#bracket("![", true);
    return true;
  }

  #bracket(text, isImage) {
    this.#brackets.push({ at: this.#parts.length, isImage });
    this.#push(text);
    this.#at += text.length;
  }

  closeBracket() {
    const opener = this.#brackets.pop();
    if (!opener) return false;
    const found = this.#destination(this.#at + 1);
    if (!found) return false;
    const inner = emphasised(this.#parts.splice(opener.at).slice(1), false);
    this.#parts.push(...this.#link(opener, inner, found.url).map((node) => ({ node })));
    // A link holds no other link.
    if (!opener.isImage) this.#brackets = this.#brackets.filter((bracket) => bracket.isImage);
    this.#at = found.end;
    return true;
  }

  #link(opener, inner, url) {
    if (opener.isImage) return [image(plain(inner), url, this.#base)];
    const href = url === null ? null : linkTarget(url, this.#base);
    return href ? [link(href, inner.flatMap(withoutLink))] : inner;
  }

  /** `(url "title")` at this place: `{url, end}`; `url` is null when it is still being written. */
  #destination(at) {
    const text = this.#text;
    if (text[at] !== "(") return null;
    at = skipSpace(text, at + 1);
    let url;
    if (text[at] === "<") {
      const end = find(text, ">", at);
      if (end < 0) return this.#unfinished();
      url = text.slice(at + 1, end);
      if (url.includes("\n")) return null;
      at = end + 1;
    } else {
      const start = at;
      let depth = 0;
      for (; at < text.length && !/\s/.test(text[at]); at += 1) {
        if (at - start > LONGEST) return null;
        if (text[at] === "\\") at += 1;
        else if (text[at] === "(" && (depth += 1) > MOST_PARENTHESES) return null;
        else if (text[at] === ")" && depth-- === 0) break;
      }
      if (at >= text.length) return this.#unfinished();
      url = text.slice(start, at);
    }
    at = skipSpace(text, at);
    const quote = { '"': '"', "'": "'", "(": ")" }[text[at]];
    if (quote) {
      const end = find(text, quote, at + 1);
      if (end < 0) return this.#unfinished();
      at = skipSpace(text, end + 1);
    }
    if (at >= text.length) return this.#unfinished();
    return text[at] === ")" ? { url: url.replace(/\\([!-/:-@[-`{-~])/g, "$1"), end: at + 1 } : null;
  }

  #unfinished() {
    return this.#open ? { url: null, end: this.#text.length } : null;
  }

  angle() {
    const end = find(this.#text, ">", this.#at);
    const inner = end < 0 ? "" : this.#text.slice(this.#at + 1, end);
    const isLink = /^(https?:\/\/|mailto:)[^\s<>]+$/i.test(inner);
    const href = isLink && linkTarget(inner, this.#base);
    if (!href) return false;
    this.#push(link(href, [inner]));
    this.#at = end + 1;
    return true;
  }

  bareUrl() {
    if (/[\p{L}\p{N}_]/u.test(charBefore(this.#text, this.#at))) return false;
    URL_START.lastIndex = this.#at;
    const found = URL_START.exec(this.#text)?.[0];
    // Within brackets it is a link's text.
    if (!found || this.#brackets.length) return false;
    const url = trimmedUrl(found);
    const href = linkTarget(url, this.#base);
    if (!href || url.length < 10) return false;
    this.#push(link(href, [url]));
    this.#at += url.length;
    return true;
  }

  citation() {
    const end = find(this.#text, CITE_CLOSE, this.#at);
    if (end < 0) return false;
    const number = this.#text.slice(this.#at + 1, end);
    const attrs = { class: "citation", "data-citation": number };
    this.#push({ tag: "sup", attrs, children: [number] });
    this.#at = end + 1;
    return true;
  }

  #run(mark) {
    let end = this.#at;
    while (this.#text[end] === mark) end += 1;
    return end - this.#at;
  }
}

const READERS = {
  "\\": "escape",
  "\n": "newline",
  "`": "code",
  "*": "marks",
  _: "marks",
  "~": "marks",
  "[": "openBracket",
  "]": "closeBracket",
  "!": "image",
  "<": "angle",
  h: "bareUrl",
  [CITE_OPEN]: "citation",
};

function link(href, children) {
  const attrs = { href, target: "_blank", rel: "noopener noreferrer nofollow" };
  return { tag: "a", attrs, children };
}

/** An image within a link may have become one, too. */
function withoutLink(node) {
  return node.tag === "a" ? node.children : [node];
}

/** An image that may be shown, or a link to one that may not. */
function image(alt, url, base) {
  const src = url === null ? null : imageSource(url, base);
  if (src) return { tag: "img", attrs: { src, alt, loading: "lazy" } };
  const href = url === null ? null : linkTarget(url, base);
  const text = alt || "image";
  return href ? link(href, [`🖼 ${text}`]) : text;
}

function plain(nodes) {
  return nodes
    .map((node) => (typeof node === "string" ? node : plain(node.children ?? [])))
    .join("");
}

function withoutCitations(text) {
  return text.replace(/\u{E000}[^\u{E001}]*\u{E001}/gu, "");
}

/** Without the punctuation of the sentence around it. */
function trimmedUrl(url) {
  let surplus = url.split(")").length - url.split("(").length;
  let end = url.length;
  for (;;) {
    const last = url[end - 1] ?? "";
    if (last === ")" && surplus > 0) surplus -= 1;
    else if (!last || !".,:;!?'\"*_~]".includes(last)) return url.slice(0, end);
    end -= 1;
  }
}

/** Where a character stands next, not far from here; -1 when it does not. */
function find(text, character, from) {
  const at = text.slice(from, from + LONGEST).indexOf(character);
  return at < 0 ? -1 : from + at;
}

function skipSpace(text, at) {
  while (at < text.length && /\s/.test(text[at])) at += 1;
  return at;
}

/** The character that ends here, or a space at the beginning. */
function charBefore(text, at) {
  if (at === 0) return " ";
  const low = text.charCodeAt(at - 1);
  return low >= 0xdc00 && low <= 0xdfff ? text.slice(at - 2, at) : text[at - 1];
}

function charAt(text, at) {
  return at < text.length ? String.fromCodePoint(text.codePointAt(at)) : " ";
}

function isSpace(character) {
  return /\s/.test(character);
}
