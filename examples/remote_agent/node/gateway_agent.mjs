// What an agent in Node needs to stand behind the gateway, without dependencies.

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

/** A request that was signed longer ago, in seconds, is refused: somebody may have kept it. */
const MAX_AGE = 300;

/**
 * A server that answers the gateway's turns with what `respond(turn, signal)` yields: events of ChatKit.
 * `secret` is what the gateway signs with. `signal` is aborted when nobody wants the answer any more:
 * the run was stopped, or the gateway is gone.
 */
export function createAgentServer(respond, secret) {
  if ((secret ?? "").length < 32) throw new Error("the secret needs at least 32 bytes");
  return createServer((request, response) => {
    answer(request, response, respond, secret).catch((error) => {
      if (!response.destroyed) console.error(error);
      // A connection that breaks off tells the gateway that the answer is not whole.
      response.destroy();
    });
  });
}

/** What the user wrote. */
export function textOf(item) {
  return (item?.content ?? []).map((part) => part.text ?? "").join("");
}

/**
 * The event that asks for calls of the gateway's tools: `[{ call_id, name, arguments }]`. When `respond`
 * has ended they are made, and it is asked again, with their outputs in `turn.tool_calls`.
 */
export function callTools(calls) {
  return { type: "tool_calls", calls };
}

/** The calls of this run so far. */
export function callsOf(turn) {
  return turn.tool_calls.filter((call) => call.run_id === turn.run_id);
}

/** Whether the gateway sent this, and lately. */
function isSigned(request, body, secret) {
  const timestamp = request.headers["chatkit-gateway-timestamp"] ?? "";
  const given = Buffer.from(request.headers["chatkit-gateway-signature"] ?? "");
  const hmac = createHmac("sha256", secret).update(`${timestamp}.`).update(body);
  const right = Buffer.from(`v1=${hmac.digest("hex")}`);
  const age = Math.abs(Date.now() / 1000 - Number(timestamp));
  return age <= MAX_AGE && given.length === right.length && timingSafeEqual(given, right);
}

async function answer(request, response, respond, secret) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  const body = Buffer.concat(pieces);
  if (!isSigned(request, body, secret)) {
    response.writeHead(401).end();
    return;
  }
  const unwanted = new AbortController();
  response.on("close", () => unwanted.abort());
  response.writeHead(200, { "content-type": "text/event-stream" });
  for await (const event of respond(JSON.parse(body), unwanted.signal)) {
    if (response.destroyed) return;
    response.write(`data: ${JSON.stringify(event)}\n\n`);
  }
  response.end("data: [DONE]\n\n");
}
