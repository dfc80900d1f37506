// The trail of documents: what came, from whom, what was answered, and the document itself.

import { html, useState } from "../vendor/htm-preact.mjs";
import { Time } from "../format.js";
import { url, useAnswer } from "../hub.js";
import { Card, Table, Who, nameOf } from "../pieces.js";
import { amend, link } from "../route.js";
import { FAR } from "./limit.js";
import { VERDICTS, documentColumns } from "./overview.js";

export function Documents({ route, people, at, kept }) {
  return route.id ? html`<${One} sequence=${route.id} people=${people} kept=${kept} />` : html`<${Trail} route=${route} people=${people} at=${at} kept=${kept} />`;
}

function Trail({ route, people, at, kept }) {
  const { q = "", before = "" } = route.query;
  const { data, error } = useAnswer(url("/api/documents", { at, q, before }));
  return html`<div class="grid">
    <div class="choices wide"><label class="choose">Search<input type="search" value=${q} placeholder="mRID, sender, kind, verdict, reason" class="long" onChange=${(event) => amend({ q: event.target.value, before: "" })} /></label></div>
    ${error && html`<p class="trouble wide" role="alert">${error}</p>`}
    ${data && html`<${Card} id="t-all" wide=${true} title="Documents" note="newest first">
      <${Table} caption="Documents" rows=${data.documents} rowKey=${(one) => one.key} columns=${documentColumns(people, kept)} empty="No document fits." />
      <p class="pager">${before && html`<button type="button" onClick=${() => amend({ before: "" })}>Newest</button>`}
        <button type="button" disabled=${!data.before} onClick=${() => amend({ before: data.before })}>Older</button></p>
    <//>`}
    ${!data && !error && html`<p class="loading wide">Loading …</p>`}
  </div>`;
}

function Story({ story, people, kept }) {
  if (!story.lines.length && !story.legs.length) return null;
  const note = `${story.legs.length || "No"} ${story.legs.length === 1 ? "message" : "messages"} left because of it`;
  return html`<${Card} id="x-story" wide=${true} title="What became of it" note=${note}>
    <${Steps} lines=${story.lines} people=${people} kept=${kept} />
    ${story.legs.map((leg) => html`<details class="story" key=${`${leg.receiver} ${leg.document} ${leg.lines[0] && leg.lines[0].at}`}>
      <summary>${leg.businessType} to ${nameOf(leg.receiver, people)}: ${FAR[leg.state]}</summary>
      <${Steps} lines=${leg.lines} people=${people} kept=${kept} />
    </details>`)}
  <//>`;
}

function Steps({ lines, people, kept }) {
  return html`<div class="story"><ol>${lines.map((line) => html`<li><${Time} at=${line.at} seconds=${true} /> ${line.who && html`<${Who} id=${line.who} people=${people} query=${kept} />: `}${line.text}</li>`)}</ol></div>`;
}

function One({ sequence, people, kept }) {
  const { data, error } = useAnswer(url("/api/document", { sequence }));
  const [copied, setCopied] = useState(false);
  if (error) return html`<p class="trouble" role="alert">${error}</p>`;
  if (!data) return html`<p class="loading">Loading …</p>`;
  const one = data.document;
  const copy = async () => { await navigator.clipboard.writeText(data.xml); setCopied(true); };
  return html`<div class="grid">
    <section class="card wide said" aria-labelledby="x-title"><header><h2 id="x-title">Document ${one.mrid || "without mRID"}</h2><p class="note"><a href=${link("documents", "", kept)}>all documents</a></p></header>
      <dl>
        <div><dt>From</dt><dd><${Who} id=${one.sender} people=${people} query=${kept} /></dd></div>
        <div><dt>Kind</dt><dd>${one.businessType}${one.type ? `, type ${one.type}` : ""}${one.revision ? `, revision ${one.revision}` : ""}</dd></div>
        <div><dt>Created</dt><dd>${one.created ? html`<${Time} at=${one.created} seconds=${true} />` : "not said"}</dd></div>
        <div><dt>Judged</dt><dd><${Time} at=${one.judged} seconds=${true} /></dd></div>
        <div><dt>Verdict</dt><dd><span class=${`verdict v${one.verdict}`}>${one.verdict} ${VERDICTS[one.verdict] || ""}</span></dd></div>
        <div class="long"><dt>SHA-256</dt><dd class="mrid">${data.digest}</dd></div>
      </dl>
      ${one.reasons.length > 0 && html`<ul class="reasons">${one.reasons.map((reason) => html`<li><strong>${reason.code}</strong> ${reason.text}</li>`)}</ul>`}</section>
    <${Story} story=${data.story} people=${people} kept=${kept} />
    <${Card} id="x-raw" wide=${true} title="As it came, laid out to read" note=${data.xml ? html`<button type="button" onClick=${copy}>${copied ? "Copied" : "Copy"}</button>` : ""}>
      ${data.xml ? html`<pre tabindex="0" role="group" aria-label="The document's XML"><code>${data.xml}</code></pre>` : html`<p class="empty">Its content is not kept.</p>`}
    <//>
  </div>`;
}
