// Every place where plans and limits do not fit: filter, sort, and go to the chart.

import { html } from "../vendor/htm-preact.mjs";
import { codeOf, energy, plural, secondsOf } from "../format.js";
import { url, useAnswer } from "../hub.js";
import { Card, Days, FINDING_COLUMNS, KINDS, Table, findingKey, nameOf } from "../pieces.js";
import { amend, windowOf } from "../route.js";

export function Implications({ route, people, at, kept }) {
  const { q = "", dso = "", kind = "" } = route.query;
  const window = windowOf(route.query, at ? secondsOf(at) : Date.now() / 1000);
  const { data, error } = useAnswer(url("/api/implications", { at, from: window.from, to: window.to }));
  const shown = data ? data.findings.filter((one) => fits(one, { q, dso, kind }, people)) : [];
  const sum = shown.reduce((total, one) => total + one.excessWh, 0);
  return html`<div class="grid">
    <div class="choices wide">
      <label class="choose">Search<input type="search" value=${q} placeholder="asset, limit, DSO" onInput=${(event) => amend({ q: event.target.value })} /></label>
      <label class="choose">Grid operator<select value=${dso} onChange=${(event) => amend({ dso: event.target.value })}><option value="">all</option>
        ${people.filter((one) => one.role === "DSO").map((one) => html`<option value=${one.id} selected=${one.id === dso}>${one.name || one.code}</option>`)}</select></label>
      <label class="choose">What<select value=${kind} onChange=${(event) => amend({ kind: event.target.value })}><option value="">all</option>
        ${Object.entries(KINDS).map(([name, text]) => html`<option value=${name} selected=${name === kind}>${text}</option>`)}</select></label>
      <${Days} window=${window} />
    </div>
    ${error && html`<p class="trouble wide" role="alert">${error}</p>`}
    ${data && html`<${Card} id="i-all" wide=${true} title="Implications" note=${`${plural(shown.length, "finding")} under ${plural(data.limits, "limit")}; ${energy(sum)} too much in all`}>
      <${Table} caption="Implications" rows=${shown} rowKey=${findingKey} sort="start" columns=${FINDING_COLUMNS(people, kept)} empty=${emptyOf(data)} />
    <//>`}
    ${!data && !error && html`<p class="loading wide">Loading …</p>`}
  </div>`;
}

function emptyOf(data) {
  if (data.findings.length) return "No finding fits what is searched for.";
  return data.limits ? "Nothing: every plan fits, and every asset under a limit has one." : "No limit holds on these days.";
}

function fits(one, { q, dso, kind }, people) {
  if ((dso && one.dso !== dso) || (kind && one.kind !== kind)) return false;
  const text = [one.mrid, one.side, one.limit, nameOf(one.dso, people), ...one.assets.map(codeOf), ...one.unplanned.map(codeOf)].join(" ").toLowerCase();
  return q.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}
