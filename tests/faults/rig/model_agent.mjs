// A remote agent that hands on what the rig's model says: `node model_agent.mjs PORT`. The wire to the
// gateway is that of the example.

import { createAgentServer, textOf } from "../../../examples/remote_agent/node/gateway_agent.mjs";

const MODEL = process.env.OPENAI_BASE_URL;

async function* respond(turn, signal) {
  const item = { id: "answer", type: "assistant_message", content: [] };
  yield { type: "thread.item.added", item };
  let text = "";
  for await (const delta of deltas(textOf(turn.input), signal)) {
    text += delta;
    const update = { type: "assistant_message.content_part.text_delta", content_index: 0, delta };
    yield { type: "thread.item.updated", item_id: "answer", update };
  }
  const content = [{ type: "output_text", text, annotations: [] }];
  yield { type: "thread.item.done", item: { ...item, content } };
}

async function* deltas(message, signal) {
  const input = [{ role: "user", content: [{ type: "input_text", text: message }] }];
  const response = await fetch(`${MODEL}/responses`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "rig", stream: true, input }),
    signal,
  });
  if (!response.ok) throw new Error(`the model answered ${response.status}`);
  let rest = "";
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop();
    for (const line of lines.filter((line) => line.startsWith("data: {"))) {
      const event = JSON.parse(line.slice("data: ".length));
      if (event.type === "response.output_text.delta") yield event.delta;
      if (event.type === "response.completed") return;
    }
  }
  throw new Error("the model's answer broke off");
}

createAgentServer(respond, process.env.AGENT_SECRET).listen(Number(process.argv[2]), "127.0.0.1", function () {
  console.log(this.address().port);
});
