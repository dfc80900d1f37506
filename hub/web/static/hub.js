// The connection to the hub: asking, the stream of changes, and whether it stands.

import { useEffect, useState, useRef } from "./vendor/htm-preact.mjs";

const listeners = new Set();
const THROTTLE_MS = 700;
const REFRESH_MS = 30000;
const AGAIN_MS = 1000;
const ANSWER_MS = 60000;
const SILENT_MS = 16000;
const LOOK_MS = 2000;

/** Where these pages are served: `/` by the hub, `/ui/` by a gateway. */
const BASE = new URL(".", import.meta.url).pathname;
export const isGateway = BASE !== "/";
const at = (path) => BASE + path.slice(1);

let source = null;
let heard = 0;
let pending = null;
export const contact = { state: "connecting", since: Date.now() };

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export async function ask(path, options = {}) {
  const answer = await fetch(at(path), { credentials: "same-origin", signal: AbortSignal.timeout(ANSWER_MS), ...options });
  if (answer.status === 204) return null;
  const body = await answer.json().catch(() => ({ detail: answer.statusText }));
  if (!answer.ok) throw new Refused(answer.status, body.detail || answer.statusText);
  return body;
}

export const post = (path, body) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

export function url(path, query) {
  const found = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const text = new URLSearchParams(found).toString();
  return text ? `${path}?${text}` : path;
}

function tell(kind) {
  for (const listener of listeners) listener(kind);
}

function become(state) {
  if (contact.state === state) return;
  contact.state = state;
  contact.since = Date.now();
  tell("contact");
}

function changed() {
  if (pending) return;
  pending = setTimeout(() => {
    pending = null;
    tell("changed");
  }, THROTTLE_MS);
}

/** Follow the stream of changes; when it breaks, say so, and try again until the hub is back. */
export function connect() {
  disconnect();
  source = new EventSource(at("/api/live"));
  heard = Date.now();
  const live = () => {
    heard = Date.now();
    become("live");
  };
  source.addEventListener("ping", live);
  for (const kind of ["hello", "changed"]) source.addEventListener(kind, () => { live(); changed(); });
  source.addEventListener("error", () => {
    become("lost");
    if (source && source.readyState === EventSource.CLOSED) setTimeout(reconnect, AGAIN_MS);
  });
}

async function reconnect() {
  try {
    await ask("/api/session");
    connect();
  } catch (error) {
    if (error.status === 401) tell("ended");
    else setTimeout(reconnect, AGAIN_MS);
  }
}

/** A line may be dead without breaking: who is silent for three pings is lost. */
setInterval(() => {
  if (!source || Date.now() - heard < SILENT_MS) return;
  become("lost");
  disconnect();
  reconnect();
}, LOOK_MS);

export function disconnect() {
  if (source) source.close();
  source = null;
}

export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The answer to a question, asked again when something changes; the last one stays until the next is there. */
export function useAnswer(path) {
  const [answer, setAnswer] = useState({ path: null, data: null, error: null });
  const wanted = useRef(path);
  wanted.current = path;
  useEffect(() => {
    if (!path) return undefined;
    let again = null, asking = false, outdated = false, gone = false;
    // One question at a time: on a slow hub they would pile up, and an older answer could come last.
    const look = async () => {
      clearTimeout(again);
      outdated = asking;
      if (asking || gone) return;
      asking = true;
      try {
        const data = await ask(path);
        if (wanted.current === path) setAnswer({ path, data, error: null });
      } catch (error) {
        if (error.status === 401) tell("ended");
        if (error.status === 503) again = setTimeout(look, AGAIN_MS);
        if (wanted.current === path && error instanceof Refused) setAnswer({ path, data: null, error: error.message });
      }
      asking = false;
      if (outdated) look();
    };
    look();
    const stop = listen((kind) => kind === "changed" && look());
    const timer = setInterval(look, REFRESH_MS);
    return () => {
      gone = true;
      stop();
      clearInterval(timer);
      clearTimeout(again);
    };
  }, [path]);
  const isOfAnother = answer.path !== path && aboutOf(answer.path) !== aboutOf(path);
  return isOfAnother ? { path, data: null, error: null } : answer;
}

/** What an answer is about, and as known when: that of another is never shown under this one's name. */
function aboutOf(path) {
  const [about, query] = (path || "").split("?");
  return `${about} ${new URLSearchParams(query || "").get("at") || ""}`;
}
