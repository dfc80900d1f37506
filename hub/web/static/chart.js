// Step charts as SVG: intervals [from, to), never points, so that the last quarter-hour is drawn to its end.
// Every element is in the document with its numbers, and the crosshair can be moved with the arrow keys.

import { html, useEffect, useLayoutEffect, useRef, useState } from "./vendor/htm-preact.mjs";
import { clock, codeOf, dayName, hourOf, levelOf, power, secondsOf } from "./format.js";

const LEFT = 64, RIGHT = 12, TOP = 10, BOTTOM = 38;
const QUARTER = 900;
let charts = 0;

function useWidth(ref) {
  const [width, setWidth] = useState(Math.min(document.documentElement.clientWidth - 80, 1200));
  useLayoutEffect(() => {
    const watch = new ResizeObserver(([entry]) => setWidth(Math.max(280, Math.round(entry.contentRect.width))));
    watch.observe(ref.current);
    return () => watch.disconnect();
  }, []);
  return width;
}

const valueAt = (curve, at) => {
  const found = curve.find(([from, to]) => from <= at && at < to);
  return found ? found[2] : null;
};

function nice(span, most) {
  const rough = span / most, base = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 2.5, 5, 10].map((factor) => factor * base).find((step) => step >= rough);
}

/** Whether the first midnight stands so near to the left edge that the day is named there. */
const isNear = (ticks, x) => ticks.some((when) => hourOf(when) === 0 && x(when) < LEFT + 90);

/** Layers stacked upwards where they feed the grid and downwards where they draw from it. */
function stack(layers) {
  const edges = [...new Set(layers.flatMap((layer) => layer.curve.flatMap(([from, to]) => [from, to])))].sort((a, b) => a - b);
  const up = edges.map(() => 0), down = edges.map(() => 0);
  const areas = layers.map((layer) => {
    const pieces = [];
    let next = 0;
    for (let i = 0; i + 1 < edges.length; i += 1) {
      while (next < layer.curve.length && layer.curve[next][1] <= edges[i]) next += 1;
      const step = layer.curve[next];
      if (!step || step[0] > edges[i] || !step[2]) continue;
      const base = step[2] > 0 ? up : down;
      pieces.push([edges[i], edges[i + 1], base[i], base[i] + step[2]]);
      base[i] += step[2];
    }
    return pieces;
  });
  return { areas, top: Math.max(0, ...up), bottom: Math.min(0, ...down) };
}

/** The outline of steps, with a new stroke after every gap. */
const outline = (curve, x, y) => {
  let path = "", before = null;
  for (const [from, to, watts] of curve) {
    path += `${before === from ? "L" : "M"}${x(from)} ${y(watts)}L${x(to)} ${y(watts)}`;
    before = to;
  }
  return path;
};

function hours(from, to, width) {
  const every = [1, 2, 3, 6, 12, 24].find((step) => ((to - from) / 3600 / step) * 62 <= width) || 24;
  const ticks = [];
  for (let at = Math.ceil(from / 3600) * 3600; at <= to; at += 3600) if (hourOf(at) % every === 0) ticks.push(at);
  return ticks;
}

/**
 * layers: [{name, curve, tone}] stacked plans; lines: [{name, curve, kind}] bounds or sums;
 * excess: hatched below the curve `over`; bands: when anything is too much, over the whole height.
 */
