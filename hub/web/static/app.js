// The frame of the operator's pages: login, navigation, the time that is looked at, and the state of the connection.

import { html, render, useEffect, useState } from "./vendor/htm-preact.mjs";
import { ask, connect, contact, disconnect, isGateway, listen, post, useAnswer } from "./hub.js";
import { Time, ago, codeOf, instantOf, secondsOf, setZone, zoneName } from "./format.js";
import { amend, link, useRoute } from "./route.js";
import { Agr } from "./views/agr.js";
import { Assets } from "./views/assets.js";
import { Documents } from "./views/documents.js";
import { Dso } from "./views/dso.js";
import { Implications } from "./views/implications.js";
import { Limit } from "./views/limit.js";
import { Own } from "./views/own.js";
import { Overview } from "./views/overview.js";
import { WhatIf } from "./views/whatif.js";

const VIEWS = {
  overview: ["Overview", Overview],
  agr: ["Aggregators", Agr],
  dso: ["Grid operators", Dso],
  implications: ["Implications", Implications],
  documents: ["Documents", Documents],
  assets: ["Assets", Assets],
  whatif: ["What if", WhatIf],
};
const THEMES = ["auto", "light", "dark"];
const MINUTE = 60;
const GRAIN = 10;

function Login({ onEnter }) {
  const [trouble, setTrouble] = useState("");
  const [busy, setBusy] = useState(false);
  const enter = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await post("/api/login", { password: event.target.elements.password.value });
      onEnter();
    } catch (error) {
      setTrouble(error.message);
      setBusy(false);
    }
  };
  return html`<main class="login"><form onSubmit=${enter}>
    <h1>Trade Permission System</h1>
    <p>${isGateway ? "Your own plans and limits, and what they do to each other." : "The operator's view of plans, limits, and what they do to each other."}</p>
    <label>${isGateway ? "Token" : "Password"}<input name="password" type="password" autocomplete="current-password" required autofocus /></label>
    <button type="submit" class="main" disabled=${busy}>Log in</button>
    <p class="trouble" role="alert">${trouble}</p>
  </form></main>`;
}

function Contact() {
  const [, redraw] = useState(0);
  useEffect(() => {
    const stop = listen((kind) => kind === "contact" && redraw((n) => n + 1));
    const timer = setInterval(() => redraw((n) => n + 1), 5000);
    return () => { stop(); clearInterval(timer); };
  }, []);
  const lost = contact.state === "lost";
  const text = { live: "Live", connecting: "Connecting", lost: `No contact with the hub for ${ago((Date.now() - contact.since) / 1000)}` }[contact.state];
  return html`<p class=${`contact ${contact.state}`} role="status"><span aria-hidden="true">${lost ? "▲" : "●"}</span> ${text}</p>`;
}

/** The time of which everything is shown: the present, or any second since the log began. */
function AsOf({ session, at }) {
  const now = Math.floor(Date.now() / 1000 / GRAIN) * GRAIN;
  const began = Math.floor(secondsOf(session.began || session.now) / GRAIN) * GRAIN;
  const value = at ? secondsOf(at) : now;
  const [drag, setDrag] = useState(null);
  const show = (when) => amend({ at: when >= now ? "" : instantOf(when) });
  const shown = drag === null ? value : drag;
  const step = (minutes) => show(Math.max(began, Math.min(value + minutes * MINUTE, now)));
  return html`<div class=${`asof ${at ? "past" : ""}`} role="group" aria-label="Time of knowledge">
    <label for="asof">As known at</label>
    <button type="button" aria-label="One minute earlier" onClick=${() => step(-1)} disabled=${value <= began}>‹</button>
    <input id="asof" type="range" min=${began} max=${Math.max(now, began + GRAIN)} step="1" value=${shown}
      aria-valuetext=${at || drag ? instantOf(shown) : "now"}
      onInput=${(event) => setDrag(Number(event.target.value))}
      onChange=${(event) => { show(Number(event.target.value)); setDrag(null); }} />
    <button type="button" aria-label="One minute later" onClick=${() => step(1)} disabled=${!at}>›</button>
    <span class="when">${at || drag ? html`<${Time} at=${shown} seconds=${true} />` : "now"}</span>
    <button type="button" class="present" onClick=${() => amend({ at: "" })} disabled=${!at}>Back to now</button>
  </div>`;
}

