// Requests, with the token.

import { text } from "./text.js";

let token = null;
const asked = new URLSearchParams(location.hash.slice(1)).get("token");
try {
  if (asked) sessionStorage.setItem("token", asked);
  token = asked ?? sessionStorage.getItem("token");
} catch { token = asked; }
// Out of the address, where it would be seen and kept.
if (asked) history.replaceState(null, "", location.pathname);

export function enter(value) {
  token = value;
  try { sessionStorage.setItem("token", value); } catch { /* Then it is asked for again after a reload. */ }
}

export class Problem extends Error {
  constructor(status, detail) { super(detail); this.status = status; }
}

// Asks the server; an error is a Problem in its words.
export async function ask(path, options = {}) {
  const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  const answer = await fetch(path, { ...options, headers });
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  const failure = new Problem(answer.status, problem.detail ?? `${answer.status} ${answer.statusText}`);
  failure.after = Number(answer.headers.get("retry-after"));
  throw failure;
}

// The same, again after a while where the server is busy.
export async function insist(path, options, waiting = () => {}) {
  for (let attempt = 0; ; attempt++) {
    try { return await ask(path, options); } catch (failure) {
      if (failure.status !== 503 || attempt > 20) throw failure;
      waiting(text("busy"));
      await new Promise((done) => setTimeout(done, (failure.after || 1) * 1000 * (1 + Math.random())));
    }
  }
}

export const query = (path, values) => `${path}?${new URLSearchParams(values)}`;

// An image whose address needs the token.
export async function picture(image, path, options) {
  const blob = await (await insist(path, options)).blob();
  if (image.src) URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(blob);
  await image.decode().catch(() => {});
  return image;
}

// Watches what changes, by server-sent events: `changed` is called with each list of it, `lost` when the connection is.
// An event source could not send the token. Ends it when called.
export function watch(path, changed, lost) {
  const stop = new AbortController();
  (async () => {
    while (!stop.signal.aborted) {
      try {
        const answer = await ask(path, { signal: stop.signal });
        const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
        let waiting = "";
        for (let part = await reader.read(); !part.done; part = await reader.read()) {
          const events = (waiting + part.value).split("\n\n");
          waiting = events.pop();
          for (const event of events.filter((event) => event.startsWith("data: "))) changed(JSON.parse(event.slice(6)));
        }
      } catch { /* It is tried again. */ }
      if (stop.signal.aborted) return;
      lost();
      await new Promise((done) => setTimeout(done, 3000));
    }
  })();
  return () => stop.abort();
}