export function StepChart({ title, window, layers = [], lines = [], excess = [], over = [], bands = [], now, height = 240, sign = false }) {
  const box = useRef(null);
  const number = useRef((charts += 1)).current;
  const width = useWidth(box);
  const [at, setAt] = useState(null);
  const [from, to] = [secondsOf(window.start), secondsOf(window.end)];
  const stacked = stack(layers);
  const drawn = lines.flatMap((line) => line.curve.map((step) => step[2]));
  const high = Math.max(stacked.top, ...drawn, 1), deep = Math.min(stacked.bottom, ...drawn);
  const step = nice((high - deep) * 1.08, Math.max(3, Math.round(height / 56)));
  const [low, top] = [Math.floor((deep * 1.04) / step) * step, Math.ceil((high * 1.04) / step) * step];
  const x = (when) => +(LEFT + ((Math.min(Math.max(when, from), to) - from) / (to - from)) * (width - LEFT - RIGHT)).toFixed(1);
  const y = (watts) => +(height - BOTTOM - ((watts - low) / (top - low)) * (height - TOP - BOTTOM)).toFixed(1);
  const levels = [];
  for (let watts = low; watts <= top + step / 2; watts += step) levels.push(Math.round(watts));
  const ticks = hours(from, to, width - LEFT - RIGHT);
  const read = (when) => {
    const told = [...lines.map((line) => [line.name, valueAt(line.curve, when)]),
      ...(layers.length > 6 ? [] : layers.map((layer) => [layer.name, valueAt(layer.curve, when)]))].filter(([, watts]) => watts !== null);
    const much = valueAt(excess, when) || valueAt(bands, when);
    if (much) told.push(["excess", much]);
    return `${dayName(when)} ${clock(when)}–${clock(when + QUARTER)}: ${told.length ? told.map(([name, watts]) => `${name} ${power(watts)}`).join(", ") : "nothing said"}`;
  };
  const place = (event) => {
    const bounds = event.currentTarget.getBoundingClientRect();
    const when = from + ((event.clientX - bounds.left - LEFT) / (width - LEFT - RIGHT)) * (to - from);
    setAt(when < from || when >= to ? null : Math.floor(when / QUARTER) * QUARTER);
  };
  const move = (event) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: 4, PageDown: -4 }[event.key];
    const ends = { Home: from, End: to - QUARTER }[event.key];
    if (steps === undefined && ends === undefined) return;
    event.preventDefault();
    const base = at === null ? Math.floor(Math.min(Math.max(now || from, from), to - QUARTER) / QUARTER) * QUARTER : at;
    setAt(ends !== undefined ? ends : Math.min(Math.max(base + steps * QUARTER, from), to - QUARTER));
  };
  const shown = at === null ? null : at;
  return html`<figure class="chart" ref=${box}>
    <svg width=${width} height=${height} role="img" aria-label=${title} onMouseMove=${place} onMouseLeave=${() => setAt(null)}>
      <defs><pattern id=${`hatch${number}`} width="6" height="6" patternTransform="rotate(45)" patternUnits="userSpaceOnUse">
        <rect width="6" height="6" class="hatch-ground" /><line x1="0" x2="0" y1="0" y2="6" class="hatch-line" /></pattern>
        <pattern id=${`much${number}`} width="6" height="6" patternTransform="rotate(45)" patternUnits="userSpaceOnUse">
        <rect width="6" height="6" class="much-ground" /><line x1="0" x2="0" y1="0" y2="6" class="hatch-line" /></pattern></defs>
      ${levels.map((watts) => html`<line class=${watts === 0 ? "axis" : "grid"} x1=${LEFT} x2=${width - RIGHT} y1=${y(watts)} y2=${y(watts)} />
        <text class="tick" x=${LEFT - 8} y=${y(watts) + 4} text-anchor="end">${sign && watts > 0 ? "+" : ""}${levelOf(watts, Math.max(top, -low))}</text>`)}
      ${ticks.map((when) => html`<line class=${hourOf(when) === 0 ? "midnight" : "grid"} x1=${x(when)} x2=${x(when)} y1=${TOP} y2=${height - BOTTOM} />
        ${x(when) < width - RIGHT - 16 && html`<text class="tick" x=${x(when)} y=${height - BOTTOM + 17} text-anchor=${x(when) < LEFT + 16 ? "start" : "middle"}>${clock(when)}</text>`}
        ${(hourOf(when) === 0 || (when === ticks[0] && !isNear(ticks, x))) && x(when) < width - RIGHT - 70 && html`<text class="tick day" x=${Math.max(x(when), LEFT)} y=${height - 4} text-anchor="start">${dayName(when)}</text>`}`)}
      ${bands.map(([a, b, watts]) => html`<rect class="violation band" data-from=${a} data-to=${b} data-w=${watts} x=${x(a)} width=${Math.max(x(b) - x(a), 1)}
        y=${TOP} height=${height - TOP - BOTTOM} fill=${`url(#hatch${number})`}><title>${clock(a)}–${clock(b)}: ${power(watts)} too much</title></rect>`)}
      ${layers.map((layer, index) => html`<path class=${`layer tone${layer.tone ?? index % 12}`} data-layer=${layer.name}
        d=${stacked.areas[index].map(([a, b, base, end]) => `M${x(a)} ${y(base)}L${x(a)} ${y(end)}L${x(b)} ${y(end)}L${x(b)} ${y(base)}Z`).join("")} />`)}
      ${excess.map(([a, b, watts]) => {
        const crest = valueAt(over, a);
        const peak = crest === null ? high : crest, foot = Math.max(peak - watts, Math.min(0, low));
        return html`<rect class="violation" data-from=${a} data-to=${b} data-w=${watts} x=${x(a)} width=${Math.max(x(b) - x(a), 1)}
          y=${y(peak)} height=${Math.max(y(foot) - y(peak), 3)} fill=${`url(#much${number})`}><title>${clock(a)}–${clock(b)}: ${power(watts)} too much</title></rect>`;
      })}
      ${lines.map((line) => html`<path class=${`line ${line.kind}`} data-line=${line.name} d=${outline(line.curve, x, y)} />`)}
      ${now > from && now < to && html`<g class="now"><line x1=${x(now)} x2=${x(now)} y1=${TOP} y2=${height - BOTTOM} /><text x=${x(now) + 4} y=${TOP + 9}>now</text></g>`}
      ${shown !== null && html`<rect class="cross" x=${x(shown)} width=${Math.max(x(shown + QUARTER) - x(shown), 1)} y=${TOP} height=${height - TOP - BOTTOM} />`}
    </svg>
    <figcaption>
      <ul class="legend">
        ${layers.map((layer, index) => html`<li><span class=${`swatch tone${layer.tone ?? index % 12}`}></span>${layer.name}</li>`)}
        ${[...new Map(lines.map((line) => [line.name, line])).values()].map((line) => html`<li><span class=${`stroke ${line.kind}`}></span>${line.name}</li>`)}
        ${excess.length + bands.length > 0 && html`<li><span class="swatch hatched"></span>too much</li>`}
      </ul>
      <div class="read" tabindex="0" role="slider" aria-label=${`Read ${title}`} aria-valuemin=${from} aria-valuemax=${to - QUARTER}
        aria-valuenow=${shown === null ? from : shown} aria-valuetext=${shown === null ? "no time chosen" : read(shown)} onKeyDown=${move}>
        ${shown === null ? "Point at the chart, or use the arrow keys here, to read values." : read(shown)}</div>
      <${Numbers} title=${title} layers=${layers} lines=${lines} excess=${excess} />
    </figcaption>
  </figure>`;
}

