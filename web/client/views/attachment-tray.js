import { h } from "../dom.js";
import { icon } from "../icons.js";

/** The client's own bounds; the server has its own. */
const DEFAULTS = { maxCount: 10, maxSize: 100 * 1024 * 1024, accept: "" };

/** Files that go with the next message: chosen, dropped or pasted, uploaded at once. */
export class AttachmentTray {
  #api;
  #options;
  #onChange;
  #files = [];
  #input;

  constructor(api, options, onChange) {
    this.#api = api;
    this.#options = { ...DEFAULTS, ...options };
    this.#onChange = onChange;
    this.#input = h("input", {
      type: "file",
      multiple: true,
      hidden: true,
      accept: this.#options.accept,
    });
    this.#input.addEventListener("change", () => {
      this.add([...this.#input.files]);
      this.#input.value = "";
    });
    const label = "Attach files";
    this.button = h(
      "button.icon-button",
      { type: "button", ariaLabel: label, title: label, onclick: () => this.#input.click() },
      icon("paperclip"),
    );
    this.element = h("ul.attachments.tray", { ariaLabel: "Files to be sent", hidden: true });
    this.button.append(this.#input);
  }

  /** Whether nothing is under way and nothing has failed. */
  get isReady() {
    return this.#files.every((file) => file.attachment);
  }

  /** Files that are dropped on the form or pasted into its field. */
  listen(form, field) {
    const add = (event, transfer) => {
      const files = [...(transfer?.files ?? [])];
      if (!files.length) return;
      event.preventDefault();
      this.add(files);
    };
    form.addEventListener("dragover", (event) => event.preventDefault());
    form.addEventListener("drop", (event) => add(event, event.dataTransfer));
    field.addEventListener("paste", (event) => add(event, event.clipboardData));
  }

  add(files) {
    for (const file of files) {
      const entry = {
        file,
        attachment: null,
        problem: this.#problem(file),
        abort: new AbortController(),
      };
      this.#files.push(entry);
      if (!entry.problem) this.#upload(entry);
    }
    this.#show();
  }

  /** The attachments for a message, which has them from now on. */
  take() {
    const attachments = this.#files.map((file) => file.attachment);
    this.#files = [];
    this.#show();
    return attachments;
  }

  #problem(file) {
    const { maxCount, maxSize } = this.#options;
    if (this.#files.length >= maxCount) return `at most ${maxCount} files`;
    if (file.size > maxSize) return `larger than ${Math.round(maxSize / 1024 / 1024)} MB`;
    return null;
  }

  async #upload(entry) {
    const { file, abort } = entry;
    try {
      const mime_type = file.type || "application/octet-stream";
      const attachment = await this.#api.ask("attachments.create", {
        name: file.name,
        size: file.size,
        mime_type,
      });
      if (attachment.upload_descriptor) {
        await this.#api.upload(attachment.upload_descriptor, file, { signal: abort.signal });
      }
      entry.attachment = attachment;
    } catch (error) {
      if (error.name === "AbortError") return;
      entry.problem = error.message;
    }
    this.#show();
  }

  #remove(entry) {
    entry.abort.abort();
    this.#files = this.#files.filter((other) => other !== entry);
    // What stays behind is the server's to clean up; the user has moved on.
    if (entry.attachment) {
      this.#api.ask("attachments.delete", { attachment_id: entry.attachment.id }).catch(() => {});
    }
    this.#show();
  }

  #show() {
    this.element.hidden = this.#files.length === 0;
    this.element.replaceChildren(...this.#files.map((entry) => this.#row(entry)));
    this.#onChange();
  }

  #row(entry) {
    const { file, attachment, problem } = entry;
    const state = problem ?? (attachment ? "" : "uploading…");
    const row = h(
      "li.attachment",
      {},
      attachment || problem ? icon(problem ? "warning" : "document") : h("span.spinner"),
      h("span", {}, file.name),
      state ? h("span.attachment-state", {}, state) : null,
      h(
        "button.icon-button",
        { type: "button", ariaLabel: `Remove ${file.name}`, onclick: () => this.#remove(entry) },
        icon("close"),
      ),
    );
    row.classList.toggle("failed", Boolean(problem));
    return row;
  }
}
