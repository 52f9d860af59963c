/** A session token with its end, as `POST /api/chatkit/session` answers it. */
export interface ChatKitSession {
  client_secret: string;
  /** Unix seconds. */
  expires_at?: number;
  /** Seconds from now. It counts more than `expires_at`, which needs a clock that is right. */
  expires_in?: number;
}

/** A run's status; the last four are final. */
export type RunStatus =
  | "queued"
  | "running"
  | "completed"
  | "failed"
  | "cancelled"
  | "interrupted";

/** A run, as `/api/chatkit/runs/{id}` answers it. Times are RFC 3339, UTC. */
export interface Run {
  id: string;
  thread_id: string;
  status: RunStatus;
  created_at: string;
  ended_at?: string;
  error?: { code: string; message: string };
  usage?: Record<string, number>;
}

/** What became of a run that is followed. */
export interface RunUpdate {
  runId: string;
  threadId: string;
  /** Whether the run has ended, or following it failed: nothing more is called back. */
  ended: boolean;
  /** `null` when it is not known: the thread was deleted, or following it failed. */
  status: RunStatus | null;
  /** Why following it failed. */
  error?: unknown;
}

export interface ChatKitFetchOptions {
  /**
   * Gives a session token: the string alone, or what `POST /api/chatkit/session` answered. It is
   * called when there is none, and when the one there was, `current`, cannot be renewed. Do not
   * share a token between tabs: a token that was renewed and is renewed once more, more than 30 s
   * later, counts as stolen, and its session ends.
   */
  getToken(
    current: string | null,
  ): string | ChatKitSession | Promise<string | ChatKitSession>;
  /**
   * Told of each token that a renewal gave. Whoever keeps the token, so that a reload finds it, keeps
   * this one from then on: the one before it is good for no other renewal.
   */
  onToken?(secret: string): void;
  /** Where the gateway is. In a page the default is the page's own origin. */
  baseUrl?: string | URL;
  /** What sends the requests; the default is the global `fetch`. */
  fetch?: typeof fetch;
  /** How often a message is sent again that may not have arrived, or was refused for now. 4. */
  maxRetries?: number;
  /**
   * How many attempts in a row to go on with a broken answer may fail before the page is told. 20,
   * which is about two and a half minutes. Attempts while the browser is offline do not count.
   */
  maxResumes?: number;
  /** The wait before the first repetition, which doubles each time. 250 ms. */
  minDelayMs?: number;
  /** The longest wait of this kind. 10 s. */
  maxDelayMs?: number;
  /** How long to obey `Retry-After`, all waits of a request together. 15 s. */
  maxRetryAfterMs?: number;
  /** A connection that is silent for so long is broken; the gateway speaks every 15 s. 45 s. */
  silenceMs?: number;
  /** How long before its end a token is renewed, at most a fifth of its life. 60 s. */
  renewBeforeMs?: number;
  /** Whether a page that aborts a request cancels its run. `true`. */
  cancelOnAbort?: boolean;
  /** Told when the connection of an answer breaks, and when it goes on. */
  onConnection?(change: { state: "lost" | "restored"; runId: string | null }): void;
}

/** `fetch` for ChatKit's `api.fetch`, with what a page may ask for besides. */
export interface ChatKitFetch {
  (input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
  /**
   * The id of the run that is answering a thread at the moment, or `null`. With `onUpdate` the run
   * is followed: called when something of it was stored, and when it has ended, which is when
   * ChatKit's `fetchUpdates()` has something to fetch. Aborting `signal` ends the calls and nothing
   * else; so does a message that this page posts to the thread.
   */
  liveRun(
    threadId: string,
    onUpdate?: (update: RunUpdate) => void,
    options?: { signal?: AbortSignal },
  ): Promise<string | null>;
  /**
   * The events of a run behind the one numbered `after`, to its end, as a response like that to its
   * message: it survives the network, and aborting it cancels the run unless by `LEAVE`.
   */
  watchRun(
    runId: string,
    options?: { after?: number; signal?: AbortSignal },
  ): Promise<Response>;
  /** Stops a run. It may be repeated. */
  cancelRun(runId: string): Promise<Run>;
  /** Ends the session at the gateway, and forgets its token as `forget` does. */
  logout(): Promise<void>;
  /**
   * Forgets the token: for a page whose user has changed. What is under way is aborted by `LEAVE`, so
   * that nothing of one user is sent with another one's token; runs go on.
   */
  forget(): void;
}

/** What a test puts in the place of the page. */
export interface ChatKitFetchHost {
  page?: EventTarget & { navigator?: { onLine: boolean } };
  /** What relative URLs are relative to. */
  location?: string;
  /** ms since 1970. */
  now?(): number;
  /** From 0 to 1. */
  random?(): number;
  setTimeout?(task: () => void, ms: number): unknown;
  clearTimeout?(timer: unknown): void;
}

/**
 * Makes the `fetch` for ChatKit's `api.fetch`.
 *
 * Requests to `/chatkit` and `/api/chatkit…` below `baseUrl` get the session token; all others go
 * to `fetch` as they are.
 */
export function createChatKitFetch(
  options: ChatKitFetchOptions,
  host?: ChatKitFetchHost,
): ChatKitFetch;

/** The reason with which a page aborts a request, or cancels its body, and lets the run go on. */
export const LEAVE: DOMException;

/**
 * A refusal where there is no response to hand on: in mid-answer, and of `liveRun`, `cancelRun` and
 * `logout`.
 */
export class GatewayError extends Error {
  constructor(status: number, code: string | null, message: string);
  readonly status: number;
  /** Such as `not_found`; `null` when it was not the gateway that answered. */
  readonly code: string | null;
}
