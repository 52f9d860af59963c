import { h } from "../dom.js";
import { icon, iconOf } from "../icons.js";
import { linkTarget } from "../markdown/urls.js";
import { MarkdownView } from "../markdown/view.js";

/** Tool calls, or thoughts, as they happen: open while they do, folded when they are done. */
export class Workflow {
  #summary = h("summary");
  #list = h("ol.tasks");
  #tasks = [];
  #wasOpen = null;

  constructor() {
    this.element = h("details.item.workflow", {}, this.#summary, this.#list);
  }

  update(item, { open }) {
    const { workflow } = item;
    this.#tasks.splice(workflow.tasks.length).forEach((task) => task.element.remove());
    workflow.tasks.forEach((task, at) => {
      if (!this.#tasks[at]) {
        this.#tasks[at] = new TaskRow();
        this.#list.append(this.#tasks[at].element);
      }
      this.#tasks[at].update(task, { open });
    });
    const isThought = workflow.type === "reasoning";
    const [name, text] = summary(workflow, open);
    this.#summary.replaceChildren(
      open ? h("span.spinner") : iconOf(name ?? (isThought ? "lightbulb" : "tool")),
      h("span", {}, text),
      icon("chevron-down"),
    );
    this.element.classList.toggle("running", open);
    // The user's own folding is left alone until the state changes.
    if (this.#wasOpen !== open) this.element.open = open || workflow.expanded === true;
    this.#wasOpen = open;
  }
}

/** A task of its own, outside of a workflow. */
export class Task {
  #row = new TaskRow();

  constructor() {
    this.element = h("div.item.workflow.single-task", {}, h("ol.tasks", {}, this.#row.element));
  }

  update(item, { open }) {
    this.#row.update(item.task, { open });
  }
}

/** `[icon, text]`. */
function summary({ type, tasks, summary: given }, isOpen) {
  if (given?.title) return [given.icon, given.title];
  if (type === "reasoning") {
    if (isOpen) return [null, "Thinking…"];
    return [null, given?.duration ? `Thought for ${seconds(given.duration)}` : "Thought"];
  }
  const count = tasks.length === 1 ? tasks[0].title || "1 step" : `${tasks.length} steps`;
  if (isOpen) return [null, tasks.at(-1)?.title || "Working…"];
  return [null, given?.duration ? `${count}, ${seconds(given.duration)}` : count];
}

function seconds(count) {
  return count < 60 ? `${count} s` : `${Math.floor(count / 60)} min ${count % 60} s`;
}

class TaskRow {
  #mark = h("span.task-mark");
  #title = h("span.task-title");
  #state = h("span.visually-hidden");
  #content = new MarkdownView();
  #sources = h("ul.task-sources");

  constructor() {
    const head = h("div.task-head", {}, this.#mark, this.#title, this.#state);
    this.element = h("li.task-row", {}, head, this.#content.element, this.#sources);
  }

  update(task, { open }) {
    const isLoading = task.status_indicator === "loading" && open;
    const isDone = task.status_indicator === "complete";
    this.#mark.replaceChildren(
      isLoading
        ? h("span.spinner")
        : iconOf(isDone ? "check" : (task.icon ?? KINDS[task.type] ?? "dot")),
    );
    this.#title.textContent = titleOf(task);
    this.#state.textContent = isLoading ? " (under way)" : isDone ? " (done)" : "";
    this.#content.update(asMarkdown(task), { open: open && task.type === "thought" });
    this.#sources.replaceChildren(...(task.sources ?? []).map(source));
    this.element.classList.toggle("done", isDone);
  }
}

const KINDS = {
  web_search: "globe",
  thought: "lightbulb",
  file: "document",
  image: "image",
  custom: "dot",
};

function titleOf(task) {
  return (
    task.title ||
    task.title_query ||
    {
      web_search: "Searching the web",
      thought: "Thought",
      file: "Reading files",
      image: "Making an image",
    }[task.type] ||
    "Step"
  );
}

/** A tool's arguments come as JSON: code, not prose. */
function asMarkdown(task) {
  const queries = task.queries?.length ? task.queries.map((query) => `- ${query}`).join("\n") : "";
  const content = task.content ?? queries;
  if (/^[[{]/.test(content) && !content.includes("```")) return `\`\`\`json\n${content}\n\`\`\``;
  return content;
}

function source({ url, title, filename }) {
  const href = url ? linkTarget(url, document.baseURI) : null;
  const text = title || filename || url;
  const attrs = { href, target: "_blank", rel: "noopener noreferrer nofollow" };
  return h("li", {}, href ? h("a", attrs, text) : text);
}
