// Where one is: everything that is shown is named in the address, so that it can be sent to a colleague.

import { useEffect, useState } from "./vendor/htm-preact.mjs";
import { dateOf, instantOf, secondsAt } from "./format.js";

export function here() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const steps = path.split("/").map(decodeURIComponent);
  return { view: steps[0] || "overview", id: steps[1] || "", query: Object.fromEntries(new URLSearchParams(query || "")) };
}

export function link(view, id = "", query = {}) {
  const kept = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const text = new URLSearchParams(kept).toString();
  return `#/${view}${id ? `/${encodeURIComponent(id)}` : ""}${text ? `?${text}` : ""}`;
}

/** Go somewhere; what is looked at stays the same time unless the query says otherwise. */
export function go(view, id = "", query = {}) {
  location.hash = link(view, id, query);
}

/** Change parts of the address; it is no step back in the browser's history. */
export function amend(changes) {
  const { view, id, query } = here();
  history.replaceState(null, "", link(view, id, { ...query, ...changes }));
  dispatchEvent(new HashChangeEvent("hashchange"));
}

export function useRoute() {
  const [route, setRoute] = useState(here());
  useEffect(() => {
    const look = () => setRoute(here());
    addEventListener("hashchange", look);
    return () => removeEventListener("hashchange", look);
  }, []);
  return route;
}

/** The local days that are looked at: `day` and `days` of the address, by default today and tomorrow. */
export function windowOf(query, now) {
  const day = query.day || dateOf(now);
  const days = Number(query.days || 2);
  const noon = secondsAt(`${day}T12:00`);
  const start = secondsAt(`${day}T00:00`);
  const end = secondsAt(`${dateOf(noon + days * 86400)}T00:00`);
  return { day, days, from: instantOf(start), to: instantOf(end) };
}
