/**
 * Server-Sent Events out of a response's body: `{id, event}`, where `event` is the JSON of the data
 * and `id` the last `id:` line, if there was one. Comments and events that are no JSON are left out.
 *
 * An error of the body is thrown, and so is a body that ends inside an event: what is missing is for
 * the caller to fetch again.
 */
export async function* readEvents(body) {
  let id = null;
  let data = [];
  for await (const line of readLines(body)) {
    if (line === "") {
      const event = data.length ? parse(data.join("\n")) : null;
      data = [];
      if (event) yield { id, event };
    } else if (line.startsWith("data:")) {
      data.push(value(line, 5));
    } else if (line.startsWith("id:")) {
      id = value(line, 3);
    }
  }
  if (data.length) throw new TypeError("the stream ended inside an event");
}

function value(line, start) {
  return line.slice(line[start] === " " ? start + 1 : start);
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Lines without their ends, which are LF, CRLF or CR. */
async function* readLines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value: chunk } = await reader.read();
      if (done) break;
      const lines = (rest + chunk).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop();
      yield* lines;
    }
    if (rest) yield rest.replace(/\r$/, "");
  } finally {
    reader.cancel().catch(() => {});
  }
}
