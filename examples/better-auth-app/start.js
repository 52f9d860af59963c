// Starts the app and the gateway beside it, until Ctrl+C. The gateway is the one at GATEWAY_BINARY, or
// built from this repository. Without a model of yours (OPENAI_API_KEY or OPENAI_BASE_URL), the
// repository's scripted model answers.

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const repository = fileURLToPath(new URL("../..", import.meta.url));
const app = process.env.APP_ORIGIN || `http://127.0.0.1:${process.env.PORT || 5180}`;
const gateway = process.env.GATEWAY_ORIGIN || "http://127.0.0.1:8000";
const children = [];
let isEnding = false;

process.on("SIGINT", end).on("SIGTERM", end);
const hasModel = process.env.OPENAI_API_KEY || process.env.OPENAI_BASE_URL;
const model = hasModel ? {} : { OPENAI_BASE_URL: await startModel() };
await startApp();
run(...program("GATEWAY_BINARY", ["--bin", "chatkit-gateway"]), {
  // The databases and the settings of the example stay in its folder.
  cwd: here,
  env: {
    BIND_ADDR: new URL(gateway).host,
    BETTER_AUTH_JWKS_URL: `${app}/api/auth/jwks`,
    // The login's own key is not the gateway's business.
    BETTER_AUTH_SECRET: "",
    CHATKIT_SESSION_SECRET: process.env.CHATKIT_SESSION_SECRET || keptSecret(".session-secret"),
    CHATKIT_CORS_ORIGINS: app,
    ...model,
  },
});

/** The app's server, which the gateway asks for the key set as soon as it starts. */
async function startApp() {
  const child = run(process.execPath, ["server/main.js"], {
    cwd: here,
    env: {
      GATEWAY_ORIGIN: gateway,
      BETTER_AUTH_SECRET: process.env.BETTER_AUTH_SECRET || keptSecret(".auth-secret"),
    },
    stdout: "pipe",
  });
  console.log(await lineOf(child, "App "));
}

/** The scripted model; answers where it listens. */
async function startModel() {
  const [command, args] = program("MODEL_BINARY", ["--example", "scripted_upstream"]);
  const child = run(command, [...args, "--assistant", "--port", "0"], { cwd: here, stdout: "pipe" });
  const url = await lineOf(child, "http://");
  console.log("Model    scripted: set OPENAI_API_KEY for a real one");
  return url;
}

/** The first line of a program's output that begins so. */
async function lineOf(child, start) {
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith(start)) return line;
  }
  // What it said itself stands on the terminal.
  process.exit(1);
}

/** A binary that is there already, or one that cargo builds first. */
function program(variable, target) {
  const binary = process.env[variable];
  if (binary) return [binary, []];
  const manifest = ["--manifest-path", `${repository}Cargo.toml`];
  return ["cargo", ["run", "--quiet", ...manifest, ...target, "--"]];
}

/** A program that ends with the others: when one of them has ended, all do. */
function run(command, args, { cwd, env = {}, stdout = "inherit" }) {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", stdout, "inherit"],
  });
  children.push(child);
  child.on("error", (error) => {
    console.error(`${command}: ${error.message}`);
    process.exitCode = 1;
    end();
  });
  child.on("exit", (code) => {
    if (!isEnding) process.exitCode = code || 1;
    end();
  });
  return child;
}

function end() {
  if (isEnding) return;
  isEnding = true;
  for (const child of children) child.kill("SIGTERM");
}

/** A secret that outlives a restart, so that nobody is signed out by it. */
function keptSecret(name) {
  const file = `${here}${name}`;
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    const secret = randomBytes(48).toString("base64");
    writeFileSync(file, `${secret}\n`, { mode: 0o600 });
    return secret;
  }
}
