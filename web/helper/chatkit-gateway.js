/**
 * A `fetch` for ChatKit's `api.fetch` that makes answers survive the network.
 *
 * It adds the session token and renews it, makes repeating a message safe by an idempotency key,
 * and goes on filling the body of an answer from where its connection broke, so that the page sees
 * one stream, byte for byte as the official SDK's server sends it. When the page stops an answer,
 * its run is cancelled; when the tab closes, the run goes on.
 *
 * No dependencies, no build step; for pages and for Node 20 or newer. What each option means stands
 * in chatkit-gateway.d.ts.
 */

/** Requests of the ChatKit protocol that are answered with a stream: they start a run. */
const STREAMING = new Set([
  "threads.create",
  "threads.add_user_message",
  "threads.add_client_tool_output",
  "threads.add_structured_input",
  "threads.retry_after_item",
  "threads.custom_action",
]);
/** Requests of the ChatKit protocol that change nothing. */
const READING = new Set(["threads.get_by_id", "threads.list", "items.list"]);
const TERMINAL = new Set(["completed", "failed", "cancelled", "interrupted"]);
/** Refusals that pass: of the gateway, or of a proxy while the gateway is restarted. */
const PASSING = new Set([408, 429, 502, 503, 504]);
/** Refusals of what is too much, by their codes, with a title for each. */
const LIMITS = new Map([
  ["rate_limited", "Too many requests"],
  ["token_limit", "The daily limit is reached"],
  ["too_many_runs", "Too many answers at the same time"],
  ["overloaded", "The server is busy"],
]);
/**
 * So long after a Stop in a page the run is cancelled. A tab that closes may abort its requests
 * before it is told that it closes; then the page is gone before this is over.
 */
const STOP_GRACE_MS = 50;
/** A new message waits at most so long for the Stop of an earlier answer to arrive. */
const STOP_WAIT_MS = 2_000;
const NOT_CACHED = { cache: "no-store" };

const DEFAULTS = {
  maxRetries: 4,
  maxResumes: 20,
  minDelayMs: 250,
  maxDelayMs: 10_000,
  maxRetryAfterMs: 15_000,
  silenceMs: 45_000,
  renewBeforeMs: 60_000,
  cancelOnAbort: true,
};

/** The reason with which a page aborts a request, or cancels its body, and lets the run go on. */
export const LEAVE = new DOMException("left; the answer goes on without this reader", "AbortError");

/** A refusal of the gateway where there is no response to hand on. */
export class GatewayError extends Error {
  constructor(status, code, message) {
    super(message);
    this.name = "GatewayError";
    this.status = status;
    this.code = code;
  }
}

