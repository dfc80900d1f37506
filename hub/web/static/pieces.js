// Small pieces that all views are put together from.

import { html, useState } from "./vendor/htm-preact.mjs";
import { Span, codeOf, energy, power, secondsAt, secondsTyped, dateOf, isDay, utcOf } from "./format.js";
import { amend, link } from "./route.js";

export const STATES = { active: "active", coming: "coming", ended: "ended", cancelled: "cancelled" };
const MARKS = { active: "●", coming: "○", ended: "–", cancelled: "×" };
export const KINDS = {
  above: "above the limit",
  moves: "moves while held",
  stands: "stands though started",
  unplanned: "no plan",
};

export function Card({ title, note, children, wide = false, id }) {
  return html`<section class=${`card ${wide ? "wide" : ""}`} aria-labelledby=${id}>
    <header><h2 id=${id}>${title}</h2>${note && html`<p class="note">${note}</p>`}</header>
    ${children}
  </section>`;
}

export function State({ state }) {
  return html`<span class=${`state ${state}`}><span aria-hidden="true">${MARKS[state]}</span> ${STATES[state]}</span>`;
}

export function Who({ id, people, query = {} }) {
  const one = people.find((person) => person.id === id);
  const view = one && one.role === "DSO" ? "dso" : "agr";
  return html`<a href=${link(view, id, query)} class="who" title=${one && one.name ? `${one.name}, ${one.code}` : codeOf(id)}>${one ? one.name || one.code : codeOf(id)}</a>`;
}

export const nameOf = (id, people) => {
  const one = people.find((person) => person.id === id);
  return one ? one.name || one.code : codeOf(id);
};

/** What a limit says, in a few words. */
export function saysOf(limit) {
  if (limit.kind === "unforeseen") return limit.actions.join(", ");
  return limit.leastW === limit.peakW ? power(limit.peakW) : `${power(limit.leastW)} – ${power(limit.peakW)}`;
}

/** A table whose columns can be sorted; `columns`: {name, label, number, value(row), cell(row)}. */
export function Table({ columns, rows, caption, sort, descending = false, empty = "Nothing.", rowKey, current }) {
  const [order, setOrder] = useState({ by: sort, descending });
  const column = columns.find((one) => one.name === order.by);
  const sorted = column && column.value ? [...rows].sort((a, b) => compare(column.value(a), column.value(b))) : rows;
  if (order.descending && column) sorted.reverse();
  const turn = (name) => setOrder({ by: name, descending: order.by === name ? !order.descending : false });
  return html`<div class="scroll" tabindex="0" role="group" aria-label=${caption}><table>
    <caption class="unseen">${caption}</caption>
    <thead><tr>${columns.map((one) => html`<th scope="col" class=${one.number ? "n" : ""}
      aria-sort=${order.by === one.name ? (order.descending ? "descending" : "ascending") : null}>
      ${one.value ? html`<button type="button" class="sort" onClick=${() => turn(one.name)}>${one.label}<span aria-hidden="true" class="arrow">${
        order.by === one.name ? (order.descending ? "▾" : "▴") : ""}</span></button>` : one.label}</th>`)}</tr></thead>
    <tbody>${sorted.map((row) => html`<tr key=${rowKey(row)} data-row=${rowKey(row)} class=${current && current(row) ? "current" : ""}>
      ${columns.map((one) => html`<td class=${one.number ? "n" : ""}>${one.cell(row)}</td>`)}</tr>`)}
    ${!sorted.length && html`<tr><td class="empty" colspan=${columns.length}>${empty}</td></tr>`}</tbody>
  </table></div>`;
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b));
}

/** A local time to type, year first and 24 hours: what a browser offers follows its own language. UTC on hover. */
export function When({ label, name, value, onInput }) {
  const at = secondsTyped(value);
  const check = (event) => event.target.setCustomValidity(secondsTyped(event.target.value) === null ? "Give a time such as 2026-11-25 17:00." : "");
  return html`<label class="choose when">${label}<input name=${name} value=${value} title=${at === null ? "" : utcOf(at)} placeholder="YYYY-MM-DD HH:MM"
    required autocomplete="off" spellcheck=${false} maxlength="16" onInput=${(event) => { check(event); onInput(event.target.value); }} /></label>`;
}

