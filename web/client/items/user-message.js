import { h } from "../dom.js";
import { icon } from "../icons.js";
import { plainText } from "../items.js";
import { imageSource } from "../markdown/urls.js";

/** What the user wrote, as it was written. */
export class UserMessage {
  #context;

  constructor(context) {
    this.#context = context;
    this.element = h("article.item.user-message", { ariaLabel: "You" });
  }

  update(item) {
    this.element.classList.toggle("unsent", Boolean(item.local));
    this.element.replaceChildren(
      ...[
        item.attachments.length ? h("ul.attachments", {}, item.attachments.map(attachment)) : null,
        h("div.bubble", { dir: "auto" }, quote(item), item.content.map(part)),
        item.local?.error ? this.#unsent(item) : null,
      ].filter(Boolean),
    );
  }

  #unsent(item) {
    const { conversation, composer } = this.#context;
    const edit = () => {
      conversation.items.remove(item.id);
      composer().setText(plainText(item));
    };
    return h(
      "div.unsent-note",
      {},
      icon("warning"),
      h("span", {}, `Not sent: ${item.local.error.message}`),
      h(
        "button.link",
        { type: "button", onclick: () => conversation.sendAgain(item) },
        "Send again",
      ),
      h("button.link", { type: "button", onclick: edit }, "Edit"),
    );
  }
}

function quote(item) {
  return item.quoted_text ? h("blockquote.quoted", {}, item.quoted_text) : null;
}

function part(part) {
  return part.type === "input_tag" ? h("span.tag", {}, `@${part.text}`) : h("span", {}, part.text);
}

function attachment({ name, preview_url: preview }) {
  const src = preview ? imageSource(preview, document.baseURI) : null;
  return h(
    "li.attachment",
    {},
    src ? h("img", { src, alt: "" }) : icon("document"),
    h("span", {}, name),
  );
}
