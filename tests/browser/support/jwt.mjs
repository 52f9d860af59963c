import { createHmac } from "node:crypto";

const encoded = (part) => Buffer.from(JSON.stringify(part)).toString("base64url");

/** An HS256 JWT. */
export function signed(claims, secret) {
  const text = `${encoded({ alg: "HS256", typ: "JWT" })}.${encoded(claims)}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

/** The claims of a JWT, not verified. */
export function claimsOf(token) {
  return JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
}

/**
 * A session token as it will be when its life is over, which lasts half an hour: the same token with
 * its times moved into the past. `secret` is the gateway's `CHATKIT_SESSION_SECRET`.
 */
export function aged(token, secret) {
  const claims = claimsOf(token);
  const past = claims.exp - Math.floor(Date.now() / 1000) + 60;
  return signed({ ...claims, iat: claims.iat - past, exp: claims.exp - past }, secret);
}
