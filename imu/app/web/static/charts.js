// Charts with uPlot: weeks as columns and lines, a recording with its repetitions. Colours are those of style.css.

import { openDialog, send } from "./page.js";

const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const FONT = "12px system-ui, sans-serif";
let drawn = [];

function axes(days = null) {
  const common = { stroke: () => ink("soft"), font: FONT, ticks: { show: false } };
  return [
    { ...common, grid: { show: false }, size: 28, values: (_, times) => times.map(days ? days.name : clock), ...(days && { splits: days.splits }) },
    { ...common, grid: { stroke: () => ink("line"), width: 1 }, size: 44, values: (_, values) => values.map((one) => (+one.toFixed(2)).toLocaleString("en-US").replaceAll(",", "\u202f")) },
  ];
}

// Labels of an axis of days: only days that have a value, from the last one back, as far apart as their text needs.
function dayLabels({ x, days, months }, width) {
  const years = x.at(-1) - x[0] > 330 * 86400, apart = years ? 84 : 62;
  const name = (seconds) => (years ? months : days)[x.indexOf(seconds)];
  const splits = (_, __, low, high) => x.toReversed().reduce((chosen, one) => (!chosen.length || (chosen[0] - one) / (high - low) * width >= apart ? [one, ...chosen] : chosen), []);
  return { name, splits, half: years ? 32 : 24 };
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

// --- over days

function dayChart(box, chart) {
  const out = box.parentElement.querySelector("output"), stacked = chart.kind === "columns", { series } = chart;
  // The first series stands on the others.
  const heights = stacked ? series.map((_, i) => chart.x.map((_, k) => series.slice(i).reduce((sum, one) => sum + (one.values[k] ?? 0), 0))) : series.map((one) => one.values);
  const drawnSeries = series.map((one) => {
    const colour = () => ink(one.look);
    if (stacked) {
      return { stroke: colour, width: 1, points: { show: false }, paths: uPlot.paths.bars({ size: [0.7, 40, 6] }),
        fill: (u) => (one.look === "hinge" ? hatched(u.ctx, colour()) : colour()) };
    }
    return { stroke: colour, width: 2, spanGaps: true, dash: one.look === "squat" ? undefined : [6, 4], points: { show: false } };
  });
  const range = chart.most ? [0, chart.most] : (_, low, high) => stacked || low > 0.6 * high ? [stacked ? 0 : low - 0.1 * (high - low) - 0.02 * high, high > 0 ? high * 1.05 : 1] : [0, high > 0 ? high * 1.08 : 1];
  const days = (low, high) => [low - 4 * 86400, high + 4 * 86400], oneMoment = chart.x[0] === chart.x.at(-1); // which uPlot widens to years
  const labels = dayLabels(chart, box.clientWidth - 70);
  const options = {
    width: box.clientWidth, height: 200, legend: { show: false }, cursor: { y: false, points: { show: false } }, padding: [8, labels.half, 0, 0],
    scales: { x: { time: true, range: (_, low, high) => (oneMoment ? days(chart.x[0], chart.x[0]) : days(low, high)) }, y: { range } },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), "UTC"),
    axes: axes(labels), series: [{}, ...drawnSeries],
    hooks: { draw: [(u) => { if (!stacked) series.forEach((one, i) => markPoints(u, i + 1, one.look)); }], setCursor: [(u) => {
      const i = u.cursor.idx;
      if (i == null) { out.textContent = ""; return; }
      const texts = series.toReversed().filter((one) => one.values[i] != null).map((one) => [one.values[i], chart.unit, one.name].filter((part) => part !== "").join(" "));
      out.textContent = `${chart.days[i]}: ${texts.join(", ") || "nothing"}`;
    }] },
  };
  return new uPlot(options, [chart.x, ...heights], box);
}

function markPoints(u, index, look) {
  const pen = u.ctx, data = u.data[index];
  pen.save(); pen.fillStyle = ink(look);
  data.forEach((value, i) => {
    if (value != null) shape(pen, look === "soft" ? "squat" : look, u.valToPos(u.data[0][i], "x", true), u.valToPos(value, "y", true), (data.length > 60 ? 2.5 : 4) * devicePixelRatio);
  });
  pen.restore();
}

// --- one recording

const EDGE_PX = 7;
/** The repetition that is chosen with the keyboard or dragged, and where it begins and ends meanwhile. */
let held = null;

