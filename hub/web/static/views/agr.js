// One aggregator: its plans, its part of each limit, and where they do not fit.

import { html } from "../vendor/htm-preact.mjs";
import { StepChart, layerName } from "../chart.js";
import { Span, codeOf, plural, power, secondsOf } from "../format.js";
import { url, useAnswer } from "../hub.js";
import { Card, Choose, Days, FINDING_COLUMNS, State, Table, findingKey, nameOf, saysOf } from "../pieces.js";
import { amend, link, windowOf } from "../route.js";

const ROLES = ["AGR", "BRP"];

export function Agr({ route, people, at, kept }) {
  const id = route.id || (people.find((one) => ROLES.includes(one.role)) || {}).id || "";
  const window = windowOf(route.query, at ? secondsOf(at) : Date.now() / 1000);
  const asset = route.query.asset || "";
  const { data, error } = useAnswer(id && url(`/api/agrs/${encodeURIComponent(id)}`, { at, asset, from: window.from, to: window.to }));
  return html`<div class="grid">
    <div class="choices wide"><${Choose} label="Aggregator" people=${people} roles=${ROLES} value=${id} view="agr" query=${kept} />
      ${data && html`<label class="choose">Assets<select value=${asset} onChange=${(event) => amend({ asset: event.target.value })}>
        <option value="">all, stacked</option>
        ${data.assets.map((one) => html`<option value=${one.id} selected=${one.id === asset}>${codeOf(one.id)}${one.planned ? "" : " (no plan)"}</option>`)}</select></label>`}
      <${Days} window=${window} /></div>
    ${error && html`<p class="trouble wide" role="alert">${error}</p>`}
    ${data && html`<${Plans} data=${data} people=${people} kept=${kept} />`}
    ${!data && !error && html`<p class="loading wide">Loading …</p>`}
  </div>`;
}

function Plans({ data, people, kept }) {
  const now = secondsOf(data.asOf);
  const brp = data.person.brp ? `, balance responsible ${nameOf(data.person.brp, people)}` : "";
  const columns = [
    { name: "id", label: "Asset", value: (one) => one.id, cell: (one) => html`<button type="button" class="plain mrid" onClick=${() => amend({ asset: one.id })}>${codeOf(one.id)}</button>` },
    { name: "point", label: "Connection point", value: (one) => one.point, cell: (one) => codeOf(one.point) },
    { name: "dso", label: "DSO", value: (one) => one.dso || "", cell: (one) => (one.dso ? nameOf(one.dso, people) : "nobody's grid") },
    { name: "up", label: "Produces", number: true, value: (one) => one.maxProduction, cell: (one) => power(one.maxProduction) },
    { name: "down", label: "Consumes", number: true, value: (one) => one.maxConsumption, cell: (one) => power(one.maxConsumption) },
    { name: "plan", label: "Plan", value: (one) => String(one.planned), cell: (one) => (one.planned ? "yes" : html`<span class="kind unplanned">no plan</span>`) },
  ];
  return html`
    <${Card} id="a-plan" wide=${true} title=${`Schedules of ${data.person.name || data.person.code}`}
      note=${`${plural(data.assetsInAll, "asset")}${brp}. Above the line: production; below: consumption.`}>
      <${StepChart} title=${`Schedules of ${data.person.name || data.person.code}`} window=${data.window} now=${now} height=${280} sign=${true}
        layers=${data.layers.map((layer) => ({ name: layerName(layer), curve: layer.curve }))}
        lines=${data.shares.map((share) => ({ name: "share of a limit, for the assets under it", kind: "allowed", curve: signed(share) }))}
        bands=${data.shares.flatMap((share) => share.excess)} />
    <//>
    ${data.shares.map((share) => html`<${Card} key=${`${share.limit.mrid}${share.side}`} id=${`a-${share.limit.mrid}-${share.side}`}
      title=${html`<a href=${link("limit", `${share.limit.dso}/${share.limit.mrid}`, kept)}>${share.limit.kind === "foreseen" ? "Share of the limit" : `Order ${saysOf(share.limit)}`} by ${nameOf(share.limit.dso, people)}</a>, ${share.side}`}
      note=${html`<${State} state=${share.limit.state} /> <${Span} interval=${share.limit.interval} />`}>
      <${StepChart} title=${`Share against plan, ${share.side}`} window=${data.window} now=${now} height=${190}
        layers=${[{ name: "scheduled", curve: share.scheduled, tone: 4 }]} lines=${[{ name: "allowed", curve: share.allowed, kind: "allowed" }]}
        excess=${share.excess} over=${share.scheduled} />
    <//>`)}
    ${!data.shares.length && html`<${Card} id="a-none" title="Limits" note="No limit concerns this aggregator on these days."><p class="empty">Nothing to keep to.</p><//>`}
    <${Card} id="a-findings" wide=${true} title="Where plans do not fit" note=${plural(data.findings.length, "finding")}>
      <${Table} caption="Where plans do not fit" rows=${data.findings} rowKey=${findingKey} sort="start" columns=${FINDING_COLUMNS(people, kept)} empty="Every plan fits." />
    <//>
    <${Card} id="a-assets" wide=${true} title="Assets" note=${data.assets.length < data.assetsInAll ? `the first ${data.assets.length}` : ""}>
      <${Table} caption="Assets" rows=${data.assets} rowKey=${(one) => one.id} sort="id" columns=${columns} empty="No assets." />
    <//>`;
}

/** A share on the axis of schedules: consumption is below the line. */
const signed = (share) => share.allowed.map(([from, to, watts]) => [from, to, share.side === "consumption" ? -watts : watts]);
