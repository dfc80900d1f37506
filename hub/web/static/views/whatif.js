// What a limit would do, before anybody sends it. Nothing here is sent to anyone.

import { html, useState } from "../vendor/htm-preact.mjs";
import { codeOf, instantOf, plural, power, secondsTyped, typed } from "../format.js";
import { post, url, useAnswer } from "../hub.js";
import { Card, FINDING_COLUMNS, Table, When, findingKey } from "../pieces.js";
import { Effect } from "./limit.js";

const HOUR = 3600;
const MOST = 200;

export function WhatIf({ people, at, kept }) {
  const dsos = people.filter((one) => one.role === "DSO");
  const [dso, setDso] = useState(dsos.length ? dsos[0].id : "");
  const [kind, setKind] = useState("foreseen");
  const [find, setFind] = useState("");
  const [chosen, setChosen] = useState(new Set());
  const soon = Math.ceil(Date.now() / 1000 / HOUR) * HOUR + HOUR;
  const [said, setSaid] = useState({ direction: "consumption", action: "STOP", start: typed(soon), end: typed(soon + 3 * HOUR), document: "" });
  const [steps, setSteps] = useState([{ start: typed(soon), end: typed(soon + 3 * HOUR), power: "500" }]);
  const [result, setResult] = useState(null);
  const [trouble, setTrouble] = useState("");
  const { data } = useAnswer(url("/api/assets", { q: `${dso} ${find}`.trim(), limit: MOST }));
  const assets = data ? data.assets.filter((one) => one.dso === dso) : [];
  const field = (name) => ({ name, value: said[name], onInput: (event) => setSaid({ ...said, [name]: event.target.value }) });
  const choose = (id, on) => { const next = new Set(chosen); if (on) next.add(id); else next.delete(id); setChosen(next); };
  const look = async (event) => {
    event.preventDefault();
    try {
      setTrouble("");
      const trial = kind === "document" ? { dso, document: said.document } : formTrial(said, { dso, kind, chosen, steps });
      setResult(await post("/api/what-if", trial));
    } catch (error) {
      setTrouble(error.message);
    }
  };
  return html`<div class="grid">
    ${at && html`<p class="wide note">A what-if is about the present, whatever time is looked at above.</p>`}
    <${Card} id="w-form" wide=${true} title="What if" note="Judged by the hub's own rules as if its DSO sent it now. It is not sent, not stored, and nobody learns of it.">
      <form class="trial" onSubmit=${look}>
        <fieldset class="full"><legend>Said as</legend>${[["foreseen", "a foreseen limit"], ["unforeseen", "an unforeseen limit"], ["document", "a document"]].map(([name, text]) => html`
          <label class="radio"><input type="radio" name="kind" value=${name} checked=${kind === name} onChange=${() => { setKind(name); setResult(null); }} /> ${text}</label>`)}</fieldset>
        ${kind === "document" ? html`<label class="choose full">The Unavailability_MarketDocument<textarea ...${field("document")} rows="12" required spellcheck=${false}></textarea></label>` : html`
          <label class="choose">Grid operator<select value=${dso} onChange=${(event) => { setDso(event.target.value); setChosen(new Set()); }}>${dsos.map((one) => html`<option value=${one.id} selected=${one.id === dso}>${one.name || one.code}</option>`)}</select></label>
          <label class="choose">Direction<select ...${field("direction")}>${["consumption", "production", "both"].map((one) => html`<option value=${one} selected=${one === said.direction}>${one}</option>`)}</select></label>
          ${kind === "unforeseen" ? html`<label class="choose">Action<select ...${field("action")}>${["STOP", "HOLD", "START"].map((one) => html`<option value=${one} selected=${one === said.action}>${one}</option>`)}</select></label>`
            : ""}
          ${kind === "unforeseen" ? html`<${When} label="From" name="start" value=${said.start} onInput=${(start) => setSaid({ ...said, start })} />
            <${When} label="To" name="end" value=${said.end} onInput=${(end) => setSaid({ ...said, end })} />` : html`<${Steps} steps=${steps} onChange=${setSteps} />`}
          <fieldset class="full"><legend>Assets on its grid (${chosen.size} chosen)</legend>
            <label class="choose">Find an asset<input type="search" value=${find} onInput=${(event) => setFind(event.target.value)} /></label>
            ${data && data.found > MOST && html`<p class="note">The first ${MOST} of ${data.found} are listed; what is chosen stays chosen.</p>`}<div class="assets">
            ${assets.map((one) => html`<label class="radio"><input type="checkbox" name="asset" value=${one.id} checked=${chosen.has(one.id)} onChange=${(event) => choose(one.id, event.target.checked)} />
              <span class="mrid">${codeOf(one.id)}</span> <span class="quiet">${one.maxProduction ? `+${power(one.maxProduction)} ` : ""}${one.maxConsumption ? `−${power(one.maxConsumption)}` : ""}</span></label>`)}
            ${!assets.length && html`<p class="empty">No assets.</p>`}</div></fieldset>`}
        <p class="full"><button type="submit" class="main">See what it would do</button> <span class="trouble" role="alert">${trouble}</span></p>
      </form>
    <//>
    ${result && !result.taken && html`<section class="card wide refusal" aria-live="polite"><h2>The hub would refuse it</h2><ul class="reasons">${result.reasons.map((one) => html`<li><strong>${one.code}</strong> ${one.text}</li>`)}</ul></section>`}
    ${result && result.taken && html`
      <${Card} id="w-findings" wide=${true} title="What it would do" note=${`${plural(result.findings.length, "finding")}; not sent`}>
        <${Table} caption="What it would do" rows=${result.findings} rowKey=${findingKey} sort="start" empty="Every plan would fit."
          columns=${FINDING_COLUMNS(people, kept).filter((one) => one.name !== "dso" && one.name !== "limit")} /><//>
      <${Effect} data=${result} people=${people} />`}
  </div>`;
}