async function recordingChart(box, outdated) {
  const metric = document.getElementById("sets")?.dataset.metric ?? "main";
  const measure = metric === "main" ? (box.dataset.hinges ? "angle" : "depth") : metric;
  const answer = await fetch(`/session/${box.dataset.session}/curve?measure=${measure}&person=${encodeURIComponent(document.body.dataset.person)}`), data = await answer.json();
  if (outdated()) return null;  // another figure was chosen meanwhile
  box.replaceChildren();
  held = null;
  if (data.refused) { box.append(Object.assign(document.createElement("p"), { className: "banner", textContent: data.refused })); return null; }
  smallCurves(data.repetitions);
  document.getElementById("recording-title").textContent = `${data.title}, ${data.unit}`;
  const out = box.closest("figure").querySelector("output"), least = measure === "speed" ? [-0.3, 0.6] : [-8, 40];
  data.unmarked = least[0] / 2;
  const options = {
    width: box.clientWidth, height: 280, legend: { show: false }, padding: [18, 18, 0, 0],
    cursor: { drag: { x: true, y: false, setScale: false, dist: 6 }, points: { show: false }, y: false },
    scales: { x: { time: false }, y: { range: (_, low, high) => [Math.min(least[0], low), Math.max(least[1], high * 1.08)] } },
    axes: axes(), series: [{}, { stroke: () => ink("soft"), width: 1.5, points: { show: false } }],
    hooks: {
      drawClear: [(u) => shadeSets(u, data)],
      draw: [(u) => markRepetitions(u, data)],
      setSelect: [(u) => chooseSpan(u)],
      setCursor: [(u) => { if (held) return; const near = nearest(u, data, 14); out.textContent = near ? near.text : u.cursor.idx == null ? "" : `${clock(data.x[u.cursor.idx])}  ${data.values[u.cursor.idx] ?? "–"} ${data.unit}`; }],
    },
  };
  const chart = new uPlot(options, [data.x, data.values], box);
  chart.over.addEventListener("dblclick", () => zoom(chart, null));
  document.getElementById("zoom-out").onclick = () => zoom(chart, null);
  window.imuChart = { markOf: (place) => { const rectangle = chart.over.getBoundingClientRect(), mark = marks(data).find((one) => one.one?.place === place); return [rectangle.left + chart.valToPos(mark.x, "x"), rectangle.top + chart.valToPos(mark.y, "y")]; } };
  dragRepetitions(chart, data, out, box);
  box.onkeydown = (event) => keys(event, chart, data, out, box);
  return chart;
}

// Press on a mark and drag: its repetition moves. Near the start or end of a repetition, only that end moves.
function dragRepetitions(u, data, out, box) {
  const over = u.over;
  over.style.touchAction = "pan-y";
  const at = (event) => event.clientX - over.getBoundingClientRect().left;
  const grip = (x) => {
    for (const one of data.repetitions) for (const end of ["start", "end"]) {
      if (Math.abs(u.valToPos(one[end], "x") - x) <= EDGE_PX && u.valToPos(one.end, "x") - u.valToPos(one.start, "x") > 4 * EDGE_PX) return { one, ends: [end] };
    }
    return null;
  };
  over.addEventListener("pointerdown", (event) => {
    const y = event.clientY - over.getBoundingClientRect().top;
    const near = nearest(u, data, 14, { left: at(event), top: y });
    const found = near ? near.one && { one: near.one, ends: ["start", "end"] } : grip(at(event));
    if (near && !near.one) { document.querySelector(near.opener)?.click(); event.stopPropagation(); return; }
    if (!found || event.button) return;
    held = { ...found, from: at(event), start: found.one.start, end: found.one.end, dragged: false };
    over.setPointerCapture(event.pointerId);
  });
  over.addEventListener("mousedown", (event) => { if (held) event.stopImmediatePropagation(); }, true);
  over.addEventListener("pointermove", (event) => {
    if (!held || !held.from) { over.style.cursor = grip(at(event)) ? "ew-resize" : ""; return; }
    const by = u.posToVal(at(event), "x") - u.posToVal(held.from, "x");
    held.dragged ||= Math.abs(at(event) - held.from) > 4;
    if (held.dragged) shift(u, data.repetitions, held, by, out);
  });
  over.addEventListener("pointerup", async () => {
    if (!held || !held.from) return;
    const done = held;
    held = null;
    if (done.dragged) await save(box, done);
    else document.querySelector(`[data-rep="${done.one.place}"]`)?.click();
  });
}

function shift(u, all, what, by, out) {
  // It stops at the repetitions before and after it.
  const i = all.indexOf(what.one), least = i ? all[i - 1].end + 0.01 : 0, most = i + 1 < all.length ? all[i + 1].start - 0.01 : Infinity;
  const room = [what.ends.includes("start") ? Math.min(0, least - what.one.start) : -Infinity, what.ends.includes("end") ? Math.max(0, most - what.one.end) : Infinity];
  const moved = Math.min(Math.max(by, room[0]), room[1]);
  for (const end of ["start", "end"]) what[end] = what.one[end] + (what.ends.includes(end) ? moved : 0);
  if (what.end - what.start < 0.3) what[what.ends[0]] = what.ends[0] === "start" ? what.end - 0.3 : what.start + 0.3;
  out.textContent = `${what.one.place}: ${what.start.toFixed(1)} to ${what.end.toFixed(1)} s`;
  u.redraw(false);
}

