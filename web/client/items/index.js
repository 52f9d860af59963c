import { AssistantMessage } from "./assistant-message.js";
import { ClientToolCall } from "./client-tool-call.js";
import { GeneratedImage } from "./generated-image.js";
import { StructuredInput } from "./structured-input.js";
import { UnknownItem } from "./unknown.js";
import { UserMessage } from "./user-message.js";
import { WidgetItem } from "./widget-item.js";
import { Task, Workflow } from "./workflow.js";

const VIEWS = {
  user_message: UserMessage,
  assistant_message: AssistantMessage,
  client_tool_call: ClientToolCall,
  widget: WidgetItem,
  generated_image: GeneratedImage,
  structured_input: StructuredInput,
  workflow: Workflow,
  task: Task,
};

/** Items that show nothing. */
const SILENT = new Set(["end_of_turn", "hidden_context_item", "sdk_hidden_context"]);

/**
 * The view of an item, or null for one that shows nothing. A view has `element` and
 * `update(item, {open})`, where `open` says that more of the item is to come; `context` is what it may
 * use of the chat: `{conversation, base, announce, runAction}`.
 */
export function itemView(item, context) {
  if (SILENT.has(item.type)) return null;
  const View = VIEWS[item.type] ?? UnknownItem;
  return new View(context);
}