/** The total over time: a row for each stretch; between rows nothing is limited. */
function Steps({ steps, onChange }) {
  const amend = (at, change) => onChange(steps.map((step, index) => (index === at ? { ...step, ...change } : step)));
  const more = () => {
    const { end, power: before } = steps[steps.length - 1];
    onChange([...steps, { start: end, end: typed((secondsTyped(end) || 0) + HOUR), power: before }]);
  };
  return html`<fieldset class="full steps"><legend>Total over time; between rows nothing is limited</legend>
    ${steps.map((step, index) => {
      const row = index ? ` (row ${index + 1})` : "";
      return html`<div class="step" key=${index}>
        <${When} label=${`From${row}`} name="start" value=${step.start} onInput=${(start) => amend(index, { start })} />
        <${When} label=${`To${row}`} name="end" value=${step.end} onInput=${(end) => amend(index, { end })} />
        <label class="choose power">${`Total, kW${row}`}<input type="number" min="0" step="any" required value=${step.power} onInput=${(event) => amend(index, { power: event.target.value })} /></label>
        ${steps.length > 1 && html`<button type="button" aria-label=${`Remove row ${index + 1}`} onClick=${() => onChange(steps.filter((_, at) => at !== index))}>Remove</button>`}
      </div>`;
    })}
    <button type="button" onClick=${more}>Add a row</button></fieldset>`;
}

function formTrial(said, { dso, kind, chosen, steps }) {
  const trial = { dso, direction: said.direction, assets: [...chosen] };
  if (kind === "unforeseen") return { ...trial, start: instantOf(secondsTyped(said.start)), end: instantOf(secondsTyped(said.end)), action: said.action };
  const rows = steps.map((step) => ({ start: secondsTyped(step.start), end: secondsTyped(step.end), watts: Math.round(Number(step.power) * 1000) }));
  const found = [];
  rows.forEach((row, index) => {
    const before = rows[index - 1];
    if (row.end <= row.start) throw new Error(`Row ${index + 1} must end after it begins.`);
    if (before && row.start < before.end) throw new Error(`Row ${index + 1} begins before row ${index} ends. Give the rows in order of time.`);
    if (before && row.start > before.end) found.push({ start: instantOf(before.end), watts: null });
    found.push({ start: instantOf(row.start), watts: row.watts });
  });
  return { ...trial, start: instantOf(rows[0].start), end: instantOf(rows[rows.length - 1].end), steps: found };
}
