// Charts with uPlot: weeks as columns and lines, a recording with its repetitions. Colours are those of style.css.

import { openDialog } from "./page.js";

const NAMES = { squat: "squats", hinge: "hinges", share: "squats" };
const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const FONT = "12px system-ui, sans-serif";
let drawn = [];

function axes(unit, days) {
  const common = { stroke: () => ink("soft"), font: FONT, ticks: { show: false } };
  return [
    { ...common, grid: { show: false }, size: days ? 40 : 28, ...(days ? {} : { values: (_, times) => times.map(clock) }) },
    { ...common, grid: { stroke: () => ink("line"), width: 1 }, size: 44, values: (_, values) => values.map((one) => `${+one.toFixed(2)}`) },
  ];
}

function clock(seconds) {
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${String(Math.round(seconds % 60)).padStart(2, "0")}`;
}

function hatched(context, colour) {
  const tile = Object.assign(document.createElement("canvas"), { width: 8, height: 8 }), pen = tile.getContext("2d");
  pen.strokeStyle = colour; pen.lineWidth = 2;
  for (const shift of [-8, 0, 8]) { pen.beginPath(); pen.moveTo(shift, 8); pen.lineTo(shift + 8, 0); pen.stroke(); }
  return context.createPattern(tile, "repeat");
}

function shape(pen, pattern, x, y, size) {
  pen.beginPath();
  if (pattern === "hinge") { pen.moveTo(x, y - size); pen.lineTo(x + size, y + size * .8); pen.lineTo(x - size, y + size * .8); pen.closePath(); }
  else if (pattern === "squat") pen.arc(x, y, size * .9, 0, 7);
  else pen.rect(x - size * .8, y - size * .8, size * 1.6, size * 1.6);
  pen.fill();
}

// --- weeks

function weekChart(box, chart) {
  const out = box.parentElement.querySelector("output");
  const stacked = chart.kind === "columns";
  const names = chart.kind === "share" ? ["share"] : stacked ? ["hinge", "squat"] : ["squat", "hinge"];
  const values = (name) => chart[name];
  const drawnValues = stacked ? [chart.x.map((_, i) => chart.squat[i] + chart.hinge[i]), chart.squat] : names.map(values);
  const series = names.map((name) => {
    const own = name === "share" ? "soft" : name, colour = () => ink(own);
    if (stacked) {
      return { stroke: colour, width: 1, points: { show: false }, paths: uPlot.paths.bars({ size: [0.7, 40] }),
        fill: (u) => (name === "hinge" ? hatched(u.ctx, colour()) : colour()) };
    }
    return { stroke: colour, width: 2, spanGaps: true, dash: name === "hinge" ? [6, 4] : undefined,
      points: { show: false } };
  });
  const range = chart.kind === "share" ? [0, 100] : (_, low, high) => [0, high > 0 ? high * 1.08 : 1];
  const options = {
    width: box.clientWidth, height: 200, legend: { show: false }, cursor: { y: false, points: { show: false } }, padding: [8, 14, 0, 0],
    scales: { x: { time: true, range: (_, low, high) => [low - 4 * 86400, high + 4 * 86400] }, y: { range } },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), "UTC"),
    axes: axes(chart.unit, true), series: [{}, ...series],
    hooks: { draw: [(u) => { if (!stacked) names.forEach((name, i) => markPoints(u, i + 1, name)); }], setCursor: [(u) => {
      const i = u.cursor.idx;
      if (i == null) { out.textContent = ""; return; }
      const day = new Date(chart.x[i] * 1e3).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
      const texts = names.slice().reverse().filter((name) => values(name)[i] != null).map((name) => `${values(name)[i]}${chart.unit && ` ${chart.unit}`} ${NAMES[name]}`);
      out.textContent = `${day}: ${texts.join(", ") || "nothing"}`;
    }] },
  };
  return new uPlot(options, [chart.x, ...drawnValues], box);
}

function markPoints(u, index, name) {
  const pen = u.ctx, data = u.data[index];
  pen.save(); pen.fillStyle = ink(name === "share" ? "soft" : name);
  data.forEach((value, i) => {
    if (value != null) shape(pen, name === "share" ? "squat" : name, u.valToPos(u.data[0][i], "x", true), u.valToPos(value, "y", true), 4.5 * devicePixelRatio);
  });
  pen.restore();
}

// --- one recording

async function recordingChart(box) {
  const answer = await fetch(`/session/${box.dataset.session}/curve`), data = await answer.json();
  box.replaceChildren();
  if (data.refused) { box.append(Object.assign(document.createElement("p"), { className: "banner", textContent: data.refused })); return null; }
  smallCurves(data.repetitions);
  const out = box.closest("figure").querySelector("output");
  const options = {
    width: box.clientWidth, height: 280, legend: { show: false }, padding: [18, 18, 0, 0],
    cursor: { drag: { x: true, y: false, setScale: false, dist: 6 }, points: { show: false }, y: false },
    scales: { x: { time: false }, y: { range: (_, low, high) => [Math.min(-8, low), Math.max(40, high * 1.08)] } },
    axes: axes("°", false), series: [{}, { stroke: () => ink("soft"), width: 1.5, points: { show: false } }],
    hooks: {
      drawClear: [(u) => shadeSets(u, data)],
      draw: [(u) => markRepetitions(u, data)],
      setSelect: [(u) => chooseSpan(u)],
      setCursor: [(u) => { const near = nearest(u, data, 14); out.textContent = near ? near.text : u.cursor.idx == null ? "" : `${clock(data.x[u.cursor.idx])}  ${data.angle[u.cursor.idx] ?? "–"}°`; }],
    },
  };
  const chart = new uPlot(options, [data.x, data.angle], box);
  chart.over.addEventListener("click", () => {
    const near = nearest(chart, data, 14);
    if (near && !chart.select.width) document.querySelector(near.opener)?.click();
  });
  chart.over.addEventListener("dblclick", () => zoom(chart, null));
  document.getElementById("zoom-out").onclick = () => zoom(chart, null);
  return chart;
}

function marks(data) {
  return [
    ...data.repetitions.map((one) => ({ x: one.middle, y: one.angle, pattern: one.pattern, opener: `[data-rep="${one.place}"]`, text: `${clock(one.start)}  ${one.pattern} ${one.place}, ${one.angle}°` })),
    ...data.rejected.map((one) => ({ x: one.middle, y: -4, pattern: null, opener: `[data-open=count-movement][data-place="${one.number}"]`, text: `${clock(one.middle)}  not counted: ${one.reason}` })),
  ];
}

function nearest(u, data, within) {
  const { left, top } = u.cursor;
  if (left == null || left < 0) return null;
  const apart = (one) => Math.hypot(u.valToPos(one.x, "x") - left, u.valToPos(one.y, "y") - top);
  const best = marks(data).reduce((a, b) => (!a || apart(b) < apart(a) ? b : a), null);
  return best && apart(best) <= within ? best : null;
}

function shadeSets(u, data) {
  const pen = u.ctx;
  pen.save(); pen.fillStyle = ink("raised");
  for (const [start, end] of data.sets) {
    const left = u.valToPos(start, "x", true), right = u.valToPos(end, "x", true);
    pen.fillRect(left, u.bbox.top, right - left, u.bbox.height);
  }
  pen.restore();
}

function markRepetitions(u, data) {
  const pen = u.ctx, size = 6 * devicePixelRatio;
  pen.save(); pen.beginPath(); pen.rect(u.bbox.left, u.bbox.top - 14 * devicePixelRatio, u.bbox.width, u.bbox.height + 14 * devicePixelRatio); pen.clip();
  for (const one of marks(data)) {
    const x = u.valToPos(one.x, "x", true), y = u.valToPos(one.y, "y", true);
    if (one.pattern) { pen.fillStyle = ink(one.pattern); shape(pen, one.pattern, x, y, size); }
    else {
      pen.strokeStyle = ink("soft"); pen.lineWidth = 2 * devicePixelRatio; pen.beginPath();
      pen.moveTo(x - size / 2, y - size / 2); pen.lineTo(x + size / 2, y + size / 2); pen.moveTo(x + size / 2, y - size / 2); pen.lineTo(x - size / 2, y + size / 2); pen.stroke();
    }
  }
  pen.restore();
}

// A stretch that was dragged: zoom in, or add a repetition there.
function chooseSpan(u) {
  if (u.select.width < 6) return;
  const start = u.posToVal(u.select.left, "x"), end = u.posToVal(u.select.left + u.select.width, "x");
  const row = document.getElementById("span-actions");
  row.hidden = false;
  for (const old of row.querySelectorAll("[data-span]")) old.remove();
  const choice = (text, act) => {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "plain small", textContent: text });
    button.dataset.span = "";
    button.onclick = () => { act(); for (const one of row.querySelectorAll("[data-span]")) one.remove(); };
    row.prepend(button);
  };
  choice("Add a repetition here", () => openDialog("add-rep", { start: start.toFixed(2), end: end.toFixed(2), pattern: "squat" }));
  choice("Zoom in", () => zoom(u, [start, end]));
}

function zoom(u, span) {
  u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  u.setScale("x", span ? { min: span[0], max: span[1] } : { min: u.data[0][0], max: u.data[0].at(-1) });
  document.getElementById("span-actions").hidden = !span;
}

// The angle of each repetition over the mean of its set, drawn from start to end so that shapes compare.
function smallCurves(repetitions) {
  const bySet = Object.groupBy ? Object.groupBy(repetitions, (one) => one.place.split("/")[0]) : repetitions.reduce((all, one) => { (all[one.place.split("/")[0]] ??= []).push(one); return all; }, {});
  for (const all of Object.values(bySet)) {
    const known = all.filter((one) => one.curve), most = Math.max(30, ...known.flatMap((one) => one.curve));
    const mean = known.length > 1 ? known[0].curve.map((_, i) => known.reduce((sum, one) => sum + one.curve[i], 0) / known.length) : null;
    for (const one of known) {
      const box = document.querySelector(`[data-curve="${one.place}"]`);
      box?.replaceChildren(...[[mean, "mean"], [one.curve, "own"]].filter(([values]) => values).map(([values, name]) => line(values, most, name)));
    }
  }
}

function line(values, most, name) {
  const polyline = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  polyline.setAttribute("class", name);
  polyline.setAttribute("points", values.map((value, i) => `${(140 * i / (values.length - 1)).toFixed(1)},${(54 - 50 * Math.max(0, value) / most).toFixed(1)}`).join(" "));
  return polyline;
}

// --- all of them

async function drawAll() {
  for (const one of drawn) one.destroy();
  drawn = [];
  for (const box of document.querySelectorAll("[data-chart]")) {
    box.replaceChildren();
    drawn.push(weekChart(box, JSON.parse(box.nextElementSibling.textContent)));
  }
  const box = document.getElementById("recording"), chart = box && (await recordingChart(box));
  if (chart) drawn.push(chart);
  document.documentElement.dataset.charts = "drawn";
}

addEventListener("theme", () => drawn.forEach((one) => one.redraw(false, true)));
document.addEventListener("refreshed", drawAll);
new ResizeObserver(() => drawn.forEach((one) => one.setSize({ width: one.root.parentElement.clientWidth, height: one.height }))).observe(document.body);
drawAll();
