// Assets and connection points: search and page through.

import { html } from "../vendor/htm-preact.mjs";
import { codeOf, plural, power } from "../format.js";
import { url, useAnswer } from "../hub.js";
import { Card, Table, Who } from "../pieces.js";
import { amend, link } from "../route.js";

export function Assets({ route, people, at, kept }) {
  const { q = "", after = "", pafter = "" } = route.query;
  const assets = useAnswer(url("/api/assets", { at, q, after }));
  const points = useAnswer(url("/api/points", { at, q, after: pafter }));
  const search = (event) => amend({ q: event.target.value, after: "", pafter: "" });
  return html`<div class="grid">
    <div class="choices wide"><label class="choose">Search<input type="search" value=${q} placeholder="id, point, operator, grid" onInput=${search} /></label></div>
    ${[assets.error, points.error].filter(Boolean).map((error) => html`<p class="trouble wide" role="alert">${error}</p>`)}
    ${assets.data && html`<${Card} id="r-assets" wide=${true} title="Assets" note=${plural(assets.data.found, "asset")}>
      <${Table} caption="Assets" rows=${assets.data.assets} rowKey=${(one) => one.id} columns=${assetColumns(people, kept)} empty="No asset fits." />
      <${Pager} at=${after} next=${assets.data.after} name="after" /><//>`}
    ${points.data && html`<${Card} id="r-points" wide=${true} title="Connection points" note=${plural(points.data.found, "connection point")}>
      <${Table} caption="Connection points" rows=${points.data.points} rowKey=${(one) => one.id} columns=${pointColumns(people, kept)} empty="No connection point fits." />
      <${Pager} at=${pafter} next=${points.data.after} name="pafter" /><//>`}
  </div>`;
}

function Pager({ at, next, name }) {
  if (!at && !next) return null;
  return html`<p class="pager"><button type="button" disabled=${!at} onClick=${() => amend({ [name]: "" })}>First</button>
    <button type="button" disabled=${!next} onClick=${() => amend({ [name]: next })}>Next</button></p>`;
}

const assetColumns = (people, kept) => [
  { name: "id", label: "Asset", cell: (one) => html`<a class="mrid" href=${link("agr", one.operator, { ...kept, asset: one.id })}>${codeOf(one.id)}</a>` },
  { name: "operator", label: "Operator", cell: (one) => html`<${Who} id=${one.operator} people=${people} query=${kept} />` },
  { name: "point", label: "Connection point", cell: (one) => html`<span class="mrid">${codeOf(one.point)}</span>` },
  { name: "dso", label: "DSO", cell: (one) => (one.dso ? html`<${Who} id=${one.dso} people=${people} query=${kept} />` : "nobody's grid") },
  { name: "up", label: "Produces", number: true, cell: (one) => power(one.maxProduction) },
  { name: "down", label: "Consumes", number: true, cell: (one) => power(one.maxConsumption) },
  { name: "plan", label: "Plan ahead", cell: (one) => (one.planned ? "yes" : html`<span class="kind unplanned">no plan</span>`) },
];

const pointColumns = (people, kept) => [
  { name: "id", label: "Connection point", cell: (one) => html`<span class="mrid">${codeOf(one.id)}</span>` },
  { name: "dso", label: "DSO", cell: (one) => html`<${Who} id=${one.dso} people=${people} query=${kept} />` },
  { name: "voltage", label: "Voltage", number: true, cell: (one) => `${one.voltage} kV` },
  { name: "assets", label: "Assets", number: true, cell: (one) => one.assets },
];
