import { readFile, readdir } from "node:fs/promises";
import path from "node:path";

const CHATKIT = "https://cdn.platform.openai.com";
const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

/**
 * The page as Vite has built it into `folder`, all read at once: a handler that answers GET and HEAD.
 * The page gets what it must know, `{gateway, client, domainKey}`, from `/config.json`.
 */
export async function createPages(folder, { gateway, client, domainKey }) {
  const files = new Map();
  for (const name of await namesIn(folder)) {
    const type = TYPES[path.extname(name)] ?? "application/octet-stream";
    // Names below assets/ have a hash of the content in them.
    const cache = name.startsWith("assets/") ? "public, max-age=31536000, immutable" : "no-cache";
    const body = await readFile(path.join(folder, name));
    files.set(`/${name}`, { body, headers: { "Content-Type": type, "Cache-Control": cache } });
  }
  if (!files.has("/index.html")) throw new Error(`no page in ${folder}: run \`npm run build\` first`);
  files.set("/", files.get("/index.html"));
  files.set("/config.json", {
    body: Buffer.from(JSON.stringify({ gateway, client, domainKey })),
    headers: { "Content-Type": "application/json", "Cache-Control": "no-store" },
  });
  const policy = {
    "Content-Security-Policy": policyFor(gateway),
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "X-Content-Type-Options": "nosniff",
  };

  return (request, response) => {
    const { pathname } = new URL(request.url, "http://page");
    const file = files.get(pathname);
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.writeHead(405, { Allow: "GET, HEAD" }).end();
    } else if (!file) {
      response.writeHead(404, { "Content-Type": "text/plain" }).end("There is nothing here.\n");
    } else {
      response.writeHead(200, { ...file.headers, ...policy, "Content-Length": file.body.length });
      response.end(request.method === "HEAD" ? undefined : file.body);
    }
  };
}

async function namesIn(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath ?? entry.path, entry.name)))
    .map((name) => name.replaceAll(path.sep, "/"));
}

/** ChatKit's script and frame are OpenAI's, and its styles stand in the page; all else is ours. */
function policyFor(gateway) {
  return [
    "default-src 'none'",
    `script-src 'self' ${gateway} ${CHATKIT}`,
    `style-src 'self' ${gateway} 'unsafe-inline'`,
    `connect-src 'self' ${gateway}`,
    `frame-src ${CHATKIT}`,
    "img-src 'self' data: blob:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}
