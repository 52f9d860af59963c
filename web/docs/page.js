// The API's description for people: fetched from the gateway, shown as text, nothing else loaded.

import { curl } from "./curl.js";
import { element, prose } from "./dom.js";
import { label, tree } from "./schema.js";

const METHODS = ["get", "post", "put", "patch", "delete"];

function paragraphs(text) {
  return (text ?? "").split("\n\n").filter(Boolean).map((part) => element("p", {}, ...prose(part)));
}

function operationsOf(api) {
  return Object.entries(api.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ path, method, operation: item[method] })),
  );
}

function heading(method, path) {
  return [element("span", { class: `method ${method}` }, method.toUpperCase()), " ", element("code", {}, path)];
}

function table(columns, rows) {
  const head = element("tr", {}, ...columns.map((column) => element("th", { scope: "col" }, column)));
  const body = rows.map((cells) => element("tr", {}, ...cells.map((cell) => element("td", {}, ...[cell].flat()))));
  const whole = element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
  return element("div", { class: "wide" }, whole);
}

function logins(operation) {
  const schemes = (operation.security ?? []).map((requirement) => Object.keys(requirement)[0]);
  if (schemes.length === 0) return "No token.";
  const names = { session_token: "a session token", better_auth: "a Better Auth JWT" };
  return `Authorization: Bearer with ${schemes.map((scheme) => names[scheme] ?? "none where the body has it").join(", or ")}.`;
}

function parameters(operation) {
  const rows = (operation.parameters ?? []).map((parameter) => [
    element("code", {}, parameter.required ? parameter.name : `${parameter.name}?`),
    parameter.in,
    label(parameter.schema),
    prose(parameter.description ?? ""),
  ]);
  return rows.length > 0 ? [element("h4", {}, "Parameters"), table(["name", "in", "value", ""], rows)] : [];
}

function contents(api, content) {
  return Object.entries(content ?? {}).flatMap(([type, { schema, example, examples }]) => {
    const named = Object.entries(examples ?? {}).map(([name, { value }]) => [name, value]);
    const all = example === undefined ? named : [["Example", example], ...named];
    return [
      element("div", { class: "content" }, element("span", { class: "media" }, type), tree(api, schema, "")),
      ...all.map(([name, value]) =>
        element("details", {}, element("summary", {}, name), code(typeof value === "string" ? value : JSON.stringify(value, null, 2))),
      ),
    ];
  });
}

function answers(api, operation) {
  return Object.entries(operation.responses).map(([status, response]) =>
    element(
      "details",
      { class: "answer" },
      element("summary", {}, element("strong", {}, status), " ", ...prose(response.description.split("\n\n")[0])),
      ...paragraphs(response.description.split("\n\n").slice(1).join("\n\n")),
      ...contents(api, response.content),
      ...Object.entries(response.headers ?? {}).map(([name, header]) =>
        element("p", { class: "note" }, element("code", {}, name), ": ", ...prose(header.description ?? "")),
      ),
    ),
  );
}

function code(text) {
  return element("pre", { tabindex: "0" }, element("code", {}, text));
}

function copied(text) {
  const button = element("button", { type: "button" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      // Pages of plain HTTP have no clipboard, unless they are of this machine.
      button.textContent = "Select and copy";
    }
  });
  return element("div", { class: "curl" }, code(text), button);
}

function section(api, { path, method, operation }) {
  return element(
    "section",
    { id: operation.operationId, "aria-label": `${method.toUpperCase()} ${path}` },
    element("h3", {}, ...heading(method, path)),
    element("p", { class: "summary" }, ...prose(operation.summary ?? "")),
    ...paragraphs(operation.description),
    element("p", { class: "note" }, logins(operation)),
    ...parameters(operation),
    ...(operation.requestBody ? [element("h4", {}, "Body"), ...contents(api, operation.requestBody.content)] : []),
    element("h4", {}, "Answers"),
    ...answers(api, operation),
    element("h4", {}, "Try it"),
    copied(curl(api, method, path, operation)),
  );
}

function show(api) {
  const main = document.getElementById("main");
  const routes = document.getElementById("routes");
  document.getElementById("version").textContent = api.info.version;
  main.replaceChildren(element("h1", {}, "The HTTP API"), ...paragraphs(api.info.description));
  const all = operationsOf(api);
  for (const tag of api.tags) {
    const own = all.filter(({ operation }) => operation.tags?.[0] === tag.name);
    main.append(element("h2", {}, tag.name), ...paragraphs(tag.description), ...own.map((one) => section(api, one)));
    const links = own.map(({ path, method, operation }) =>
      element("li", {}, element("a", { href: `#${operation.operationId}` }, ...heading(method, path))),
    );
    routes.append(element("h2", {}, tag.name), element("ul", {}, ...links));
  }
  // The browser looked for it before it was there.
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

async function start() {
  try {
    const answer = await fetch("/openapi.json");
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    show(await answer.json());
  } catch (error) {
    document.getElementById("word")?.replaceChildren(`The description cannot be read: ${error.message}`);
  }
}

await start();
