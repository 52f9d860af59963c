// Schemas of the description as trees that open one level at a time.

import { element, prose } from "./dom.js";

/** What a reference stands for. */
export function resolve(api, schema) {
  const name = schema?.$ref?.split("/").at(-1);
  return name ? api.components.schemas[name] : schema;
}

/** A schema in a few words: its name, its type, its bounds. */
export function label(schema) {
  if (!schema || schema === true) return "any JSON";
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) return choices.length > 4 ? "one of" : choices.map(label).join(" or ");
  if (schema.allOf) return schema.allOf.map(label).join(" and ");
  const types = [schema.type ?? "any JSON"].flat();
  const words = types.map((type) => (type === "array" ? `array of ${label(schema.items)}` : type)).join(" or ");
  return [words, ...bounds(schema)].join(", ");
}

function bounds(schema) {
  const told = [
    ["format", ""],
    ["minimum", "at least "],
    ["maximum", "at most "],
    ["minLength", "length at least "],
    ["maxLength", "length at most "],
    ["maxItems", "items at most "],
    ["pattern", "pattern "],
    ["default", "by default "],
  ];
  return told.filter(([name]) => schema[name] !== undefined && schema[name] !== null).map(([name, words]) => words + schema[name]);
}

/** A schema that can be opened as long as there is something inside. */
export function tree(api, schema, title) {
  const inside = () => members(api, resolve(api, schema));
  const line = [title && element("code", { class: "member" }, title), " ", element("span", { class: "type" }, label(schema))];
  const text = (resolve(api, schema) ?? {}).description ?? schema?.description;
  if (!hasMembers(api, schema)) return element("div", { class: "leaf" }, ...line, " ", text && element("span", { class: "note" }, ...prose(text)));

  const details = element("details", {}, element("summary", {}, ...line));
  // Filled when it is opened: schemas name each other in circles.
  details.addEventListener("toggle", () => {
    if (details.childElementCount > 1) return;
    if (text) details.append(element("p", { class: "note" }, ...prose(text)));
    details.append(...inside());
  });
  return details;
}

function hasMembers(api, schema) {
  const target = resolve(api, schema);
  if (!target) return false;
  if (target.type === "array") return hasMembers(api, target.items);
  const choices = target.oneOf ?? target.anyOf ?? target.allOf;
  return Boolean(target.properties ?? choices?.some((choice) => hasMembers(api, choice)));
}

function members(api, schema) {
  if (!schema) return [];
  if (schema.type === "array") return members(api, resolve(api, schema.items));
  const choices = schema.oneOf ?? schema.anyOf;
  const rows = Object.entries(schema.properties ?? {}).map(([name, member]) =>
    tree(api, member, schema.required?.includes(name) ? name : `${name}?`),
  );
  if (choices) rows.push(...choices.map((choice) => tree(api, choice, choiceName(choice))));
  for (const part of schema.allOf ?? []) rows.push(...members(api, resolve(api, part)));
  return rows;
}

/** The `type` that tells a choice from the others. */
function choiceName(choice) {
  const parts = [choice, ...(choice.allOf ?? [])];
  const type = parts.map((part) => part.properties?.type).find(Boolean);
  return type?.enum?.[0] ?? type?.const ?? "";
}
