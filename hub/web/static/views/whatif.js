// What a limit would do, before anybody sends it. Nothing here is sent to anyone.

import { html, useState } from "../vendor/htm-preact.mjs";
import { codeOf, instantOf, localInput, plural, power, secondsAt } from "../format.js";
import { post, url, useAnswer } from "../hub.js";
import { Card, FINDING_COLUMNS, Table, findingKey } from "../pieces.js";
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
  const [said, setSaid] = useState({ direction: "consumption", action: "STOP", power: "500", start: localInput(soon), end: localInput(soon + 3 * HOUR), document: "" });
  const [result, setResult] = useState(null);
  const [trouble, setTrouble] = useState("");
  const { data } = useAnswer(url("/api/assets", { q: `${dso} ${find}`.trim(), limit: MOST }));
  const assets = data ? data.assets.filter((one) => one.dso === dso) : [];
  const field = (name) => ({ name, value: said[name], onInput: (event) => setSaid({ ...said, [name]: event.target.value }) });
  const choose = (id, on) => { const next = new Set(chosen); if (on) next.add(id); else next.delete(id); setChosen(next); };
  const look = async (event) => {
    event.preventDefault();
    const trial = kind === "document" ? { dso, document: said.document } : formTrial(said, { dso, kind, chosen });
    try {
      setTrouble("");
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
            : html`<label class="choose">Total, kW<input ...${field("power")} type="number" min="0" step="any" required /></label>`}
          <label class="choose">From<input ...${field("start")} type="datetime-local" step="900" required /></label>
          <label class="choose">To<input ...${field("end")} type="datetime-local" step="900" required /></label>
          <fieldset class="full"><legend>Assets on its grid (${plural(chosen.size, "chosen").replace("chosens", "chosen")})</legend>
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

function formTrial(said, { dso, kind, chosen }) {
  const start = instantOf(secondsAt(said.start)), end = instantOf(secondsAt(said.end));
  const trial = { dso, direction: said.direction, assets: [...chosen], start, end };
  if (kind === "unforeseen") return { ...trial, action: said.action };
  return { ...trial, steps: [{ start, watts: Math.round(Number(said.power) * 1000) }] };
}
