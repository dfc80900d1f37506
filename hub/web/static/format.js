// How time, power and ids are written. Times are those of the market's zone; UTC is shown on hover.

import { html } from "./vendor/htm-preact.mjs";

let zone = "UTC";
const formats = new Map();

export function setZone(name) {
  zone = name;
  formats.clear();
}

export const zoneName = () => zone;

function parts(seconds) {
  if (!formats.has("parts")) {
    const options = { timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit",
      hour: "2-digit", minute: "2-digit", second: "2-digit", weekday: "short" };
    formats.set("parts", new Intl.DateTimeFormat("en-GB", options));
  }
  const found = {};
  for (const part of formats.get("parts").formatToParts(seconds * 1000)) found[part.type] = part.value;
  return found;
}

export const secondsOf = (instant) => Date.parse(instant) / 1000;
export const instantOf = (seconds) => new Date(seconds * 1000).toISOString().replace(".000Z", "Z");

export function clock(seconds) {
  const at = parts(seconds);
  return `${at.hour}:${at.minute}`;
}

export function clockWithSeconds(seconds) {
  const at = parts(seconds);
  return `${at.hour}:${at.minute}:${at.second}`;
}

export function dayName(seconds) {
  const at = parts(seconds);
  return `${at.weekday} ${at.day}.${at.month}.`;
}

export function dateOf(seconds) {
  const at = parts(seconds);
  return `${at.year}-${at.month}-${at.day}`;
}

export const hourOf = (seconds) => Number(parts(seconds).hour);

/** Seconds since 1970 of a local `YYYY-MM-DDTHH:MM`; an hour that does not exist counts as the one after it. */
export function secondsAt(local) {
  const wanted = Date.parse(`${local}Z`) / 1000;
  let guess = wanted;
  for (let i = 0; i < 3; i += 1) {
    const at = parts(guess);
    const shown = Date.parse(`${at.year}-${at.month}-${at.day}T${at.hour}:${at.minute}:00Z`) / 1000;
    guess += wanted - shown;
  }
  return guess;
}

/** A local time as it is typed: `YYYY-MM-DD HH:MM`, 24 hours, whatever the browser's language. */
export const typed = (seconds) => `${dateOf(seconds)} ${clock(seconds)}`;

/** Seconds since 1970 of what was typed; null when it is no time. */
export function secondsTyped(text) {
  const found = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2})$/.exec(text.trim());
  return found && !Number.isNaN(Date.parse(`${found[1]}T${found[2]}Z`)) ? secondsAt(`${found[1]}T${found[2]}`) : null;
}

export const isDay = (text) => /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text));

export const utcOf = (seconds) => `${new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`;

/** An instant in the market's time, with UTC on hover. */
export function Time({ at, day = true, seconds = false }) {
  const when = typeof at === "number" ? at : secondsOf(at);
  const text = (seconds ? clockWithSeconds : clock)(when);
  return html`<time datetime=${instantOf(when)} title=${utcOf(when)}>${day ? `${dayName(when)} ` : ""}${text}</time>`;
}

export const Day = ({ at }) => html`<time datetime=${at} title=${utcOf(secondsOf(at))}>${dayName(secondsOf(at))}</time>`;

/** A span; the day of its end only where it is another one. */
export function Span({ interval }) {
  const [start, end] = [secondsOf(interval.start), secondsOf(interval.end)];
  const other = dateOf(start) !== dateOf(end);
  return html`<span class="span"><${Time} at=${start} /> – <${Time} at=${end} day=${other} /></span>`;
}

const NUMBER = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const FINE = new Intl.NumberFormat("en", { maximumFractionDigits: 3 });

export function power(watts) {
  if (watts === null || watts === undefined) return "–";
  const size = Math.abs(watts);
  if (size >= 10e6) return `${signed(NUMBER, watts / 1e6)} MW`;
  if (size >= 1e6) return `${signed(FINE, watts / 1e6)} MW`;
  if (size >= 1e3 || watts === 0) return `${signed(NUMBER, watts / 1e3)} kW`;
  return `${signed(NUMBER, watts)} W`;
}

/** A level of an axis that reaches as far as `most`: all levels of one axis in one unit. */
export function levelOf(watts, most) {
  const [unit, size] = most >= 1e6 ? ["MW", 1e6] : most >= 1e3 ? ["kW", 1e3] : ["W", 1];
  return `${signed(FINE, watts / size)} ${unit}`;
}

const signed = (format, number) => format.format(number).replace("-", "\u2212");

export function energy(wattHours) {
  if (Math.abs(wattHours) >= 1e6) return `${FINE.format(wattHours / 1e6)} MWh`;
  return `${NUMBER.format(wattHours / 1e3)} kWh`;
}

export const count = (number) => NUMBER.format(number);
export const codeOf = (id) => id.slice(id.indexOf(":") + 1);
export const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;

export function ago(seconds) {
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}