/** Which days are looked at. */
export function Days({ window }) {
  const choose = (event) => {
    const text = event.target.value.trim();
    event.target.setCustomValidity(isDay(text) ? "" : "Give a day such as 2026-11-25.");
    if (event.target.reportValidity()) amend({ day: text });
  };
  const step = (days) => amend({ day: dateOf(secondsAt(`${window.day}T12:00`) + days * 86400) });
  return html`<div class="days" role="group" aria-label="Days shown">
    <button type="button" onClick=${() => step(-1)} aria-label="One day earlier">‹</button>
    <input class="day" aria-label="First day" value=${window.day} placeholder="YYYY-MM-DD" maxlength="10" autocomplete="off" onChange=${choose} />
    <select aria-label="How many days" value=${window.days} onChange=${(event) => amend({ days: event.target.value })}>
      ${[1, 2, 3, 7].map((days) => html`<option value=${days} selected=${days === window.days}>${days === 1 ? "1 day" : `${days} days`}</option>`)}
    </select>
    <button type="button" onClick=${() => step(1)} aria-label="One day later">›</button>
    <button type="button" onClick=${() => amend({ day: "", days: "" })}>Today</button>
  </div>`;
}

export function Choose({ label, people, roles, value, view, query }) {
  const shown = people.filter((person) => roles.includes(person.role));
  const go = (event) => { location.hash = link(view, event.target.value, query); };
  return html`<label class="choose">${label}
    <select aria-label=${label} value=${value} onChange=${go}>
      ${shown.map((person) => html`<option value=${person.id} selected=${person.id === value}>${person.name || person.code} · ${person.role}</option>`)}
    </select></label>`;
}

export const FINDING_COLUMNS = (people, query) => [
  { name: "start", label: "When", value: (one) => one.interval.start, cell: (one) => html`<${Span} interval=${one.interval} />` },
  { name: "kind", label: "What", value: (one) => one.kind, cell: (one) => html`<span class=${`kind ${one.kind}`}>${KINDS[one.kind]}</span>` },
  { name: "dso", label: "DSO", value: (one) => nameOf(one.dso, people), cell: (one) => html`<${Who} id=${one.dso} people=${people} query=${query} />` },
  { name: "side", label: "Direction", value: (one) => one.side, cell: (one) => one.side },
  { name: "scheduled", label: "Scheduled", number: true, value: (one) => one.scheduledW, cell: (one) => power(one.scheduledW) },
  { name: "allowed", label: "Allowed", number: true, value: (one) => one.allowedW, cell: (one) => power(one.allowedW) },
  { name: "excess", label: "Excess", number: true, value: (one) => one.excessW, cell: (one) => one.excessW ? html`<strong>${power(one.excessW)}</strong>` : "–" },
  { name: "energy", label: "Energy", number: true, value: (one) => one.excessWh, cell: (one) => one.excessWh ? energy(one.excessWh) : "–" },
  { name: "margin", label: "Margin", number: true, value: (one) => one.marginW, cell: (one) => one.marginW ? html`<span title=${`Without a plan: ${one.unplanned.map(codeOf).join(", ")}`}>${power(one.marginW)} (${one.unplanned.length})</span>` : "–" },
  { name: "assets", label: "Assets", number: true, value: (one) => one.assets.length, cell: (one) => html`<span title=${one.assets.map(codeOf).join(", ")}>${one.assets.length || "–"}</span>` },
  { name: "limit", label: "Limit", value: (one) => one.mrid, cell: (one) => html`<a class="mrid" href=${link("limit", `${one.dso}/${one.mrid}`, query)} title=${`${one.mrid}, revision ${one.revision}`}>${one.limit} ${one.mrid.slice(0, 6)}</a>` },
];
export const findingKey = (one) => `${one.dso}/${one.mrid}/${one.side}/${one.kind}/${one.interval.start}`;
