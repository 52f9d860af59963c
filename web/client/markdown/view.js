import { blockNodes, parseBlocks } from "./nodes.js";
import { patch } from "./patch.js";

/**
 * Markdown in an element, cheap while it grows: only the text from the beginning of the last block on
 * is read again, and of that only what differs is shown anew.
 */
export class MarkdownView {
  #settled = 0;
  #text = "";
  /** Of the blocks behind `#settled`, and where the first of them stands in the element. */
  #nodes = [];

  constructor() {
    this.element = document.createElement("div");
    this.element.className = "markdown";
    this.element.dir = "auto";
  }

  /** Shows the text; `open` says that more of it is to come. */
  update(source, { open = false } = {}) {
    const text = source.includes("\r") ? source.replace(/\r\n?/g, "\n") : source;
    if (!text.startsWith(this.#text.slice(0, this.#settled))) this.#restart();
    this.#text = text;
    const rest = text.slice(this.#settled);
    const blocks = parseBlocks(rest);
    const next = blockNodes(blocks, { base: document.baseURI, open });
    const offset = this.element.childNodes.length - this.#nodes.length;
    patch(this.element, this.#nodes, next, offset);
    this.#nodes = next;
    if (open) this.#settle(rest, blocks);
  }

  #restart() {
    this.#settled = 0;
    this.#nodes = [];
    this.element.replaceChildren();
  }

  /** A block behind which another one begins does not change any more. */
  #settle(rest, blocks) {
    if (blocks.length < 2) return;
    const lines = rest.split("\n").slice(0, blocks.at(-1).line);
    this.#settled += lines.reduce((sum, line) => sum + line.length + 1, 0);
    this.#nodes = this.#nodes.slice(-1);
  }
}
