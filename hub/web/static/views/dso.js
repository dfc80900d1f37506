// One grid operator: its limits as a timeline, and where plans do not fit under them.

import { html } from "../vendor/htm-preact.mjs";
import { Bar } from "../chart.js";
import { Span, plural, secondsOf } from "../format.js";
import { url, useAnswer } from "../hub.js";
import { Card, Choose, Days, FINDING_COLUMNS, State, Table, findingKey, saysOf } from "../pieces.js";
import { link, windowOf } from "../route.js";
import { Reach } from "./limit.js";

export function Dso({ route, people, at, kept }) {
  const id = route.id || (people.find((one) => one.role === "DSO") || {}).id || "";
  const window = windowOf(route.query, at ? secondsOf(at) : Date.now() / 1000);
  const { data, error } = useAnswer(id && url(`/api/dsos/${encodeURIComponent(id)}`, { at, from: window.from, to: window.to }));
  const chosen = data && (data.limits.find((one) => one.mrid === route.query.limit) || data.limits.find((one) => one.state !== "cancelled"));
  return html`<div class="grid">
    <div class="choices wide"><${Choose} label="Grid operator" people=${people} roles=${["DSO"]} value=${id} view="dso" query=${kept} /><${Days} window=${window} /></div>
    ${error && html`<p class="trouble wide" role="alert">${error}</p>`}
    ${data && html`
      <${Card} id="d-limits" wide=${true} title=${`Limits of ${data.person.name || data.person.code}`}
        note=${`${plural(data.assetsInAll, "asset")} at ${plural(data.points, "connection point")}. Choose a limit to see whom it concerns.`}>
        <${Table} caption="Limits" rows=${data.limits} rowKey=${(one) => one.mrid} columns=${columns(data, kept)} current=${(one) => one === chosen} empty="No limits on these days." />
      <//>
      <${Card} id="d-findings" wide=${true} title="Where plans do not fit" note=${plural(data.findings.length, "finding")}>
        <${Table} caption="Where plans do not fit" rows=${data.findings} rowKey=${findingKey} sort="start" columns=${FINDING_COLUMNS(people, kept).filter((one) => one.name !== "dso")} empty="Every plan fits." />
      <//>
      ${chosen && html`<${Chosen} key=${chosen.mrid} limit=${chosen} at=${at} people=${people} kept=${kept} />`}`}
    ${!data && !error && html`<p class="loading wide">Loading …</p>`}
  </div>`;
}

function Chosen({ limit, at, people, kept }) {
  const { data } = useAnswer(url(`/api/limits/${encodeURIComponent(limit.dso)}/${encodeURIComponent(limit.mrid)}`, { at }));
  if (!data) return html`<p class="loading wide">Loading …</p>`;
  return html`<p class="wide chosen">Shown below: <strong>${limit.kind} limit ${limit.mrid.slice(0, 6)}</strong>, <${Span} interval=${limit.interval} />. ${" "}<a href=${link("limit", `${limit.dso}/${limit.mrid}`, kept)}>All about it</a></p>
    <${Reach} data=${data} people=${people} kept=${kept} />`;
}

const columns = (data, kept) => [
  { name: "state", label: "State", value: (one) => one.state, cell: (one) => html`<${State} state=${one.state} />` },
  { name: "limit", label: "Limit", value: (one) => one.kind, cell: (one) => html`<a class="mrid" href=${link("dso", one.dso, { ...kept, limit: one.mrid })}>${one.kind} ${one.mrid.slice(0, 6)}</a> <span class="quiet">rev. ${one.revision}</span>` },
  { name: "when", label: "When", value: (one) => one.interval.start, cell: (one) => html`<${Span} interval=${one.interval} />` },
  { name: "line", label: "On these days", cell: (one) => html`<${Bar} interval=${one.interval} window=${data.window} state=${one.state} />` },
  { name: "says", label: "Allows", cell: (one) => html`${saysOf(one)} <span class="quiet">${one.direction === "both" ? "both ways" : one.direction}</span>` },
  { name: "assets", label: "Assets", number: true, value: (one) => one.assets, cell: (one) => one.assets },
  { name: "collected", label: "Collected", number: true, value: (one) => one.copies - one.collected, cell: (one) => `${one.collected} of ${one.copies}` },
];