export function createChatKitFetch(options, host) {
  const settings = { ...DEFAULTS, ...withoutUndefined(options ?? {}) };
  if (typeof settings.getToken !== "function") throw new TypeError("getToken must be a function");
  const here = hostOf(settings, host);
  const base = new URL(settings.baseUrl ?? "/", here.location);
  const root = base.href.replace(/[?#].*$/, "").replace(/\/+$/, "");
  const api = `${root}/api/chatkit`;
  const runUrl = (runId, rest = "") => `${api}/runs/${encodeURIComponent(runId)}${rest}`;
  const tokens = createTokens(settings, here, `${api}/refresh`);

  /** Closes the connection of a response. */
  const closers = new WeakMap();
  /** Runs that this page has left or stopped: the gateway may take a moment to notice. */
  const leftRuns = new Set();
  /** Cancellations on their way. */
  const stops = new Set();
  /** Threads whose run is followed for `liveRun`, each with what ends that. */
  const followed = new Map();
  /** Aborts what one user began before another one's token could be put on it. */
  let userGone = new AbortController();
  let isPageLeaving = false;
  here.page?.addEventListener("pagehide", () => (isPageLeaving = true));
  here.page?.addEventListener("pageshow", () => (isPageLeaving = false));

  // ---- any request -------------------------------------------------------------------------

  async function chatKitFetch(input, init) {
    const route = routeOf(new URL(input instanceof Request ? input.url : input, here.location));
    if (route === null) return here.fetch(input, init);
    const request = await readRequest(input, init, route);
    request.signal.throwIfAborted();
    if (request.startsRun) return startRun(request);
    const send = () => authorized(request.url, request.init);
    return request.isSafe ? repeat(send, { signal: request.signal }) : send();
  }

  /** The path below the base of a URL that takes a session token; no other URL ever gets one. */
  function routeOf(url) {
    const path = `${url.origin}${url.pathname}`;
    if (url.origin === "null" || !path.startsWith(`${root}/`)) return null;
    const route = path.slice(root.length);
    // These take a login, or look after the token themselves.
    if (/^\/api\/chatkit\/(session|refresh|logout)$/.test(route)) return null;
    return /^\/(api\/)?chatkit$|^\/api\/chatkit\//.test(route) ? route : null;
  }

  async function readRequest(input, init, route) {
    const given = input instanceof Request ? initOf(input) : {};
    const sent = { ...given, ...withoutUndefined(init ?? {}) };
    sent.signal = whileUserStays(sent.signal);
    if (input instanceof Request && sent.body === undefined && input.body) {
      sent.body = await input.arrayBuffer();
    }
    const method = (sent.method ?? "GET").toUpperCase();
    const headers = new Headers(sent.headers);
    const request = {
      url: new URL(input instanceof Request ? input.url : input, here.location).href,
      init: sent,
      signal: sent.signal,
      isSafe: method === "GET" || method === "HEAD" || headers.has("Idempotency-Key"),
      startsRun: false,
      isProtocol: false,
      threadId: null,
    };
    const isMessage = route === "/api/chatkit/messages";
    const isProtocol = route === "/chatkit" || route === "/api/chatkit";
    if (method !== "POST" || !(isMessage || isProtocol)) return request;
    const text = typeof sent.body === "string" ? sent.body : await new Response(sent.body).text();
    if (isOneWay(sent.body)) sent.body = text;
    const body = parsed(text);
    if (isMessage) {
      const accept = headers.get("Accept") ?? "";
      const wantsJson = accept.includes("application/json") && !accept.includes("event-stream");
      request.startsRun = body.stream !== false && !wantsJson;
      request.threadId = body.thread_id ?? null;
    } else {
      request.isProtocol = true;
      request.startsRun = STREAMING.has(body.type);
      request.isSafe ||= READING.has(body.type);
      request.threadId = body.params?.thread_id ?? null;
    }
    return request;
  }

  /** Sends with the token, and once more with another one when it was refused. */
  async function authorized(url, init, signal = init.signal) {
    const secret = await untilAborted(tokens.get(), signal);
    const answer = await here.fetch(url, withHeaders(init, bearer(secret)));
    if (answer.status !== 401 || isOneWay(init.body)) return answer;
    const { code } = await errorOf(answer.clone());
    const next = await untilAborted(tokens.after(secret, code), signal).catch((error) => {
      // The page is told by the status, unless it is the network that is away.
      if (signal?.aborted || isNetworkFailure(error)) throw error;
      return secret;
    });
    if (next === secret) return answer;
    discard(answer);
    return here.fetch(url, withHeaders(init, bearer(next)));
  }

  /**
   * Sends again what was refused for now, when `Retry-After` says, within bounds; with `isLossy`
   * also what may not have arrived. Only for what may be sent twice.
   */
  async function repeat(send, options) {
    const { signal, isLossy = false, isRefusedForNow = isPassing } = options;
    const maxTries = options.maxTries ?? settings.maxRetries;
    let waited = 0;
    for (let tries = 1; ; ) {
      let wait = here.backOff(tries);
      try {
        const answer = await send();
        const isFinal = tries > maxTries || !(await isRefusedForNow(answer));
        wait = retryAfterMs(answer, here.now()) ?? wait;
        waited += wait;
        if (isFinal || waited > settings.maxRetryAfterMs) return answer;
        discard(answer);
      } catch (error) {
        const isFinal = !isLossy || !isNetworkFailure(error) || tries > maxTries;
        if (signal?.aborted || isFinal) throw error;
      }
      await here.pause(wait, signal);
      if (!here.isOffline()) tries += 1;
    }
  }

  // ---- starting and stopping runs ----------------------------------------------------------

  async function startRun({ url, init, signal, threadId, isProtocol }) {
    followed.get(threadId)?.abort(LEAVE);
    await stopsArrived(signal);
    const headers = new Headers(init.headers);
    headers.set("ChatKit-Gateway-Client", "1");
    if (!headers.has("Idempotency-Key")) headers.set("Idempotency-Key", newKey());
    const post = { ...init, headers, signal: undefined };
    // The page's signal keeps the message from being sent, but does not close its connection:
    // whoever stops before the answer's head must still learn which run that was, to cancel it.
    const answered = repeat(() => connect(url, post, { unsent: signal }), {
      signal,
      isLossy: true,
      isRefusedForNow: async (answer) => isPassing(answer) || isLeftByUs(answer),
    });
    let answer;
    try {
      answer = await untilAborted(answered, signal);
    } catch (error) {
      if (signal?.aborted) answered.then((late) => dismiss(late, signal.reason), () => {});
      throw error;
    }
    if (!isStream(answer)) {
      onAbort(signal, closers.get(answer));
      return isProtocol && isPassing(answer) ? asNotice(answer) : answer;
    }
    const run = newRun({
      id: answer.headers.get("x-run-id"),
      carried: carriedOf(post),
      repost: (stop) => connect(url, post, { signal: stop }),
    });
    return forPage(answer, run.body(answer, signal));
  }

  /**
   * ChatKit shows any refusal as the same failure. One of what is too much becomes an answer that has
   * nothing but a notice, which says what it is and until when.
   */
  async function asNotice(answer) {
    const { code, message } = await errorOf(answer.clone());
    const title = LIMITS.get(code);
    if (!title) return answer;
    const wait = retryAfterMs(answer, here.now());
    const until = new Date(here.now() + (wait ?? 0));
    const at = until.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
    const again = wait === null ? "" : ` You can try again at ${at}.`;
    const notice = { type: "notice", level: "warning", title, message: `Not sent: ${message}.${again}` };
    discard(answer);
    const headers = { "Content-Type": "text/event-stream" };
    return new Response(`data: ${JSON.stringify(notice)}\n\n`, { headers });
  }

  async function stopsArrived(signal) {
    if (stops.size === 0) return;
    const enough = new AbortController();
    const arrived = Promise.allSettled(stops);
    await untilAborted(Promise.race([arrived, here.pause(STOP_WAIT_MS, enough.signal)]), signal);
    enough.abort();
  }

  /** A head that came when the page was not interested any more. */
  function dismiss(answer, reason) {
    const runId = answer.headers.get("x-run-id");
    closers.get(answer)();
    if (isStream(answer) && runId) leave(runId, reason);
  }

  /** 409 for a run that only this page was reading, and has left. */
  async function isLeftByUs(answer) {
    if (answer.status !== 409 || leftRuns.size === 0) return false;
    return leftRuns.has((await errorOf(answer.clone())).run_id);
  }

  /** The page wants no more of a run: by a Stop it is cancelled; when the page goes it is not. */
  function leave(runId, reason) {
    leftRuns.add(runId);
    if (leftRuns.size > 100) leftRuns.delete(leftRuns.values().next().value);
    if (!settings.cancelOnAbort || reason === LEAVE || isPageLeaving) return;
    const stop = async () => {
      if (here.page) await here.pause(STOP_GRACE_MS);
      if (!isPageLeaving) await cancelRun(runId);
    };
    const stopping = stop().catch(() => {}).finally(() => stops.delete(stopping));
    stops.add(stopping);
  }

  async function cancelRun(runId) {
    // Idempotent; and it outlives the page that sends it. A Stop while the network is away is meant
    // all the same, so it is tried for as long as an answer would be.
    const init = { method: "POST", keepalive: true };
    const send = () => connect(runUrl(runId, "/cancel"), init);
    const answer = await repeat(send, { isLossy: true, maxTries: settings.maxResumes });
    if (!answer.ok) throw await refusalOf(answer);
    return answer.json();
  }

  // ---- reading runs ------------------------------------------------------------------------

  /**
   * A run as this page reads it, behind the event numbered `after`. `carried` goes with every
   * request for its events; `repost` sends its message again, which gives the same run.
   */
  function newRun({ id, after = 0, carried = NOT_CACHED, repost = null }) {
    const frames = new Frames(after);

    /**
     * All events to the run's end, from `answer` and, when that breaks, from other connections.
     *
     * That a body ends cleanly does not say that the run has ended: a proxy may have ended it, or a
     * process that has lost the run to another one. The end is an `error` event, or a connection
     * that has nothing to add although it was opened when the run's status was terminal.
     */
    async function* events(answer, signal) {
      let hasEnded = false;
      let isLost = false;
      for (let tries = 0; ; ) {
        const before = frames.count;
        let isWhole = false;
        let failure = null;
        try {
          for await (const chunk of answer ? chunksOf(answer, signal) : []) {
            const whole = frames.take(chunk);
            if (!whole) continue;
            tries = 0;
            if (isLost) settings.onConnection?.({ state: "restored", runId: id });
            isLost = false;
            yield whole;
          }
          isWhole = answer !== null && frames.isBetween();
        } catch (error) {
          failure = error;
        }
        signal.throwIfAborted();
        frames.dropPartial();
        id = frames.runId ?? id;
        if (isWhole && (frames.endsInError || !frames.hasPositions)) return;
        if (!frames.hasPositions) throw failure ?? new TypeError("the answer broke off");
        if (isWhole && hasEnded && frames.count === before) return;
        try {
          answer = null;
          if (!isWhole || tries > 0) {
            if (!isLost) settings.onConnection?.({ state: "lost", runId: id });
            isLost = true;
            await here.pause(here.backOff(tries + 1), signal);
          }
          if (tries >= settings.maxResumes) throw failure ?? new TypeError("the run does not go on");
          if (!here.isOffline()) tries += 1;
          if (isWhole && !hasEnded) {
            const status = await statusOf(id, carried, signal);
            // Its thread was deleted: nothing more will come.
            if (status === null) return;
            hasEnded = TERMINAL.has(status);
          }
          answer = await reopen(signal);
        } catch (error) {
          signal.throwIfAborted();
          if (!isNetworkFailure(error) || tries >= settings.maxResumes) throw error;
          const wait = Math.min(error.retryAfterMs ?? 0, settings.maxRetryAfterMs);
          if (wait > 0) await here.pause(wait, signal);
        }
      }
    }

    /** A connection that goes on where the last one broke. */
    async function reopen(signal) {
      if (id && !frames.isRetold) {
        const position = frames.seq > 0 ? { "Last-Event-ID": `${id}:${frames.seq}` } : {};
        const init = withHeaders(carried, position);
        const answer = await connect(runUrl(id, "/events"), init, { signal });
        if (answer.ok) return answer;
        if (answer.status !== 410 || !repost) throw await refusalOf(answer);
        // The events are no longer kept. The message, repeated, is answered from the thread.
        discard(answer);
        frames.retell();
      }
      if (!repost) throw new TypeError("the run is not known");
      const answer = await repost(signal);
      if (!answer.ok) throw await refusalOf(answer);
      id ??= answer.headers.get("x-run-id");
      return answer;
    }

    /** The body for the page. */
    function body(answer, pageSignal) {
      const stop = new AbortController();
      const source = events(answer, stop.signal);
      let isOver = false;
      const end = (reason) => {
        if (isOver) return;
        isOver = true;
        stop.abort(reason ?? LEAVE);
        source.return().catch(() => {});
        // A generator that nobody has read from yet does not close what it was given.
        closers.get(answer)(LEAVE);
        if (id) leave(id, reason);
      };
      const close = (finish) => {
        if (isOver) return;
        isOver = true;
        undoAbort();
        finish();
      };
      let undoAbort = () => {};
      return new ReadableStream({
        start(controller) {
          undoAbort = onAbort(pageSignal, (reason) => {
            if (!isOver) controller.error(reason);
            end(reason);
          });
        },
        async pull(controller) {
          try {
            const { done, value } = await source.next();
            if (done) close(() => controller.close());
            else if (!isOver) controller.enqueue(value);
          } catch (error) {
            close(() => controller.error(error));
          }
        },
        cancel: end,
      }, { highWaterMark: 0 });
    }

    return { body, events, reopen };
  }

  /** `null` when the run is gone. */
  async function statusOf(runId, carried, signal) {
    const answer = await connect(runUrl(runId), carried, { signal });
    if (answer.status === 404) return null;
    if (!answer.ok) throw await refusalOf(answer);
    return (await answer.json()).status;
  }

  // ---- connections -------------------------------------------------------------------------

  /**
   * A response whose connection is given up when its head does not come. Where the network has gone
   * without a word nothing else would tell. `signal` closes it; `unsent` only keeps it from being
   * sent.
   */
  async function connect(url, init, { signal, unsent = signal } = {}) {
    unsent?.throwIfAborted();
    const closing = new AbortController();
    const close = (reason) => closing.abort(reason);
    const undoAbort = onAbort(signal, close);
    const timer = here.setTimeout(() => close(silence()), settings.silenceMs);
    try {
      const answer = await authorized(url, { ...init, signal: closing.signal }, unsent);
      closers.set(answer, close);
      return answer;
    } finally {
      here.clearTimeout(timer);
      undoAbort();
    }
  }

  /**
   * What comes on a connection. The gateway is never silent for more than 15 s, so a longer silence
   * is a broken connection; so is one that was there before the network came back.
   */
  async function* chunksOf(answer, signal) {
    const close = closers.get(answer);
    const undoAbort = onAbort(signal, close);
    const changed = () => close(new TypeError("the network has changed"));
    here.page?.addEventListener("online", changed);
    const reader = answer.body.getReader();
    try {
      for (;;) {
        const timer = here.setTimeout(() => close(silence()), settings.silenceMs);
        const { done, value } = await reader.read().finally(() => here.clearTimeout(timer));
        if (done) return;
        yield value;
      }
    } finally {
      here.page?.removeEventListener("online", changed);
      undoAbort();
      close();
    }
  }

  /** A refusal as an error: one that passes is as a network that is away for a while. */
  async function refusalOf(answer) {
    const { code = null, message = `the gateway answered ${answer.status}` } = await errorOf(answer);
    const refusal = new GatewayError(answer.status, code, message);
    if (!isPassing(answer) && answer.status < 500) return refusal;
    const failure = new TypeError(message, { cause: refusal });
    failure.retryAfterMs = retryAfterMs(answer, here.now());
    return failure;
  }

  // ---- what a page may ask for besides -----------------------------------------------------

  /** The events of a run as a response like that to its message. */
  async function watchRun(runId, { after = 0, signal: given } = {}) {
    const signal = whileUserStays(given);
    signal.throwIfAborted();
    const position = after > 0 ? { "Last-Event-ID": `${runId}:${after}` } : {};
    const init = withHeaders(NOT_CACHED, position);
    const send = () => connect(runUrl(runId, "/events"), init, { signal });
    const answer = await repeat(send, { signal, isLossy: true });
    if (!isStream(answer)) return answer;
    return forPage(answer, newRun({ id: runId, after }).body(answer, signal));
  }

  /** The id of the run that is answering a thread, or `null`; with `onUpdate` it is followed. */
  async function liveRun(threadId, onUpdate, { signal: given } = {}) {
    const signal = whileUserStays(given);
    const url = `${api}/threads/${encodeURIComponent(threadId)}`;
    const send = () => connect(url, NOT_CACHED, { signal });
    const answer = await repeat(send, { signal, isLossy: true });
    if (answer.status === 404) return null;
    if (!answer.ok) throw await refusalOf(answer);
    const runId = (await answer.json()).active_run_id ?? null;
    if (runId && onUpdate) follow(threadId, runId, onUpdate, signal);
    return runId;
  }

  /** Calls back when something was stored, and when the run has ended. Leaving it stops nothing. */
  async function follow(threadId, runId, onUpdate, signal) {
    const stop = new AbortController();
    const undoAbort = onAbort(signal, () => stop.abort(LEAVE));
    followed.get(threadId)?.abort(LEAVE);
    followed.set(threadId, stop);
    const run = newRun({ id: runId });
    try {
      const answer = await repeat(() => run.reopen(stop.signal), {
        signal: stop.signal,
        isLossy: true,
      });
      for await (const chunk of run.events(answer, stop.signal)) {
        if (hasItemDone(chunk)) onUpdate({ runId, threadId, ended: false, status: "running" });
      }
      onUpdate({ runId, threadId, ended: true, status: await statusOf(runId, NOT_CACHED, stop.signal) });
    } catch (error) {
      if (!stop.signal.aborted) onUpdate({ runId, threadId, ended: true, status: null, error });
    } finally {
      undoAbort();
      leftRuns.add(runId);
      if (followed.get(threadId) === stop) followed.delete(threadId);
    }
  }

  const whileUserStays = (signal) =>
    signal ? AbortSignal.any([signal, userGone.signal]) : userGone.signal;

  /** Answers the token that was forgotten, or `null`. */
  function forget() {
    const secret = tokens.forget();
    const gone = userGone;
    userGone = new AbortController();
    gone.abort(LEAVE);
    return secret;
  }

  /** Ends the session at the gateway and forgets its token. */
  async function logout() {
    const secret = forget();
    if (!secret) return;
    const answer = await here.fetch(`${api}/logout`, withHeaders({ method: "POST" }, bearer(secret)));
    if (!answer.ok && answer.status !== 401) throw await refusalOf(answer);
    discard(answer);
  }

  return Object.assign(chatKitFetch, {
    liveRun,
    watchRun,
    cancelRun,
    logout,
    forget: () => void forget(),
  });
}

// ---- session tokens ------------------------------------------------------------------------

/** The session token: asked for once, renewed before its end, by one request at a time. */
function createTokens({ getToken, onToken, renewBeforeMs }, here, refreshUrl) {
  let token = null;
  let pending = null;
  /** Counts the users of the page: a token that comes for one that has gone is not kept. */
  let user = 0;

  const once = (task) => {
    const mine = (pending ??= task().finally(() => {
      if (pending === mine) pending = null;
    }));
    return mine;
  };
  const keep = (given, owner) => {
    const next = readToken(given, here.now(), renewBeforeMs);
    if (user === owner) token = next;
    return next.secret;
  };

  async function ask(owner = user) {
    return keep(await getToken(token?.secret ?? null), owner);
  }

  async function renew() {
    const owner = user;
    const init = { method: "POST", cache: "no-store", headers: bearer(token.secret) };
    const answer = await here.fetch(refreshUrl, init);
    if (answer.ok) {
      const secret = keep(await answer.json(), owner);
      if (user === owner) onToken?.(secret);
      return secret;
    }
    discard(answer);
    // It is the session that is over; otherwise the gateway cannot renew anything just now.
    if (answer.status < 500 && answer.status !== 429) return ask(owner);
    throw new TypeError(`the session cannot be renewed now: status ${answer.status}`);
  }

  return {
    async get() {
      if (!token) return once(ask);
      const current = token;
      if (here.now() < current.renewAt) return current.secret;
      try {
        return await once(renew);
      } catch (error) {
        if (here.now() >= current.endsAt) throw error;
        current.renewAt = Math.min(here.now() + 5_000, current.endsAt);
        return current.secret;
      }
    },
    /** The token after one that was refused. */
    async after(secret, code) {
      if (token && token.secret !== secret) return token.secret;
      return once(code === "session_expired" && token ? renew : ask);
    },
    forget() {
      const secret = token?.secret ?? null;
      token = pending = null;
      user += 1;
      return secret;
    },
  };
}

/**
 * A token with the times at which it should be renewed and at which it ends, in ms of this
 * machine's clock. That clock may be wrong, so a token that ended already by it is believed to be
 * new; should it be old, the gateway says so.
 */
function readToken(given, now, renewBeforeMs) {
  const secret = typeof given === "string" ? given : given?.client_secret;
  if (typeof secret !== "string" || secret === "") {
    throw new Error("getToken gave no session token");
  }
  const claims = claimsOf(secret);
  const lifetime = given.expires_in ?? claims.exp - claims.iat;
  const byLifetime = lifetime > 0 ? now + lifetime * 1000 : Infinity;
  const byClock = (given.expires_at ?? claims.exp) * 1000;
  const endsAt = byClock > now ? Math.min(byClock, byLifetime) : byLifetime;
  const margin = endsAt === Infinity ? 0 : Math.min(renewBeforeMs, (endsAt - now) / 5);
  return { secret, endsAt, renewAt: endsAt - margin };
}

/** The claims of a JWT, not verified; none when it is no JWT. */
function claimsOf(secret) {
  const payload = secret.split(".")[1] ?? "";
  try {
    return JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    return {};
  }
}

// ---- frames --------------------------------------------------------------------------------

const LF = 10;
const COLON = 58;
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const ID = encoder.encode("id:");
const END = encoder.encode("\n");
const event = (type) => encoder.encode(`data: {"type":"${type}"`);
const ERROR = event("error");
const ITEM_DONE = encoder.encode('data: {"type":"thread.item.done","item":{"id":"');
/** What a repeated message tells again although the page has it. */
const OPENING = [event("thread.created"), event("stream_options")];

/** Cuts bytes into whole frames, takes positions and comments out, and drops what came before. */
class Frames {
  /** Frames passed on. */
  count = 0;
  runId = null;
  hasPositions = true;
  endsInError = false;
  /** From now on the run is told anew, in whole items, by other positions. */
  isRetold = false;
  #partial = [];
  #itemsDone = new Set();

  constructor(after) {
    this.seq = after;
  }

  /** The whole frames of what came so far, or `null`. */
  take(chunk) {
    const whole = [];
    let start = 0;
    for (let at = chunk.indexOf(LF); at !== -1; at = chunk.indexOf(LF, at + 1)) {
      // A frame ends with an empty line, whose two ends may lie in two chunks.
      const isEnd = at > start ? chunk[at - 1] === LF : start === 0 && this.#partial.at(-1)?.at(-1) === LF;
      if (!isEnd) continue;
      this.#pass(joined([...this.#partial, chunk.subarray(start, at + 1)]), whole);
      this.#partial = [];
      start = at + 1;
    }
    if (start < chunk.length) this.#partial.push(chunk.subarray(start));
    return whole.length > 0 ? joined(whole) : null;
  }

  #pass(frame, whole) {
    const lines = [];
    let id = null;
    for (let start = 0; start < frame.length - 1; ) {
      const end = frame.indexOf(LF, start) + 1;
      const line = frame.subarray(start, end);
      start = end;
      if (startsWith(line, ID)) id = decoder.decode(line.subarray(3, -1)).trim();
      else if (line[0] !== COLON) lines.push(line);
    }
    if (lines.length === 0 || !this.#isNew(id, lines[0])) return;
    this.count += 1;
    this.endsInError = startsWith(lines[0], ERROR);
    whole.push(...lines, END);
  }

  #isNew(id, data) {
    const item = itemDone(data);
    if (this.isRetold) {
      if (OPENING.some((type) => startsWith(data, type)) || this.#itemsDone.has(item)) return false;
    } else {
      const colon = id?.lastIndexOf(":") ?? -1;
      const seq = Number(id?.slice(colon + 1));
      this.hasPositions = colon > 0 && Number.isSafeInteger(seq);
      if (this.hasPositions) {
        this.runId = id.slice(0, colon);
        if (seq <= this.seq) return false;
        this.seq = seq;
      }
    }
    if (item !== null) this.#itemsDone.add(item);
    return true;
  }

  isBetween() {
    return this.#partial.length === 0;
  }

  dropPartial() {
    this.#partial = [];
  }

  retell() {
    this.isRetold = true;
  }
}

/** The id of the item that a data line says is done. */
function itemDone(data) {
  if (!startsWith(data, ITEM_DONE)) return null;
  const end = data.indexOf(34, ITEM_DONE.length);
  return end === -1 ? null : decoder.decode(data.subarray(ITEM_DONE.length, end));
}

function hasItemDone(frames) {
  return decoder.decode(frames).split("\n").some((line) => line.startsWith('data: {"type":"thread.item.done"'));
}

function startsWith(bytes, prefix) {
  return bytes.length >= prefix.length && prefix.every((byte, at) => bytes[at] === byte);
}

function joined(parts) {
  if (parts.length === 1) return parts[0];
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

// ---- the page, or Node ---------------------------------------------------------------------

/** Where the helper runs; `given` is what a test puts in its place. */
function hostOf(settings, given = {}) {
  const page = given.page ?? (typeof document === "undefined" ? null : globalThis);
  const location = given.location ?? page?.document?.baseURI ?? settings.baseUrl;
  if (!location) throw new TypeError("baseUrl is needed outside of a page");
  const here = {
    page,
    location,
    fetch: settings.fetch ?? ((...request) => globalThis.fetch(...request)),
    now: given.now ?? (() => Date.now()),
    setTimeout: given.setTimeout ?? ((...timer) => setTimeout(...timer)),
    clearTimeout: given.clearTimeout ?? ((timer) => clearTimeout(timer)),
    isOffline: () => page?.navigator?.onLine === false,
    /** How long to wait after so many failures: twice as long each time, and never in step. */
    backOff(failures) {
      const most = Math.min(settings.minDelayMs * 2 ** (failures - 1), settings.maxDelayMs);
      const delay = here.isOffline() ? settings.maxDelayMs : most;
      return delay * (0.5 + (given.random ?? Math.random)() / 2);
    },
    /** Waits, and no longer than until the network is back. */
    pause(ms, signal) {
      return new Promise((resolve, reject) => {
        const end = (settle) => (value) => {
          here.clearTimeout(timer);
          page?.removeEventListener("online", wake);
          undoAbort();
          settle(value);
        };
        const wake = end(() => resolve());
        const timer = here.setTimeout(wake, ms);
        page?.addEventListener("online", wake);
        const undoAbort = onAbort(signal, (reason) => queueMicrotask(() => end(reject)(reason)));
      });
    },
  };
  return here;
}

// ---- small things --------------------------------------------------------------------------

const bearer = (secret) => ({ Authorization: `Bearer ${secret}` });
const isPassing = (answer) => PASSING.has(answer.status);
const isOneWay = (body) => typeof ReadableStream !== "undefined" && body instanceof ReadableStream;
const isStream = (answer) =>
  answer.ok && (answer.headers.get("content-type") ?? "").startsWith("text/event-stream");
/** What `fetch` throws when the network fails. */
const isNetworkFailure = (error) => error?.name === "TypeError";
const silence = () => new TypeError("the gateway is silent");
const discard = (answer) => void answer.body?.cancel().catch(() => {});
const withoutUndefined = (given) =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));

function withHeaders(init, more) {
  const headers = new Headers(init.headers);
  for (const [name, value] of Object.entries(more)) headers.set(name, value);
  return { ...init, headers };
}

/** What a page set for its message that holds for requests about the run, too. */
function carriedOf({ headers, credentials, mode }) {
  const carried = new Headers(headers);
  for (const name of ["content-type", "content-length", "accept", "idempotency-key"]) {
    carried.delete(name);
  }
  return withoutUndefined({ ...NOT_CACHED, headers: carried, credentials, mode });
}

/** The parts of a request that `fetch` takes beside its URL and its body. */
function initOf(request) {
  const { method, headers, credentials, cache, redirect, referrerPolicy, integrity, keepalive, signal } =
    request;
  return { method, headers, credentials, cache, redirect, referrerPolicy, integrity, keepalive, signal };
}

/** The same answer with another body. */
function forPage({ status, statusText, headers }, body) {
  const kept = new Headers(headers);
  kept.delete("content-length");
  return new Response(body, { status, statusText, headers: kept });
}

/** What the gateway says of an error; nothing when somebody else answered. */
async function errorOf(answer) {
  return parsed(await answer.text().catch(() => "")).error ?? {};
}

function parsed(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

/** `Retry-After` in ms: seconds, or a date. */
function retryAfterMs(answer, now) {
  const header = answer.headers.get("retry-after");
  if (!header) return null;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isNaN(ms) ? null : Math.max(ms, 0);
}

/** Calls `react` with the reason when the signal aborts; answers how to undo that. */
function onAbort(signal, react) {
  if (!signal) return () => {};
  const listener = () => react(signal.reason);
  if (signal.aborted) listener();
  else signal.addEventListener("abort", listener, { once: true });
  return () => signal.removeEventListener("abort", listener);
}

/** The promise, or the signal's reason as soon as it aborts. */
function untilAborted(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const undo = onAbort(signal, reject);
    promise.then(resolve, reject).finally(undo);
  });
}

/** `crypto.randomUUID` is missing where a page is not served securely. */
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
