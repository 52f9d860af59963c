// A remote agent in Node, without dependencies. It answers with what it was told, word by word.
//
//   AGENT_SECRET=… node agent.mjs [PORT]
//
// Prints the port that it listens on. AGENT_SECRET is the secret that the gateway signs with.

import { createAgentServer, textOf } from "./gateway_agent.mjs";

/** The events of an answer. Identifiers are this agent's own: the gateway gives items others. */
async function* respond(turn) {
  const item = { id: "answer", type: "assistant_message", content: [] };
  yield { type: "progress_update", text: "Thinking" };
  yield { type: "thread.item.added", item };
  const words = `You said: ${textOf(turn.input)}`.split(/(?<= )/);
  for (const [number, delta] of words.entries()) {
    const update = {
      type: "assistant_message.content_part.text_delta",
      content_index: 0,
      delta,
    };
    yield { type: "thread.item.updated", item_id: "answer", update };
    // Somebody is reading along.
    if (number % 8 === 7) await new Promise((resume) => setTimeout(resume, 5));
  }
  const content = [{ type: "output_text", text: words.join(""), annotations: [] }];
  yield { type: "thread.item.done", item: { ...item, content } };
}

const server = createAgentServer(respond, process.env.AGENT_SECRET);
server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => {
  console.log(server.address().port);
});
