import { createChatKitFetch, type ChatKitFetch, type ChatKitSession } from "chatkit-gateway";

import { authClient } from "./auth-client";
import { Refusal } from "./refusal";

/**
 * Where a tab keeps the session token, so that a reload needs no login: `{user, secret}`. Each tab has
 * its own, since a token that two renew counts as stolen.
 */
const KEPT = "better-auth-app.session";

interface Kept {
  user: string;
  secret: string;
}

interface Options {
  /** The gateway's origin. */
  gateway: string;
  /** Better Auth's id of who is logged in. */
  user: string;
  /** The login is over, or is somebody else's by now. */
  onLoginEnded(): void;
  onConnection(change: { state: "lost" | "restored" }): void;
}

/** The `fetch` of one user for the gateway: it gets the session token, and renews it. */
export function createGatewayFetch({ gateway, user, onLoginEnded, onConnection }: Options): ChatKitFetch {
  return createChatKitFetch({
    baseUrl: gateway,
    onConnection,
    async getToken(current) {
      await endSessionUnlessOf(user, gateway);
      const kept = readKept();
      if (kept && kept.secret !== current) return kept.secret;
      sessionStorage.removeItem(KEPT);
      try {
        const session = await openSession(gateway, await loginOf(user));
        keep({ user, secret: session.client_secret });
        return session;
      } catch (error) {
        if (error instanceof Refusal && error.status === 401) onLoginEnded();
        throw error;
      }
    },
    onToken(secret) {
      keep({ user, secret });
      // The gateway renews without asking the login. Whether that still holds is looked at here.
      void authClient.getSession().then(({ data, error }) => {
        if (!error && data?.user.id !== user) onLoginEnded();
      }, () => {});
    },
  });
}

/** Ends the kept session at the gateway when it is not this user's; null is nobody. */
export async function endSessionUnlessOf(user: string | null, gateway: string): Promise<void> {
  const kept = readKept();
  if (!kept || kept.user === user) return;
  sessionStorage.removeItem(KEPT);
  // It ends by itself, too, if that does not arrive.
  await fetch(`${gateway}/api/chatkit/logout`, {
    method: "POST",
    headers: { Authorization: `Bearer ${kept.secret}` },
    keepalive: true,
  }).catch(() => {});
}

/** Better Auth's JWT of this user, good for some minutes. */
async function loginOf(user: string): Promise<string> {
  const { data, error } = await authClient
    .token()
    .catch(() => ({ data: null, error: { status: 0, message: undefined } }));
  if (error?.status === 401) throw new Refusal(401, "Your session has ended.", "unauthorized");
  if (!data) throw new Refusal(error?.status ?? 0, "The login cannot be reached.", "login");
  // The cookie is the browser's: in another tab somebody else may have logged in.
  if (subjectOf(data.token) !== user) {
    throw new Refusal(401, "Somebody else has logged in.", "unauthorized");
  }
  return data.token;
}

async function openSession(gateway: string, login: string): Promise<ChatKitSession> {
  const response = await fetch(`${gateway}/api/chatkit/session`, {
    method: "POST",
    headers: { Authorization: `Bearer ${login}` },
    cache: "no-store",
  }).catch(() => {
    throw new Refusal(0, "The chat cannot be reached.", "network");
  });
  if (response.ok) return response.json() as Promise<ChatKitSession>;
  const body = await response.json().catch(() => null);
  // A good login that the gateway refuses is a mistake of whoever set it up: logging in again would
  // change nothing, so this is no 401 for the page.
  const message =
    response.status === 401
      ? "The chat does not take your login. Is it set up for this page?"
      : (body?.error?.message ?? `The chat answered ${response.status}.`);
  const status = response.status === 401 ? 403 : response.status;
  throw new Refusal(status, message, body?.error?.code);
}

function readKept(): Kept | null {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null") as Partial<Kept> | null;
    return typeof kept?.secret === "string" && typeof kept.user === "string" ? (kept as Kept) : null;
  } catch {
    return null;
  }
}

function keep(kept: Kept): void {
  sessionStorage.setItem(KEPT, JSON.stringify(kept));
}

/** Whose a JWT is; not verified, which is the gateway's. */
function subjectOf(token: string): string | null {
  try {
    const text = atob((token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/"));
    return (JSON.parse(text) as { sub?: string }).sub ?? null;
  } catch {
    return null;
  }
}
