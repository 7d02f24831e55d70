/** The API as a browser uses it: tokens, requests and the stream. Knows nothing of the page. */

// sessionStorage keeps the tokens over a reload, for this tab, and for one that is duplicated from
// it, which begins with a copy. Unlike a cookie they go nowhere by themselves, so no other site can act with them. A script smuggled into the page could
// read them, as it could a variable: the content security policy keeps such scripts out.
const KEY = "socialapi.tokens";
const STREAM = "/posts/stream";
// Milliseconds. A stream says something every 15 seconds; one that does not has broken unnoticed.
const SILENCE = 45_000;
const LONGEST_PAUSE = 30_000;
const LONGEST_WAIT = 3_600_000;
const REPLY = 200;

/** An answer that is an error (RFC 9457), or none at all, whose `status` is 0. */
export class Problem extends Error {
  constructor({ status = 0, detail, errors = {} }, pause = 0) {
    super(detail);
    this.status = status;
    this.errors = errors;
    this.pause = pause;
  }

  /** Read an answer, which may be a proxy's. */
  static async of(response) {
    const isOurs = response.headers.get("Content-Type")?.startsWith("application/problem+json");
    const { status } = response;
    const problem = isOurs ? await response.json() : { detail: `The server answered ${status}.` };
    return new Problem({ ...problem, status }, pauseOf(response.headers.get("Retry-After") ?? "0"));
  }
}

/** Return the milliseconds that Retry-After asks for, in seconds or by a date. */
function pauseOf(text) {
  const pause = /^\d+$/.test(text) ? 1000 * text : Date.parse(text) - Date.now();
  return Math.min(pause || 0, LONGEST_WAIT);
}

export const sleep = (pause) => new Promise((wake) => setTimeout(wake, pause));

/** Send a request and return what the answer holds; throws a Problem, or an AbortError. */
async function send(method, path, { body, token, headers, signal, asStream } = {}) {
  try {
    const answer = await fetch(path, {
      method,
      signal,
      body: body && JSON.stringify(body),
      headers: {
        ...headers,
        ...(body && { "Content-Type": "application/json" }),
        ...(token && { Authorization: `Bearer ${token}` }),
      },
      // Whoever has a session of the browsable API is somebody else here.
      credentials: "omit",
    });
    if (!answer.ok) throw await Problem.of(answer);
    if (asStream) return answer.body;
    return answer.status === 204 ? null : await answer.json();
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof Problem) throw error;
    throw new Problem({ detail: "The server cannot be reached." });
  }
}

/** Return the tokens that the tab has kept, or null. */
function readTokens() {
  try {
    const tokens = JSON.parse(sessionStorage.getItem(KEY));
    const texts = [tokens?.access_token, tokens?.refresh_token];
    return texts.every((text) => typeof text === "string") ? tokens : null;
  } catch {
    return null;
  }
}

/** What a user can do. Each call throws a Problem, or an AbortError if the login ends first. */
export class Client {
  #tokens = readTokens();
  #login = new AbortController();
  #renewal = null;
  #whenLoggedOut;
  #copies = new BroadcastChannel(KEY);