function Theme() {
  const [theme, setTheme] = useState(localStorage.getItem("theme") || "auto");
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("theme", theme);
  }, [theme]);
  return html`<label class="theme"><span class="unseen">Colours</span>
    <select value=${theme} onChange=${(event) => setTheme(event.target.value)}>
    ${THEMES.map((one) => html`<option value=${one} selected=${one === theme}>${{ auto: "As the system", light: "Light", dark: "Dark" }[one]}</option>`)}</select></label>`;
}

function Frame({ session, onLeave }) {
  const route = useRoute();
  const at = route.query.at || "";
  const { data: people } = useAnswer(`/api/people${at ? `?at=${encodeURIComponent(at)}` : ""}`);
  const [title, View] = VIEWS[route.view] || (route.view === "limit" ? ["Limit", Limit] : VIEWS.overview);
  useEffect(() => { document.title = `${title} · Trade Permission System`; }, [title]);
  const kept = { at, day: route.query.day, days: route.query.days };
  const leave = async () => { await post("/api/logout", {}); onLeave(); };
  return html`<div class=${`frame ${at ? "past" : ""}`}>
    <a class="skip" href="#content" onClick=${(event) => { event.preventDefault(); document.getElementById("content").focus(); }}>Skip to the content</a>
    <header class="top">
      <p class="brand"><strong>Trade Permission System</strong> <span title=${session.hub}>${codeOf(session.hub)}</span></p>
      <nav aria-label="Views">${Object.entries(VIEWS).map(([name, [label]]) => html`<a href=${link(name, "", kept)}
        aria-current=${route.view === name || (route.view === "limit" && name === "dso") ? "page" : null}>${label}</a>`)}</nav>
      <div class="tools"><${Contact} /><${Theme} /><button type="button" onClick=${leave}>Log out</button></div>
    </header>
    <div class="times"><${AsOf} session=${session} at=${at} /><p class="zone">Times are ${zoneName()}; UTC on hover.</p></div>
    <main id="content" tabindex="-1"><h1 class="unseen">${title}</h1>
      ${people ? html`<${View} key=${route.view} route=${route} people=${people} at=${at} kept=${kept} />` : html`<p class="loading">Loading …</p>`}</main>
  </div>`;
}

/** A gateway's frame: one participant's own rows, and nothing to choose. */
function OwnFrame({ session, onLeave }) {
  const route = useRoute();
  const name = session.name || codeOf(session.hub);
  useEffect(() => { document.title = `${name} · Trade Permission System`; }, [name]);
  const leave = async () => { await post("/api/logout", {}); onLeave(); };
  return html`<div class="frame">
    <header class="top">
      <p class="brand"><strong>${name}</strong> <span>${session.role}, ${codeOf(session.hub)}</span></p><nav aria-label="Views"></nav>
      <div class="tools"><${Contact} /><${Theme} /><button type="button" onClick=${leave}>Log out</button></div>
    </header>
    <main id="content" tabindex="-1"><h1 class="unseen">Plans and limits of ${name}</h1>
      <${Own} route=${route} session=${session} name=${name} /></main>
  </div>`;
}

function App() {
  const [session, setSession] = useState(undefined);
  const look = async () => {
    try {
      const found = await ask("/api/session");
      setZone(found.zone);
      setSession(found);
      connect();
    } catch (error) {
      setSession(null);
    }
  };
  const leave = () => { disconnect(); setSession(null); };
  useEffect(() => {
    look();
    return listen((kind) => kind === "ended" && leave());
  }, []);
  if (session === undefined) return html`<p class="loading">Loading …</p>`;
  if (session && isGateway) return html`<${OwnFrame} session=${session} onLeave=${leave} />`;
  return session ? html`<${Frame} session=${session} onLeave=${leave} />` : html`<${Login} onEnter=${look} />`;
}

const root = document.getElementById("app");
document.documentElement.dataset.theme = localStorage.getItem("theme") || "auto";
render(html`<${App} />`, root);
