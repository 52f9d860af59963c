import { h } from "../dom.js";

/** An item of a kind that this client does not know. */
export class UnknownItem {
  constructor() {
    this.element = h("div.item.unknown-item");
  }

  update(item) {
    this.element.textContent = `(${item.type}: this page cannot show it)`;
  }
}
