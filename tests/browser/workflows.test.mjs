import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";

const here = new URL(".", import.meta.url);

/** The numbers that a pattern finds in a text, each once, in order. */
function numbers(text, pattern) {
  return [...new Set([...text.matchAll(pattern)].map((found) => Number(found[1])))].sort((a, b) => a - b);
}

test("each workflow of the documentation has a test, and each such test a workflow", async () => {
  const page = await readFile(new URL("../../docs/ui-workflows.md", here), "utf8");
  const files = (await readdir(here)).filter((name) => name.endsWith(".test.mjs"));
  const texts = await Promise.all(files.map((name) => readFile(new URL(name, here), "utf8")));

  const described = numbers(page, /^### (\d+)\. /gm);

  assert.ok(described.length >= 10);
  assert.deepEqual(numbers(texts.join("\n"), /^test\("workflow (\d+): /gm), described);
});
