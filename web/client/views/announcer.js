import { h } from "../dom.js";

/**
 * What a screen reader is told of its own accord: that an answer begins, and the answer when it is
 * whole. The conversation itself is silent, or each word of it would be read as it comes.
 */
export class Announcer {
  constructor() {
    this.element = h("div.visually-hidden", { role: "status", ariaLive: "polite" });
  }

  say(text) {
    // The same text twice is said twice only when it is new.
    this.element.replaceChildren(h("p", {}, text));
  }
}