  /** `whenLoggedOut` is called when a login ends, whoever ended it. */
  constructor(whenLoggedOut) {
    this.#whenLoggedOut = whenLoggedOut;
    this.#copies.onmessage = ({ data: { spent, tokens } }) => {
      if (tokens && spent === this.#tokens?.refresh_token) this.#keep(tokens);
      if (!tokens && spent === this.#tokens?.spent) this.#tellCopies();
    };
  }

  get isLoggedIn() {
    return this.#tokens !== null;
  }

  async signUp(account) {
    await send("POST", "/users", { body: account });
  }

  async logIn(email, password) {
    const tokens = await send("POST", "/login", { body: { email, password } });
    this.#login = new AbortController();
    this.#keep(tokens);
  }

  async logOut() {
    const { refresh_token } = this.#tokens;
    this.#forget();
    await send("POST", "/logout", { body: { refresh_token } });
  }

  /** Return what the answer holds; null, if nothing. */
  request(method, path, body) {
    return this.#send(method, path, { body });
  }

  /**
   * Watch the stream until the login ends, and call `onEvent(name, data)` for each event,
   * `onOpen(isResumed)` whenever it begins or goes on, `onBreak(problem)` whenever it ends.
   */
  async watch({ onEvent, onOpen, onBreak }) {
    const { signal } = this.#login;
    let lastId = "";
    let retry = 1000;
    let failures = 0;
    while (!signal.aborted) {
      let problem = null;
      try {
        const headers = lastId && { "Last-Event-ID": lastId };
        const stream = await this.#send("GET", STREAM, { headers, asStream: true });
        failures = 0;
        onOpen(lastId !== "");
        for await (const fields of blocks(stream)) {
          if (fields.retry) retry = Number(fields.retry);
          if (fields.data) onEvent(fields.event, JSON.parse(fields.data));
          if (fields.id) lastId = fields.id; // Comments have one, too.
        }
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        problem = error;
      }
      if (signal.aborted) return;
      onBreak(problem);
      const pause = Math.min(retry * 2 ** failures++, LONGEST_PAUSE);
      // A server that comes back is not to meet everyone at once.
      const spread = pause * (0.5 + Math.random() / 2);
      await sleep(Math.max(spread, problem?.pause ?? 0));
    }
  }

  /** Send a request with a token; if that has expired, renew it and try once more. */
  async #send(method, path, options) {
    const { signal } = this.#login;
    const used = this.#tokens;
    const attempt = () => {
      signal.throwIfAborted();
      return send(method, path, { ...options, token: this.#tokens.access_token, signal });
    };
    try {
      return await attempt();
    } catch (error) {
      if (error.status !== 401) throw error;
    }
    try {
      await this.#renew(used, signal);
      return await attempt();
    } catch (error) {
      if (error.status === 401) this.#forget();
      signal.throwIfAborted();
      throw error;
    }
  }

  /** Exchange the tokens once, however many requests found them expired. */
  async #renew(used, signal) {
    if (this.#tokens !== used) return;
    this.#renewal ??= this.#exchange(used, signal).finally(() => (this.#renewal = null));
    await this.#renewal;
  }

  /** A refresh token is good for one use, so tabs that are copies take turns, and share. */
  async #exchange({ refresh_token }, signal) {
    const exchange = async () => {
      this.#copies.postMessage({ spent: refresh_token });
      await sleep(REPLY);
      signal.throwIfAborted();
      if (this.#tokens.refresh_token !== refresh_token) return;
      const tokens = await send("POST", "/token/refresh", { body: { refresh_token }, signal });
      this.#keep({ ...tokens, spent: refresh_token });
      this.#tellCopies();
    };
    // Browsers have locks for pages that came by HTTPS or from the same machine.
    if (navigator.locks) await navigator.locks.request(refresh_token, { signal }, exchange);
    else await exchange();
  }

  #tellCopies() {
    this.#copies.postMessage({ spent: this.#tokens.spent, tokens: this.#tokens });
  }

  #keep(tokens) {
    this.#tokens = tokens;
    sessionStorage.setItem(KEY, JSON.stringify(tokens));
  }

  #forget() {
    this.#tokens = null;
    sessionStorage.removeItem(KEY);
    this.#login.abort();
    this.#whenLoggedOut();
  }
}

/** Yield the fields of each block of a stream of events, until it ends; throws a Problem. */
async function* blocks(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await inTime(reader.read());
      if (done) return;
      const parts = (text + value).split("\n\n");
      text = parts.pop();
      for (const part of parts)
        yield Object.fromEntries(part.split("\n").map((line) => line.split(/: (.*)/s)));
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Wait for what is read next, but not for ever. */
async function inTime(reading) {
  let timer;
  const silence = new Promise((_, reject) => (timer = setTimeout(reject, SILENCE)));
  try {
    return await Promise.race([reading, silence]);
  } catch {
    throw new Problem({ detail: "The connection was lost." });
  } finally {
    clearTimeout(timer);
  }
}