async function save(box, what) {
  await send(`/session/${box.dataset.session}/move`, { state: box.dataset.state, place: what.one.place, start: Math.max(0, what.start).toFixed(2), end: what.end.toFixed(2) });
}

async function keys(event, u, data, out, box) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key], all = data.repetitions;
  if (step && event.shiftKey && held) shift(u, all, held, (held.start - held.one.start) + 0.1 * step, out);
  else if (step && !event.shiftKey && all.length) {
    const next = held ? all.indexOf(held.one) + step : step > 0 ? 0 : all.length - 1, one = all[(next + all.length) % all.length];
    held = { one, ends: ["start", "end"], start: one.start, end: one.end, dragged: false };
    out.textContent = `${one.pattern} ${one.place} at ${clock(one.start)}`;
    u.redraw(false);
  } else if (event.key === "Enter" && held) {
    const done = held;
    held = null;
    if (done.start !== done.one.start) await save(box, done);
    else document.querySelector(`[data-rep="${done.one.place}"]`)?.click();
  } else if (event.key === "Delete" && held) {
    const done = held;
    held = null;
    await send(`/session/${box.dataset.session}/remove`, { state: box.dataset.state, place: done.one.place });
  } else if (event.key === "Escape" && held) { held = null; u.redraw(false); } else return;
  event.preventDefault();
}

function marks(data) {
  return [
    ...data.repetitions.map((one) => {
      const by = held?.one === one ? (held.start + held.end - one.start - one.end) / 2 : 0;
      return { one, x: one.middle + by, y: one.value, pattern: one.pattern, opener: `[data-rep="${one.place}"]`, text: `${clock(one.start)}  ${one.pattern} ${one.place}, ${one.value} ${data.unit}` };
    }),
    ...data.rejected.map((one) => ({ x: one.middle, y: data.unmarked, pattern: null, opener: `[data-open=count-movement][data-place="${one.number}"]`, text: `${clock(one.middle)}  not counted: ${one.reason}` })),
  ];
}

function nearest(u, data, within, point = u.cursor) {
  const { left, top } = point;
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
  if (held) {
    const left = u.valToPos(held.start, "x", true), right = u.valToPos(held.end, "x", true);
    pen.globalAlpha = 0.35; pen.fillStyle = ink(held.one.pattern);
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

// The curve of each repetition over the mean of its set, drawn from start to end so that shapes compare.
function smallCurves(repetitions) {
  const bySet = Object.groupBy ? Object.groupBy(repetitions, (one) => one.place.split("/")[0]) : repetitions.reduce((all, one) => { (all[one.place.split("/")[0]] ??= []).push(one); return all; }, {});
  for (const all of Object.values(bySet)) {
    const known = all.filter((one) => one.curve), values = known.flatMap((one) => one.curve), most = Math.max(0.3, ...values), least = Math.min(0, ...values);
    const mean = known.length > 1 ? known[0].curve.map((_, i) => known.reduce((sum, one) => sum + one.curve[i], 0) / known.length) : null;
    for (const one of known) {
      const box = document.querySelector(`[data-curve="${one.place}"]`);
      box?.replaceChildren(...[[mean, "mean"], [one.curve, "own"]].filter(([values]) => values).map(([values, name]) => line(values, least, most, name)));
    }
  }
}

function line(values, least, most, name) {
  const polyline = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  polyline.setAttribute("class", name);
  polyline.setAttribute("points", values.map((value, i) => `${(140 * i / (values.length - 1)).toFixed(1)},${(54 - 50 * (value - least) / (most - least)).toFixed(1)}`).join(" "));
  return polyline;
}

// --- all of them

let drawing = 0;

async function drawAll() {
  const mine = ++drawing, outdated = () => mine !== drawing;
  document.documentElement.dataset.charts = "drawing";
  for (const one of drawn) one.destroy();
  drawn = [];
  for (const box of document.querySelectorAll("[data-chart]")) {
    box.replaceChildren();
    drawn.push(dayChart(box, JSON.parse(box.nextElementSibling.textContent)));
  }
  const box = document.getElementById("recording"), chart = box && (await recordingChart(box, outdated));
  if (outdated()) return;
  if (chart) drawn.push(chart);
  document.documentElement.dataset.charts = "drawn";
}

addEventListener("theme", () => drawn.forEach((one) => one.redraw(false, true)));
document.addEventListener("refreshed", drawAll);
document.addEventListener("metric", drawAll);
new ResizeObserver(() => drawn.forEach((one) => one.setSize({ width: one.root.parentElement.clientWidth, height: one.height }))).observe(document.body);
drawAll();
