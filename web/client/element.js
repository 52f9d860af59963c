import { ChatApp } from "./chat-app.js";
import { h } from "./dom.js";

const STYLES = ["chat.css", "items.css", "markdown.css", "widgets.css"];
const EVENTS = "chatkit";

/**
 * `<chatkit-gateway-chat>`: the gateway's own client.
 *
 * ```js
 * document.querySelector('chatkit-gateway-chat').configure({
 *   fetch: createChatKitFetch({ getToken }),   // of /chatkit-gateway.js
 *   url: '/chatkit',
 *   thread: localStorage.thread ?? null,
 *   onThreadChange: (id) => { localStorage.thread = id ?? ''; },
 * });
 * ```
 *
 * Its events are those of ChatKit's element, as far as they fit: `chatkit.thread.change`,
 * `chatkit.response.start`, `chatkit.response.end`, `chatkit.effect`, `chatkit.error`.
 */
export class ChatKitGatewayChat extends HTMLElement {
  #app = null;
  #root = this.attachShadow({ mode: "open" });
  #styles;

  constructor() {
    super();
    const links = STYLES.map((name) => stylesheet(new URL(`styles/${name}`, import.meta.url).href));
    this.#styles = Promise.all(links.map(({ loaded }) => loaded));
    this.#root.append(...links.map(({ link }) => link));
  }

  /**
   * Begins, or begins again with other options:
   *
   * | option | meaning |
   * |---|---|
   * | `fetch` | brings the session's token: `createChatKitFetch(…)`, or one of your own |
   * | `url` | of the ChatKit endpoint; `/chatkit` |
   * | `theme` | `{accent, colorScheme}`: a colour as `#2563eb`; `light`, `dark` or `system` |
   * | `thread` | id of the thread to show; null begins a new one |
   * | `onThreadChange(id)` | another thread is shown; null for a new one |
   * | `startPrompts` | `[{label, prompt, icon}]`, with `greeting` above them |
   * | `onClientTool({name, params})` | answers a tool that runs in the page |
   * | `onWidgetAction(action, item)` | does actions of widgets whose handler is `client` |
   * | `onLoginRequired()` | the session has ended |
   * | `attachments` | `{accept, maxSize, maxCount}` where the server takes files; null without |
   * | `models` | `[{id, label, default}]` to choose from |
   * | `draft` | text that stands in the field at first: a `draft` of before |
   * | `autofocus` | the cursor stands in the field from the start, unless something has the focus |
   * | `placeholder`, `disclaimer` | texts in and below the field |
   */
  configure(options) {
    this.#app?.stop();
    const emit = (name, detail) => {
      this.dispatchEvent(
        new CustomEvent(`${EVENTS}.${name}`, { detail, bubbles: true, composed: true }),
      );
    };
    const send = options.fetch ?? globalThis.fetch.bind(globalThis);
    this.#app = new ChatApp({ url: "/chatkit", ...options, fetch: send, emit });
    this.setTheme(options.theme ?? {});
    const app = this.#app;
    this.#root.querySelector(".shell")?.remove();
    // Without its styles it is no sight; without them for good it still works.
    this.#styles.then(() => {
      if (app !== this.#app) return;
      this.#root.append(app.element);
      app.start();
    });
  }

  setTheme({ accent, colorScheme = "system" }) {
    this.dataset.scheme = colorScheme;
    if (!accent) return;
    this.style.setProperty("--accent", accent);
    this.style.setProperty("--on-accent", isLight(accent) ? "#111" : "#fff");
  }

  /** Shows a thread; null begins a new one. */
  setThreadId(threadId) {
    this.#app?.openThread(threadId);
  }

  /** Sends a message as if the user had. */
  async sendUserMessage({ text, newThread = false }) {
    if (newThread) this.#app.openThread(null);
    await this.#app.send({ text });
  }

  focusComposer() {
    this.#app?.focusComposer();
  }

  /** What the user has written and the server does not have, for whoever configures it anew. */
  get draft() {
    return this.#app?.draft ?? "";
  }

  /** Shows that a connection is lost or back: give it to the fetch helper as `onConnection`. */
  setConnection(connection) {
    this.#app?.setConnection(connection);
  }

  /** Looks for what has changed on the server. */
  async fetchUpdates() {
    await this.#app?.refresh();
  }
}

function stylesheet(href) {
  const link = h("link", { rel: "stylesheet", href });
  const loaded = new Promise((resolve) => {
    link.addEventListener("load", resolve);
    link.addEventListener("error", resolve);
  });
  return { link, loaded };
}

/** Whether black reads better on a colour (WCAG's relative luminance). */
function isLight(hex) {
  const channels = /^#([\da-f]{2})([\da-f]{2})([\da-f]{2})$/i.exec(hex)?.slice(1);
  if (!channels) return false;
  const [r, g, b] = channels.map((channel) => {
    const value = Number.parseInt(channel, 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18;
}

if (!customElements.get("chatkit-gateway-chat")) {
  customElements.define("chatkit-gateway-chat", ChatKitGatewayChat);
}
