/** Where the token of this tab is kept: it ends with the tab, and other tabs do not see it. */
const TOKEN = "chatkit-gateway.token";
const USER = "chatkit-gateway.user";

/**
 * Who is signed in. In the demo anybody is, by a name; elsewhere whoever has a token: a session token,
 * or a login's JWT, which is exchanged for one.
 */
export class Session {
  #users;

  constructor({ demo_users: users }) {
    this.#users = users;
  }

  get isDemo() {
    return this.#users.length > 0;
  }

  get users() {
    return this.#users;
  }

  get user() {
    if (!this.isDemo) return claimsOf(this.#token)?.user_id ?? null;
    const chosen = sessionStorage.getItem(USER);
    return this.#users.includes(chosen) ? chosen : this.#users[0];
  }

  get isSignedIn() {
    return this.isDemo || this.#token !== null;
  }

  get #token() {
    return sessionStorage.getItem(TOKEN);
  }

  /** Another of the demo's users. */
  choose(user) {
    sessionStorage.setItem(USER, user);
  }

  /** Takes a token that was pasted. Throws, with words for the user, when it is not good. */
  async signIn(text) {
    const token = text.trim().replace(/^Bearer\s+/i, "");
    const claims = claimsOf(token);
    if (!claims) throw new Error("That is no token: it should have three parts with dots between.");
    const isSession = claims.type === "chatkit_session";
    const session = isSession ? await tried(token) : await exchanged(token);
    sessionStorage.setItem(TOKEN, session);
  }

  signOut() {
    sessionStorage.removeItem(TOKEN);
  }

  /** For the fetch helper: a token; `refused` is the one that was not taken any more, if any. */
  async getToken(refused) {
    if (this.isDemo) return demoSession(this.user);
    if (this.#token === null || this.#token === refused) {
      this.signOut();
      throw refusal(401, "signed out");
    }
    return this.#token;
  }

  /** The successor of the token, which is of no more use. */
  keep(token) {
    if (!this.isDemo && this.isSignedIn) sessionStorage.setItem(TOKEN, token);
  }
}

async function demoSession(user) {
  const response = await fetch("/demo/session", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ user }),
  });
  if (!response.ok) throw refusal(response.status, await problemOf(response));
  return response.json();
}

/** An error with the status by which the chat knows what to do about it. */
function refusal(status, message) {
  return Object.assign(new Error(message), { status, code: "unauthorized" });
}

/** A session token, when the gateway takes it. */
async function tried(token) {
  const response = await fetch("/api/chatkit/threads?limit=1", { headers: bearer(token) });
  if (response.ok) return token;
  throw new Error(await problemOf(response));
}

/** The session token for a login's JWT. */
async function exchanged(login) {
  const response = await fetch("/api/chatkit/session", { method: "POST", headers: bearer(login) });
  if (response.ok) return (await response.json()).client_secret;
  throw new Error(await problemOf(response));
}

async function problemOf(response) {
  const { error } = await response.json().catch(() => ({}));
  if (error?.code === "session_expired") return "That token has expired. Take a new one.";
  if (response.status === 401) return "The gateway does not take that token.";
  return error?.message ?? `The gateway answered ${response.status}.`;
}

const bearer = (token) => ({ Authorization: `Bearer ${token}` });

/** The claims of a JWT, not verified: that is the gateway's. */
function claimsOf(token) {
  try {
    const bytes = atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
    return JSON.parse(
      new TextDecoder().decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0))),
    );
  } catch {
    return null;
  }
}
