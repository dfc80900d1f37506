// One limit: what it says, whom it reached, and the plans of its assets against it.

import { html } from "../vendor/htm-preact.mjs";
import { StepChart } from "../chart.js";
import { Span, Time, codeOf, energy, plural, power, secondsOf } from "../format.js";
import { url, useAnswer } from "../hub.js";
import { Card, FINDING_COLUMNS, State, Table, Who, findingKey, nameOf, saysOf } from "../pieces.js";
import { link } from "../route.js";

export function Limit({ route, people, at, kept }) {
  const [dso, mrid] = [route.id.slice(0, route.id.indexOf("/")), route.id.slice(route.id.indexOf("/") + 1)];
  const { data, error } = useAnswer(url(`/api/limits/${encodeURIComponent(dso)}/${encodeURIComponent(mrid)}`, { at }));
  if (error) return html`<p class="trouble" role="alert">${error}</p>`;
  if (!data) return html`<p class="loading">Loading …</p>`;
  const limit = data.limit;
  return html`<div class="grid">
    <section class="card wide said" aria-labelledby="l-title"><header><h2 id="l-title">${limit.kind === "foreseen" ? "Foreseen limit" : "Unforeseen limit"} by ${nameOf(dso, people)}</h2>
      <p class="note"><a href=${link("dso", dso, kept)}>all limits of ${nameOf(dso, people)}</a></p></header>
      <dl>
        <div><dt>State</dt><dd><${State} state=${limit.state} /></dd></div>
        <div><dt>When</dt><dd><${Span} interval=${limit.interval} /></dd></div>
        <div><dt>Allows</dt><dd>${saysOf(limit)}, ${limit.direction === "both" ? "both ways" : limit.direction}</dd></div>
        <div><dt>Revision</dt><dd>${limit.revision}, <${Time} at=${limit.issued} seconds=${true} /></dd></div>
        <div class="long"><dt>mRID</dt><dd class="mrid">${limit.mrid}</dd></div>
        <div><dt>Reason</dt><dd>${data.reasons.map((reason) => `${reason.code} ${reason.text || ""}`).join("; ") || "none given"}</dd></div>
      </dl></section>
    <${Reach} data=${data} people=${people} kept=${kept} />
    <${Card} id="l-findings" wide=${true} title="Where plans do not fit" note=${plural(data.findings.length, "finding")}>
      <${Table} caption="Where plans do not fit" rows=${data.findings} rowKey=${findingKey} sort="start"
        columns=${FINDING_COLUMNS(people, kept).filter((one) => one.name !== "dso" && one.name !== "limit")} empty=${limit.state === "cancelled" ? "The limit is cancelled: nothing has to fit." : "Every plan fits."} />
    <//>
  </div>`;
}

/** A limit's effect, and whom it has reached. */
export function Reach({ data, people, kept }) {
  return html`
    <${Effect} data=${data} people=${people} />
    <${Card} id="l-copies" title="Who has it" note="Only the operator of the platform sees who operates the assets.">
      <${Table} caption="Copies" rows=${data.copies} rowKey=${(one) => one.audience} columns=${copyColumns(people, kept)} empty="Nobody operates an asset under it." />
    <//>`;
}

/** The plans against the limit, and each asset's part; the same for a limit that is only thought of. */
export function Effect({ data, people }) {
  const now = data.asOf ? secondsOf(data.asOf) : 0;
  return html`
    ${data.sides.map((side) => html`<${Card} key=${side.side} id=${`l-${side.side}`} wide=${true} title=${`Plans against the limit: ${side.side}`}
      note="Sum of the assets concerned; what is too much is counted asset by asset, as shares are not pooled.">
      <${StepChart} title=${`Plans against the limit, ${side.side}`} window=${data.window} now=${now} height=${250}
        layers=${[{ name: "scheduled", curve: side.scheduled, tone: 4 }, ...(side.margin.length ? [{ name: "without a plan, may use", curve: side.margin, tone: 5 }] : [])]}
        lines=${[{ name: "allowed", curve: side.allowed, kind: "allowed" }]} excess=${side.excess} over=${side.scheduled} />
    <//>`)}
    <${Card} id="l-parts" title="Assets concerned" note=${plural(data.parts.length, "asset")}>
      <${Table} caption="Assets concerned" rows=${data.parts} rowKey=${(one) => one.asset} columns=${partColumns(people)} empty="No asset stands under it." />
    <//>`;
}

const partColumns = (people) => [
  { name: "asset", label: "Asset", value: (one) => one.asset, cell: (one) => html`<span class="mrid">${codeOf(one.asset)}</span>` },
  { name: "operator", label: "Operator", value: (one) => one.operator || "", cell: (one) => (one.operator ? nameOf(one.operator, people) : "nobody") },
  { name: "rated", label: "Rated", number: true, value: (one) => one.ratedW, cell: (one) => power(one.ratedW) },
  { name: "part", label: "May use", number: true, value: (one) => least(one), cell: (one) => one.action || part(one) },
  { name: "excess", label: "Excess", number: true, value: (one) => one.excessW, cell: (one) => (one.excessW ? html`<strong>${power(one.excessW)}</strong>` : "–") },
  { name: "energy", label: "Energy", number: true, value: (one) => one.energyWh, cell: (one) => (one.energyWh ? energy(one.energyWh) : "–") },
  { name: "plan", label: "Plan", value: (one) => String(one.planned), cell: (one) => (!one.present ? "left the grid" : one.planned ? "yes" : html`<span class="kind unplanned">no plan</span>`) },
];
const least = (one) => Math.min(...one.allowed.map((step) => step[2]), Infinity);
const part = (one) => [...new Set(one.allowed.map((step) => power(step[2])))].slice(0, 4).join(" → ") || "–";

export const FAR = { ACCEPTED: "waiting here", DELIVERED: "delivered", RECEIVED: "received", FAILED: "failed" };

const copyColumns = (people, kept) => [
  { name: "who", label: "Aggregator", value: (one) => nameOf(one.audience, people), cell: (one) => html`<${Who} id=${one.audience} people=${people} query=${kept} />${one.concerned ? "" : html` <span class="quiet">no longer concerned</span>`}` },
  { name: "revision", label: "Its revision", number: true, value: (one) => one.revision, cell: (one) => one.revision },
  { name: "far", label: "Message", cell: (one) => (one.messages.length ? html`<${Story} message=${one.messages[one.messages.length - 1]} />` : "–") },
  { name: "collected", label: "Collected", value: (one) => String(one.collected), cell: (one) => (one.collected ? "yes" : "not yet") },
];

function Story({ message }) {
  return html`<details class="story"><summary>${FAR[message.state] || message.state}${message.reason ? ` (${message.reason})` : ""}</summary>
    <ol>${message.trace.map((step) => html`<li><${Time} at=${step.at} seconds=${true} day=${false} /> ${step.state.toLowerCase()} <span class="quiet">${step.component} ${step.details}</span></li>`)}</ol></details>`;
}
