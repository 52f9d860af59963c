// A real model behind an OpenAI-compatible API: `POST /v1/chat/completions`, streamed, by llama.cpp
// through node-llama-cpp. Prints its base URL. One answer at a time; others wait for their turn.
//
// Usage: node server.mjs MODEL.gguf
//
// Tools are looked at, and refused where OpenAI would refuse them, but not shown to the model: one of
// this size cannot use them. `GET /counters` says how many answers were begun, ended and given up.

import { createServer } from "node:http";
import { getLlama, LlamaChat, resolveChatWrapper } from "node-llama-cpp";

const CONTEXT_TOKENS = 4096;
const TOOL_NAME = /^[a-zA-Z0-9_-]{1,64}$/;

const llama = await getLlama({ gpu: false, build: "never", logLevel: "error", maxThreads: 2 });
const model = await llama.loadModel({ modelPath: process.argv[2] });
const context = await model.createContext({ contextSize: CONTEXT_TOKENS });
const sequence = context.getSequence();
const chat = new LlamaChat({ contextSequence: sequence, chatWrapper: resolveChatWrapper(model) });
const counters = { begun: 0, ended: 0, given_up: 0 };
let turn = Promise.resolve();

class Refusal extends Error {}

// The messages as the library has them. Its history alternates on its own terms: a turn of the model
// is a list of texts.
function historyOf(messages) {
  if (!Array.isArray(messages) || messages.length === 0) throw new Refusal("messages is missing");
  const history = [];
  for (const { role, content } of messages) {
    const text =
      typeof content === "string" ? content : (content ?? []).map((part) => part.text ?? "").join("\n");
    if (role === "system") history.push({ type: "system", text });
    else if (role === "user" || role === "tool") history.push({ type: "user", text });
    else if (role === "assistant") history.push({ type: "model", response: [text] });
    else throw new Refusal(`the role ${role} is not known`);
  }
  // The turn that is asked for.
  history.push({ type: "model", response: [""] });
  return history;
}

function checkTools(tools = []) {
  for (const { type, function: tool } of tools) {
    const isGood = type === "function" && TOOL_NAME.test(tool?.name) && tool.parameters?.type === "object";
    if (!isGood) throw new Refusal(`the tool ${JSON.stringify(tool?.name)} cannot be read`);
  }
}

async function answer(request, response) {
  const parts = [];
  for await (const part of request) parts.push(part);
  const body = JSON.parse(Buffer.concat(parts).toString());
  if (!body.stream) throw new Refusal("this server only streams");
  const history = historyOf(body.messages);
  checkTools(body.tools);
  const left = new AbortController();
  response.on("close", () => left.abort());
  counters.begun += 1;
  const mine = turn.then(() => generate(body, history, response, left.signal));
  turn = mine.catch(() => {});
  await mine;
}

async function generate(body, history, response, signal) {
  const head = { id: `chatcmpl-${counters.begun}`, object: "chat.completion.chunk", created: 1, model: body.model };
  const send = (chunk) => response.write(`data: ${JSON.stringify({ ...head, ...chunk })}\n\n`);
  const choice = (delta, finish_reason = null) => ({ choices: [{ index: 0, delta, finish_reason }] });
  if (signal.aborted) return void (counters.given_up += 1);
  response.writeHead(200, { "content-type": "text/event-stream" });
  send(choice({ role: "assistant", content: "" }));
  const before = sequence.tokenMeter.getState();
  let output = 0;
  try {
    const { metadata } = await chat.generateResponse(history, {
      maxTokens: body.max_tokens,
      temperature: body.temperature ?? 0,
      signal,
      onToken: (tokens) => (output += tokens.length),
      onTextChunk: (content) => send(choice({ content })),
    });
    send(choice({}, metadata.stopReason === "maxTokens" ? "length" : "stop"));
  } catch (error) {
    if (signal.aborted) return void (counters.given_up += 1);
    throw error;
  }
  if (body.stream_options?.include_usage) {
    // What the model read anew; the beginning that it knew from the last turn is cached.
    const read = sequence.tokenMeter.diff(before).usedInputTokens;
    const prompt_tokens = Math.max(read, sequence.contextTokens.length - output);
    const prompt_tokens_details = { cached_tokens: Math.max(0, prompt_tokens - read) };
    const usage = { prompt_tokens, completion_tokens: output, total_tokens: prompt_tokens + output };
    send({ choices: [], usage: { ...usage, prompt_tokens_details } });
  }
  response.end("data: [DONE]\n\n");
  counters.ended += 1;
}

const server = createServer((request, response) => {
  if (request.method === "GET") return response.end(JSON.stringify(counters));
  answer(request, response).catch((error) => {
    const status = error instanceof Refusal || error instanceof SyntaxError ? 400 : 500;
    console.error(error);
    const refusal = JSON.stringify({ error: { message: error.message, type: "server_error", code: status } });
    if (response.headersSent) return response.end(`data: ${refusal}\n\n`);
    response.writeHead(status, { "content-type": "application/json" }).end(refusal);
  });
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/v1`));
