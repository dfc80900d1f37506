// A participant's own plans and limits, as its gateway has them: nobody else is in the data.

import { html } from "../vendor/htm-preact.mjs";
import { Bar, StepChart, layerName } from "../chart.js";
import { Span, codeOf, plural, power, secondsOf, zoneName } from "../format.js";
import { url, useAnswer } from "../hub.js";
import { Card, Days, FINDING_COLUMNS, State, Table, findingKey } from "../pieces.js";
import { amend, windowOf } from "../route.js";

export function Own({ route, session, name }) {
  const window = windowOf(route.query, Date.now() / 1000);
  const { data, error } = useAnswer(url("/api/own", { from: window.from, to: window.to }));
  return html`<div class="grid">
    <div class="choices wide"><p class="note">Times are ${zoneName()}; UTC on hover.</p><${Days} window=${window} /></div>
    ${error && html`<p class="trouble wide" role="alert">${error}</p>`}
    ${data && html`<${Rows} data=${data} route=${route} isGrid=${session.role === "DSO"} name=${name} />`}
    ${!data && !error && html`<p class="loading wide">Loading …</p>`}
  </div>`;
}

function Rows({ data, route, isGrid, name }) {
  const now = secondsOf(data.asOf);
  const chosen = data.limits.find((one) => one.mrid === route.query.limit) || data.limits.find((one) => one.state !== "cancelled");
  const planned = new Set(data.planned);
  return html`
    <${Card} id="n-plan" wide=${true} title=${isGrid ? `Schedules on the grid of ${name}` : `Schedules of ${name}`}
      note=${`${plural(data.assetsInAll, "asset")}. Above the line: production; below: consumption.`}>
      <${StepChart} title="Schedules" window=${data.window} now=${now} height=${260} sign=${true}
        layers=${data.layers.map((layer) => ({ name: layerName(layer), curve: layer.curve }))}
        bands=${data.limits.flatMap((limit) => limit.sides).flatMap((side) => side.excess)} />
    <//>
    <${Card} id="n-limits" wide=${true} title="Limits" note=${isGrid ? "as the hub accepted them" : "each asset's own share"}>
      <${Table} caption="Limits" rows=${data.limits} rowKey=${(one) => one.mrid} columns=${limitColumns(data)} current=${(one) => one === chosen} empty="No limits on these days." />
    <//>
    ${chosen && chosen.sides.map((side) => html`<${Card} key=${`${chosen.mrid}${side.side}`} id=${`n-${side.side}`} wide=${true} title=${`Plans against the ${chosen.kind} limit ${chosen.mrid.slice(0, 6)}: ${side.side}`}
      note=${isGrid ? "A total over several assets stands against the sum of their plans." : "Sum of the assets concerned; what is too much is counted asset by asset."}>
      <${StepChart} title=${`Plans against the limit, ${side.side}`} window=${data.window} now=${now} height=${230}
        layers=${[{ name: "scheduled", curve: side.scheduled, tone: 4 }, ...(side.margin.length ? [{ name: "without a plan, may use", curve: side.margin, tone: 5 }] : [])]}
        lines=${[{ name: "allowed", curve: side.allowed, kind: "allowed" }]} excess=${side.excess} over=${side.scheduled} />
    <//>`)}
    <${Card} id="n-findings" wide=${true} title="Where plans do not fit" note=${plural(data.findings.length, "finding")}>
      <${Table} caption="Where plans do not fit" rows=${data.findings} rowKey=${findingKey} sort="start" empty="Every plan fits."
        columns=${[...FINDING_COLUMNS([], {}).filter((one) => one.name !== "dso" && one.name !== "limit"), limitColumn]} />
    <//>
    <${Card} id="n-assets" wide=${true} title="Assets" note=${data.assets.length < data.assetsInAll ? `the first ${data.assets.length}` : ""}>
      <${Table} caption="Assets" rows=${data.assets} rowKey=${(one) => one.id} sort="id" columns=${assetColumns(planned)} empty="No assets." />
    <//>`;
}

const limitColumn = { name: "limit", label: "Limit", value: (one) => one.mrid, cell: (one) => html`<button type="button" class="plain mrid" onClick=${() => amend({ limit: one.mrid })}>${one.limit || one.kind} ${one.mrid.slice(0, 6)}</button>` };

const limitColumns = (data) => [
  { name: "state", label: "State", value: (one) => one.state, cell: (one) => html`<${State} state=${one.state} />` },
  limitColumn,
  { name: "when", label: "When", value: (one) => one.interval.start, cell: (one) => html`<${Span} interval=${one.interval} />` },
  { name: "line", label: "On these days", cell: (one) => html`<${Bar} interval=${one.interval} window=${data.window} state=${one.state} />` },
  { name: "says", label: "What", cell: (one) => html`${one.actions.join(", ") || "power over time"} <span class="quiet">${one.direction === "both" ? "both ways" : one.direction}</span>` },
  { name: "assets", label: "Assets", number: true, value: (one) => one.assets.length, cell: (one) => html`<span title=${one.assets.map(codeOf).join(", ")}>${one.assets.length}</span>` },
];

const assetColumns = (planned) => [
  { name: "id", label: "Asset", value: (one) => one.id, cell: (one) => html`<span class="mrid">${codeOf(one.id)}</span>` },
  { name: "point", label: "Connection point", value: (one) => one.point, cell: (one) => html`<span class="mrid">${codeOf(one.point)}</span>` },
  { name: "up", label: "Produces", number: true, value: (one) => one.maxProduction, cell: (one) => power(one.maxProduction) },
  { name: "down", label: "Consumes", number: true, value: (one) => one.maxConsumption, cell: (one) => power(one.maxConsumption) },
  { name: "plan", label: "Plan", value: (one) => String(planned.has(one.id)), cell: (one) => (planned.has(one.id) ? "yes" : html`<span class="kind unplanned">no plan</span>`) },
];
