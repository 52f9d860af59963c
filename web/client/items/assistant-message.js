import { h } from "../dom.js";
import { icon } from "../icons.js";
import { CITE_CLOSE, CITE_OPEN } from "../markdown/inline.js";
import { linkTarget } from "../markdown/urls.js";
import { MarkdownView } from "../markdown/view.js";

/** An answer: Markdown that grows, and the sources that it cites. */
export class AssistantMessage {
  #parts = [];
  #body = h("div.answer");
  #sources = h("details.sources", { hidden: true });
  #shown = "";

  constructor() {
    this.element = h(
      "article.item.assistant-message",
      { ariaLabel: "Assistant" },
      this.#body,
      this.#sources,
    );
  }

  update(item, { open }) {
    this.element.classList.toggle("open", open);
    const sources = citations(item.content);
    item.content.forEach((part, at) => {
      if (!this.#parts[at]) {
        this.#parts[at] = new MarkdownView();
        this.#body.append(this.#parts[at].element);
      }
      this.#parts[at].update(marked(part, sources), { open });
    });
    for (const extra of this.#parts.splice(item.content.length)) extra.element.remove();
    this.#showSources(sources);
  }

  #showSources(sources) {
    const key = JSON.stringify(sources);
    if (key === this.#shown) return;
    this.#shown = key;
    this.#sources.hidden = sources.length === 0;
    const summary = sources.length === 1 ? "1 source" : `${sources.length} sources`;
    this.#sources.replaceChildren(
      h("summary", {}, icon("book"), summary),
      h("ol", {}, sources.map(source)),
    );
  }
}

/** The sources of a message, each once, in the order in which they are cited. */
function citations(content) {
  const sources = new Map();
  for (const { annotations } of content) {
    for (const { source } of annotations ?? []) sources.set(sourceKey(source), source);
  }
  return [...sources.values()];
}

function sourceKey(source) {
  return source.url ?? source.id ?? source.filename ?? source.title;
}

/** The text with a mark for each citation, at the place that the annotation names in characters. */
function marked({ text, annotations = [] }, sources) {
  const placed = annotations.filter(({ index }) => Number.isInteger(index) && index >= 0);
  // Marks that stand in the text itself are not ours.
  const clean = text.replace(/[\u{E000}\u{E001}]/gu, "\u{FFFD}");
  if (!placed.length) return clean;
  const characters = [...clean];
  const keys = sources.map(sourceKey);
  for (const { index, source } of placed.toSorted((a, b) => b.index - a.index)) {
    const number = keys.indexOf(sourceKey(source)) + 1;
    characters.splice(Math.min(index, characters.length), 0, `${CITE_OPEN}${number}${CITE_CLOSE}`);
  }
  return characters.join("");
}

function source(source) {
  const href = source.url ? linkTarget(source.url, document.baseURI) : null;
  const title = source.title || source.filename || source.url || "Source";
  const name = href
    ? h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, title)
    : h("span", {}, title);
  const more = [source.attribution, source.description].filter(Boolean).join(" · ");
  return h("li", {}, name, more ? h("span.source-more", {}, more) : null);
}