/** The same as a table, for who cannot see it or wants to copy it. */
function Numbers({ title, layers, lines, excess }) {
  const [open, setOpen] = useState(false);
  const curves = [...lines, ...layers, ...(excess.length ? [{ name: "excess", curve: excess }] : [])];
  const rows = curves.flatMap((one) => one.curve.map(([from, to, watts]) => [one.name, from, to, watts]));
  return html`<details onToggle=${(event) => setOpen(event.target.open)}><summary>Numbers</summary>
    ${open && html`<div class="scroll short" tabindex="0" role="group" aria-label=${`Numbers of ${title}`}><table><thead><tr><th scope="col">Curve</th><th scope="col">From</th><th scope="col">To</th><th scope="col" class="n">Power</th></tr></thead>
      <tbody>${rows.map(([name, from, to, watts]) => html`<tr><td>${name}</td><td>${dayName(from)} ${clock(from)}</td><td>${dayName(to)} ${clock(to)}</td><td class="n">${power(watts)}</td></tr>`)}</tbody></table></div>`}
  </details>`;
}

/** A span on a line, for lists of limits. */
export function Bar({ interval, window, state }) {
  const [from, to] = [secondsOf(window.start), secondsOf(window.end)];
  const place = (when) => (Math.min(Math.max(secondsOf(when), from), to) - from) / (to - from) * 100;
  const [a, b] = [place(interval.start), place(interval.end)];
  return html`<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
    <line x1="0" x2="100" y1="5" y2="5" class="grid" /><rect class=${state} x=${a} width=${Math.max(b - a, 0.8)} y="1" height="8" /></svg>`;
}

export const layerName = (layer) => (layer.asset ? codeOf(layer.asset) : "all others");
