// A line for a shell for each operation.

import { resolve } from "./schema.js";

/** Reads `TOKEN` from the environment, as the lines of the API page do. */
export function curl(api, method, path, operation) {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name) => (name === "user_id" ? "$ME" : "$ID"));
  const parts = [`curl -sS${streams(operation) ? " -N" : ""}`];
  if (method !== "get" && !(method === "post" && operation.requestBody)) parts.push(`-X ${method.toUpperCase()}`);
  parts.push(`"${location.origin}${filled}"`);
  if (operation.security?.some((logins) => Object.keys(logins).length > 0)) parts.push('-H "Authorization: Bearer $TOKEN"');
  for (const parameter of operation.parameters ?? []) {
    if (parameter.in === "header" && parameter.required) parts.push(`-H '${parameter.name}: ${parameter.example ?? "…"}'`);
  }
  const body = operation.requestBody && sampleBody(api, operation.requestBody);
  if (body !== undefined) parts.push("-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(body))}`);
  return parts.join(" \\\n  ");
}

function streams(operation) {
  return Boolean(operation.responses["200"]?.content?.["text/event-stream"]);
}

function sampleBody(api, requestBody) {
  const content = requestBody.content["application/json"];
  if (content.example !== undefined) return content.example;
  const [first] = Object.values(content.examples ?? {});
  return first ? first.value : sample(api, content.schema, 0);
}

/** A value that a schema takes: its required members, each as plain as can be. */
export function sample(api, schema, depth) {
  const target = resolve(api, schema) ?? {};
  if (target.example !== undefined) return target.example;
  if (target.enum) return target.enum[0];
  const choices = (target.oneOf ?? target.anyOf)?.filter((choice) => choice.type !== "null");
  if (choices?.length) return sample(api, choices[0], depth + 1);
  switch ([target.type].flat()[0]) {
    case "string":
      return "text";
    case "integer":
    case "number":
      return target.minimum ?? 0;
    case "boolean":
      return true;
    case "array":
      return [];
    default: {
      const names = depth > 4 ? [] : Object.keys(target.properties ?? {}).filter((name) => target.required?.includes(name));
      return Object.fromEntries(names.map((name) => [name, sample(api, target.properties[name], depth + 1)]));
    }
  }
}

/** A word for a POSIX shell. */
function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
