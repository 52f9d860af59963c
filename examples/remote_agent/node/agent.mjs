// A remote agent in Node, without dependencies. It answers with what it was told, word by word.
//
//   AGENT_SECRET=… node agent.mjs [PORT]
//
// Prints the port that it listens on. AGENT_SECRET is the secret that the gateway signs with.

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const SECRET = process.env.AGENT_SECRET ?? "";
/** A request that was signed longer ago, in seconds, is refused: somebody may have kept it. */
const MAX_AGE = 300;

if (SECRET.length < 32) {
  console.error("AGENT_SECRET needs at least 32 bytes");
  process.exit(1);
}

/** Whether the gateway sent this, and lately. */
function isSigned(request, body) {
  const timestamp = request.headers["chatkit-gateway-timestamp"] ?? "";
  const given = Buffer.from(request.headers["chatkit-gateway-signature"] ?? "");
  const hmac = createHmac("sha256", SECRET).update(`${timestamp}.`).update(body);
  const right = Buffer.from(`v1=${hmac.digest("hex")}`);
  const age = Math.abs(Date.now() / 1000 - Number(timestamp));
  return age <= MAX_AGE && given.length === right.length && timingSafeEqual(given, right);
}

/** What the user wrote. */
function textOf(item) {
  return (item?.content ?? []).map((part) => part.text ?? "").join("");
}

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

async function answer(request, response) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  const body = Buffer.concat(pieces);
  if (!isSigned(request, body)) {
    response.writeHead(401).end();
    return;
  }
  const turn = JSON.parse(body);
  response.writeHead(200, { "content-type": "text/event-stream" });
  for await (const event of respond(turn)) {
    // The gateway closes the connection when the run is stopped.
    if (response.destroyed) return;
    response.write(`data: ${JSON.stringify(event)}\n\n`);
  }
  response.end("data: [DONE]\n\n");
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error(error);
    // A connection that breaks off tells the gateway that the answer is not whole.
    response.destroy();
  });
});
server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => {
  console.log(server.address().port);
});
