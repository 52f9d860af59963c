import { h } from "../dom.js";
import { icon } from "../icons.js";
import { imageSource, linkTarget } from "../markdown/urls.js";

/** A picture that the model makes: its drafts, and how far it is. */
export class GeneratedImage {
  constructor() {
    this.element = h("figure.item.generated-image");
  }

  update(item, { open }) {
    const url = item.image?.url;
    const src = url ? imageSource(url, document.baseURI) : null;
    const progress = open ? h("progress", { max: 1, ariaLabel: "Progress of the image" }) : null;
    if (progress && item.progress) progress.value = item.progress;
    const shown = src ? h("img", { src, alt: "Generated image" }) : this.#instead(url, open);
    this.element.replaceChildren(...[shown, progress].filter(Boolean));
  }

  /** Of a foreign host, or not there yet. */
  #instead(url, open) {
    const href = url ? linkTarget(url, document.baseURI) : null;
    if (href)
      return h(
        "a.image-link",
        { href, target: "_blank", rel: "noopener noreferrer" },
        icon("image"),
        "Open the image",
      );
    return h("div.image-waiting", {}, icon("image"), open ? "Making an image…" : "No image");
  }
}
