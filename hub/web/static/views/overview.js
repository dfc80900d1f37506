// What is happening now, on one screen.

import { html } from "../vendor/htm-preact.mjs";
import { StepChart } from "../chart.js";
import { Day, Time, ago, count, plural, secondsOf, Span } from "../format.js";
import { url, useAnswer } from "../hub.js";
import { Card, FINDING_COLUMNS, State, Table, Who, findingKey, saysOf } from "../pieces.js";
import { link } from "../route.js";

export const VERDICTS = { A01: "accepted", A02: "refused", A03: "in part", 999: "nothing found" };

export function Overview({ people, at, kept }) {
  const { data, error } = useAnswer(url("/api/overview", { at }));
  if (error) return html`<p class="trouble" role="alert">${error}</p>`;
  if (!data) return html`<p class="loading">Loading …</p>`;
  const now = secondsOf(data.asOf);
  const span = { start: edge(data, Math.min, 0, now - 7200), end: edge(data, Math.max, 1, now + 48 * 3600) };
  return html`<div class="grid">
    <${Facts} data=${data} now=${now} />
    <${Card} id="o-chart" wide=${true} title="Everybody's plans, and where they leave limits" note="Sum of all assets, each way; the next two days">
      <${StepChart} title="Sum of all plans" window=${span} now=${now} height=${200} sign=${true}
        layers=${[{ name: "production", curve: data.production, tone: 2 }, { name: "consumption", curve: data.consumption.map(([a, b, w]) => [a, b, -w]), tone: 4 }]}
        bands=${data.excess} />
    <//>
    <div class="column"><${Card} id="o-limits" title="Limits, active and coming" note=${plural(data.limits.filter((one) => one.state === "active" || one.state === "coming").length, "limit")}>
      <${Limits} limits=${data.limits} people=${people} kept=${kept} />
    <//>
    <${Card} id="o-documents" title="Newest documents" note=${html`<a href=${link("documents", "", kept)}>all documents</a>`}>
      <${Table} caption="Newest documents" rows=${data.documents} rowKey=${(one) => one.key} empty="No document yet." columns=${documentColumns(people, kept)} />
    <//></div>
    <div class="column"><${Card} id="o-findings" title="Conflicts ahead" note=${data.findingsInAll ? html`${plural(data.findingsInAll, "conflict")} · <a href=${link("implications", "", kept)}>all implications</a>` : "none in the next two days"}>
      <${Table} caption="Conflicts ahead" rows=${data.findings} rowKey=${findingKey} empty="Every plan fits under every limit."
        columns=${FINDING_COLUMNS(people, kept).filter((one) => ["start", "kind", "dso", "excess", "energy", "limit"].includes(one.name))} />
    <//>
    <${Card} id="o-alarms" title="Alarms" note=${data.alarms.length ? plural(data.alarms.length, "alarm") : "nothing needs your eyes"}>
      ${data.alarms.length ? html`<ul class="alarms">${data.alarms.map((one) => html`<li><${Time} at=${one.at} /> ${one.text}</li>`)}</ul>` : html`<p class="empty">No alarms.</p>`}
    <//></div>
  </div>`;
}

function edge(data, pick, part, otherwise) {
  const found = [...data.production, ...data.consumption].map((step) => step[part]);
  return new Date(pick(...(found.length ? found : [otherwise])) * 1000).toISOString();
}

function Facts({ data, now }) {
  const assets = data.assets;
  const active = data.limits.filter((one) => one.state === "active").length;
  const waiting = data.waiting;
  return html`<ul class="facts wide" aria-label="At a glance">
    <${Fact} name="limits active" value=${count(active)} />
    <${Fact} name="conflicts ahead" value=${count(data.findingsInAll)} alert=${data.findingsInAll > 0} />
    <${Fact} name="assets" value=${count(assets.all)} detail=${`${count(assets.onGrid)} on a grid`} />
    <${Fact} name="with a plan now" value=${count(assets.planned)} detail=${`of ${count(assets.all)}`} />
    <${Fact} name="under a limit now" value=${count(assets.limited)} detail=${`${count(assets.colliding)} in conflict`} />
    <${Fact} name="messages waiting" value=${waiting ? count(waiting.messages) : "–"} alert=${waiting && waiting.trouble}
      detail=${waiting ? waiting.trouble || (waiting.oldest ? `oldest ${ago(now - secondsOf(waiting.oldest))}` : "all delivered") : "not known of the past"} />
    <${Fact} name="as of" value=${html`<${Time} at=${data.asOf} day=${false} seconds=${true} />`} detail=${html`<${Day} at=${data.asOf} />`} />
  </ul>`;
}

function Fact({ name, value, detail, alert }) {
  return html`<li class=${alert ? "alert" : ""}><span class="value">${value}</span><span class="name">${name}</span><span class="detail">${detail || " "}</span></li>`;
}

function Limits({ limits, people, kept }) {
  const columns = [
    { name: "state", label: "State", value: (one) => one.state, cell: (one) => html`<${State} state=${one.state} />` },
    { name: "dso", label: "DSO", value: (one) => one.dso, cell: (one) => html`<${Who} id=${one.dso} people=${people} query=${kept} />` },
    { name: "limit", label: "Limit", value: (one) => one.kind, cell: (one) => html`<a class="mrid" href=${link("limit", `${one.dso}/${one.mrid}`, kept)}>${one.kind} ${one.mrid.slice(0, 6)}</a>` },
    { name: "when", label: "When", value: (one) => one.interval.start, cell: (one) => html`<${Span} interval=${one.interval} />` },
    { name: "says", label: "Allows", cell: (one) => html`<span class="wrap">${saysOf(one)} <span class="quiet">${one.direction === "both" ? "both ways" : one.direction}</span></span>` },
    { name: "collected", label: "Collected", number: true, value: (one) => one.copies - one.collected, cell: (one) => `${one.collected}/${one.copies}` },
  ];
  return html`<${Table} caption="Limits, active and coming" rows=${limits} rowKey=${(one) => `${one.dso}/${one.mrid}`} columns=${columns} empty="No limit holds in the next two weeks." />`;
}

export const documentColumns = (people, kept) => [
  { name: "at", label: "Judged", value: (one) => one.judged, cell: (one) => html`<${Time} at=${one.judged} seconds=${true} />` },
  { name: "sender", label: "From", value: (one) => one.sender, cell: (one) => html`<${Who} id=${one.sender} people=${people} query=${kept} />` },
  { name: "type", label: "Kind", value: (one) => one.businessType, cell: (one) => html`<a class="mrid" href=${link("documents", String(one.sequence), kept)}>${one.businessType.replace("TPS-", "").toLowerCase()} ${one.mrid.slice(0, 6)}</a>${one.revision ? html` <span class="quiet">rev. ${one.revision}</span>` : ""}` },
  { name: "verdict", label: "Verdict", value: (one) => one.verdict, cell: (one) => html`<span class=${`verdict v${one.verdict}`} title=${one.reasons.map((reason) => `${reason.code} ${reason.text || ""}`).join("; ")}>${one.verdict} ${VERDICTS[one.verdict] || ""}</span>` },
];
