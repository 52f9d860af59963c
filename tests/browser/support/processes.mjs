import { spawn, execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

import { signed } from "./jwt.mjs";
import { freePort } from "./proxy.mjs";

/** Where cargo has put the binaries. */
const BINARIES = process.env.GATEWAY_BINARIES ?? path.resolve("target/debug");
const GATEWAY = process.env.TEST_GATEWAY ?? path.join(BINARIES, "chatkit-gateway");
const MODEL = process.env.TEST_MODEL ?? path.join(BINARIES, "examples/scripted_upstream");
/** Where scripts/lib/browser.sh has built examples/better-auth-app. */
const APP = process.env.BETTER_AUTH_APP ?? path.resolve("target/better-auth-app/examples/better-auth-app");

/** The login's secret of every gateway here. */
const SECRET = "a-secret-of-the-login-for-tests-only";

/** A program that runs until it is stopped. */
class Running {
  #child;
  #folder;

  constructor(child, folder = null) {
    this.#child = child;
    this.#folder = folder;
  }

  async stop() {
    if (this.#child.exitCode === null) {
      const ended = new Promise((resolve) => this.#child.once("exit", resolve));
      this.#child.kill("SIGINT");
      // The second signal cuts the wait for answers that are under way.
      this.#child.kill("SIGTERM");
      await ended;
    }
    if (this.#folder) await rm(this.#folder, { recursive: true, force: true });
  }
}

function start(program, args, env, { cwd, stderr = "inherit" } = {}) {
  const child = spawn(program, args, {
    cwd,
    env: { PATH: process.env.PATH, RUST_LOG: "error", ...env },
    stdio: ["ignore", "pipe", stderr],
  });
  child.on("error", (error) => console.error(`${program}: ${error.message}`));
  return child;
}

/** The first line of a program's output that the pattern fits. */
async function awaitLine(child, pattern) {
  for await (const line of createInterface({ input: child.stdout })) {
    const found = pattern.exec(line);
    if (found) return found[1];
  }
  throw new Error(`the program ended without a line like ${pattern}`);
}

/** `chatkit-gateway demo`: `{origin, stop}`. */
export async function startDemo() {
  const folder = await mkdtemp(path.join(tmpdir(), "gateway-"));
  const args = ["demo", "--port", "0", "--database", `${folder}/demo.db`];
  const child = start(GATEWAY, args, {}, { cwd: folder });
  const origin = await awaitLine(child, /^ *Page +(http:\/\/[^/]+)\//);
  child.stdout.resume();
  return Object.assign(new Running(child, folder), { origin });
}

/**
 * The scripted model, whose answers stand in the messages, or with `assistant` are those of the demo:
 * `{url, stop}`.
 */
export async function startModel({ assistant = false } = {}) {
  const child = start(MODEL, ["--port", "0", ...(assistant ? ["--assistant"] : [])], {});
  return Object.assign(new Running(child), { url: await awaitLine(child, /^(http:\/\/\S+)$/) });
}

/**
 * A gateway that serves, with a model at `modelUrl`, or with the agent of `examples/custom_agent`:
 * `{origin, token(user, ttl), login(user), stop}`.
 */
export async function startGateway({ modelUrl = null, env = {}, toml = null, port = null } = {}) {
  const folder = await mkdtemp(path.join(tmpdir(), "gateway-"));
  if (toml) await writeFile(path.join(folder, "gateway.toml"), toml);
  const address = `127.0.0.1:${port ?? (await freePort())}`;
  const settings = {
    BIND_ADDR: address,
    DATABASE_URL: `sqlite://${folder}/gateway.db`,
    BETTER_AUTH_SECRET: SECRET,
    CHATKIT_TITLES: "first_words",
    ...(modelUrl && { OPENAI_BASE_URL: modelUrl }),
    ...env,
  };
  const program = modelUrl ? GATEWAY : path.join(BINARIES, "examples/custom_agent");
  // The example tells all that it does, whatever it is asked to tell.
  const child = start(program, [], settings, { cwd: folder, stderr: modelUrl ? "inherit" : "ignore" });
  child.stdout.resume();
  const origin = `http://${address}`;
  await ready(origin, child);
  return Object.assign(new Running(child, folder), { origin, token, login });
}

/**
 * The server of examples/better-auth-app as scripts/lib/browser.sh has built it, with accounts in
 * memory: `{origin, stop}`. `gateway` is the origin that its page asks.
 */
export async function startApp({ port, gateway, client }) {
  const child = start(process.execPath, [path.join(APP, "server/main.js")], {
    PORT: String(port),
    GATEWAY_ORIGIN: gateway,
    CHAT_CLIENT: client,
    AUTH_DATABASE: "memory",
    BETTER_AUTH_SECRET: SECRET,
  });
  const origin = await awaitLine(child, /^App +(http:\/\/[^/]+)\//);
  child.stdout.resume();
  return Object.assign(new Running(child), { origin });
}

async function ready(origin, child) {
  for (;;) {
    const answer = await fetch(`${origin}/ready`).catch(() => null);
    if (answer?.ok) return;
    if (child.exitCode !== null) throw new Error("the gateway did not start");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A session token of a user, as `chatkit-gateway token` prints it. */
async function token(user, ttl = "30m") {
  const env = { PATH: process.env.PATH, BETTER_AUTH_SECRET: SECRET };
  const { stdout } = await promisify(execFile)(GATEWAY, ["token", "--user", user, "--ttl", ttl], { env });
  return stdout.trim();
}

/** A login's JWT of a user, as Better Auth would sign it. */
function login(user) {
  const now = Math.floor(Date.now() / 1000);
  const claims = { sub: user, iat: now, exp: now + 900 };
  return signed(claims, SECRET);
}
