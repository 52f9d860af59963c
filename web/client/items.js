/**
 * Items of a thread, folded from the events of its runs. `update` is the member of that name in a
 * `thread.item.updated` event; the item is changed in place. An update that is not known, or does
 * not fit the item, changes nothing.
 */
export function applyUpdate(item, update) {
  UPDATES[update.type]?.(item, update);
}

const UPDATES = {
  "assistant_message.content_part.added": (item, { content_index: at, content }) => {
    part(item, at);
    item.content[at] = { ...content, annotations: [...(content.annotations ?? [])] };
  },
  "assistant_message.content_part.text_delta": (item, { content_index: at, delta }) => {
    part(item, at).text += delta;
  },
  "assistant_message.content_part.annotation_added": (item, update) => {
    part(item, update.content_index).annotations.splice(
      update.annotation_index,
      0,
      update.annotation,
    );
  },
  "assistant_message.content_part.done": (item, { content_index: at, content }) => {
    const { annotations } = part(item, at);
    // The event comes without the annotations that were told before.
    item.content[at] = {
      ...content,
      annotations: content.annotations?.length ? content.annotations : annotations,
    };
  },
  "workflow.task.added": (item, { task_index: at, task }) => {
    item.workflow.tasks.splice(at, 0, task);
  },
  "workflow.task.updated": (item, { task_index: at, task }) => {
    item.workflow.tasks[at] = task;
  },
  "widget.root.updated": (item, { widget }) => {
    item.widget = widget;
  },
  "widget.component.updated": (item, { component_id: id, component }) => {
    item.widget = replaceComponent(item.widget, id, () => component);
  },
  "widget.streaming_text.value_delta": (item, { component_id: id, delta, done }) => {
    const grow = (component) => ({
      ...component,
      value: (component.value ?? "") + delta,
      streaming: !done,
    });
    item.widget = replaceComponent(item.widget, id, grow);
  },
  "generated_image.updated": (item, { image, progress }) => {
    item.image = image;
    item.progress = progress;
  },
};

/** The part of an assistant's message at this place; those before it are made if need be. */
function part(item, at) {
  while (item.content.length <= at) {
    item.content.push({ type: "output_text", text: "", annotations: [] });
  }
  return item.content[at];
}

/** The widget with one component exchanged; what does not hold it stays the same object. */
function replaceComponent(component, id, replace) {
  if (component?.id === id) return replace(component);
  const { children } = component ?? {};
  if (!children || typeof children !== "object") return component;
  if (!Array.isArray(children)) {
    const child = replaceComponent(children, id, replace);
    return child === children ? component : { ...component, children: child };
  }
  const replaced = children.map((child) => replaceComponent(child, id, replace));
  const isSame = replaced.every((child, at) => child === children[at]);
  return isSame ? component : { ...component, children: replaced };
}

/** The text of an item, for the clipboard and for screen readers. */
export function plainText(item) {
  const content = item.content ?? [];
  switch (item.type) {
    case "user_message":
      return content
        .map((part) => (part.type === "input_tag" ? `@${part.text}` : part.text))
        .join("");
    case "assistant_message":
      return content.map((part) => part.text).join("\n\n");
    case "widget":
      return item.copy_text ?? "";
    default:
      return "";
  }
}

/** The items that answer one message of the user: `{message, items}`, oldest first. */
export function turns(items) {
  const turns = [];
  for (const item of items) {
    if (item.type === "user_message" || !turns.length) {
      const isMessage = item.type === "user_message";
      turns.push({ message: isMessage ? item : null, items: isMessage ? [] : [item] });
    } else {
      turns.at(-1).items.push(item);
    }
  }
  return turns;
}
