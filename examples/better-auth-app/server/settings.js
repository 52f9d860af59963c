/** Which chat the page shows: ChatKit where it can be had, ChatKit alone, or the gateway's own. */
const CLIENTS = ["auto", "chatkit", "own"];

/** Reads the settings from the environment; throws, with words for the user, when one is not good. */
export function readSettings(env) {
  const port = Number(env.PORT || 5180);
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new Error(`PORT must be a number from 1 to 65535, not ${env.PORT}`);
  }
  const secret = env.BETTER_AUTH_SECRET ?? "";
  if (Buffer.byteLength(secret) < 32) {
    throw new Error("BETTER_AUTH_SECRET must have at least 32 bytes: openssl rand -base64 48");
  }
  const client = env.CHAT_CLIENT || "auto";
  if (!CLIENTS.includes(client)) {
    throw new Error(`CHAT_CLIENT must be one of ${CLIENTS.join(", ")}, not ${client}`);
  }
  return {
    port,
    secret,
    client,
    origin: originOf(env.APP_ORIGIN || `http://127.0.0.1:${port}`, "APP_ORIGIN"),
    gateway: originOf(env.GATEWAY_ORIGIN || "http://127.0.0.1:8000", "GATEWAY_ORIGIN"),
    domainKey: env.CHATKIT_DOMAIN_KEY || "local-dev",
    file: env.AUTH_DATABASE === "memory" ? null : env.AUTH_DATABASE || "better-auth.db",
  };
}

function originOf(text, name) {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || url.origin !== text.replace(/\/$/, "") || !/^https?:$/.test(url.protocol)) {
    throw new Error(`${name} must be an origin such as http://127.0.0.1:5180, not ${text}`);
  }
  return url.origin;
}
