// A remote agent in Node, without dependencies. It answers with what it was told, word by word; told to
// "remember …" it calls the gateway's tool add_task first, if gateway.toml lets it.
//
//   AGENT_SECRET=… node agent.mjs [PORT]
//
// Prints the port that it listens on. AGENT_SECRET is the secret that the gateway signs with.

import { callTools, callsOf, createAgentServer, textOf } from "./gateway_agent.mjs";

/** The events of an answer. Identifiers are this agent's own: the gateway gives items others. */
async function* respond(turn) {
  const [call] = callsOf(turn);
  const [, title] = /^remember (.+)/s.exec(textOf(turn.input)) ?? [];
  if (title && !call && turn.tools.some((tool) => tool.name === "add_task")) {
    yield callTools([{ call_id: "remember", name: "add_task", arguments: { title } }]);
    return;
  }
  const item = { id: "answer", type: "assistant_message", content: [] };
  yield { type: "progress_update", text: "Thinking" };
  yield { type: "thread.item.added", item };
  const answer = call ? `That is kept: ${call.status}.` : `You said: ${textOf(turn.input)}`;
  const words = answer.split(/(?<= )/);
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
