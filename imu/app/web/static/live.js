// The live page: draws what the training desk sends, and sends the person's commands. All words come from the
// server, so that page, terminal and voice agree.

import { fillPlan, lastPlan, markWrong, planOf } from "./plan.js";

const RECONNECT_MS = 800;
const KEYS = { e: "end set", " ": "end set", u: "take back", "+": "missed", p: "pause", k: "keep alone", o: "move", q: "finish", s: "sets", t: "plan", f: "full" };
const SHAPES = { squat: "M12 2a10 10 0 1 0 .01 0Z", hinge: "M12 2L23 21H1Z", mixed: "M12 1L23 12 12 23 1 12Z", uncertain: "M3 3H21V21H3Z" };
const SIGNAL_SHAPES = {
  circle: "M12 2a10 10 0 1 0 .01 0Z", octagon: "M8 2h8l6 6v8l-6 6H8l-6-6V8Z", star: "M12 1l3.2 7.2 7.8.7-5.9 5.2 1.8 7.7L12 17.7l-6.9 4.1 1.8-7.7L1 8.9l7.8-.7Z", diamond: "M12 1L23 12 12 23 1 12Z",
  "triangle-down": "M1 3h22L12 22Z", "triangle-up": "M12 2l11 19H1Z", "triangle-up-outline": "M12 2l11 19H1ZM12 8L6 18h12Z", "triangle-right": "M3 1l19 11L3 23Z",
};
const SIGNS = { caution: "! ", problem: "!! " };
const $ = (selector, from = document) => from.querySelector(selector);
const live = $("#live"), start = $("#start"), begin = $("#begin");

const board = { state: "", phase: "waiting", sets: [], figures: [], messages: [], today: [0, 0], bars: { items: [], lines: [], planned: 0 }, gauges: null, now: null };
const sounds = { count: true, pattern: true, cue: true, other: true, rest: true, signal: true, ...JSON.parse(localStorage.getItem("imu-sounds") || "{}") };
let socket = null, awake = false, updates = 0;

// --- the connection

function connect() {
  socket = new WebSocket(`${location.origin.replace("http", "ws")}/live?person=${encodeURIComponent(document.body.dataset.person)}`);
  socket.onopen = () => { $("#unconnected").hidden = true; };
  socket.onmessage = (event) => take(JSON.parse(event.data));
  socket.onclose = () => { $("#unconnected").hidden = false; setTimeout(connect, RECONNECT_MS); };
}
addEventListener("pagehide", () => { if (socket) socket.onclose = null; });

function send(request) { if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(request)); }

function take(news) {
  if (news.refused !== undefined) { refuse(news.refused, news.wrong); scanEnds(); return; }
  if (news.plan !== undefined) { fillPlan($("#plan-dialog"), news.plan); $("#plan-dialog").showModal(); return; }
  if (news.followed) { $("#plan-dialog").close(); return; }
  if (news.heard !== undefined) { showHeard(news.heard, news.listening); return; }
  const before = { state: board.state, over: board.rest_is_over, counted: board.counted };
  const changed = news.board ?? {};
  Object.assign(board, changed);
  for (const [name, draw] of DRAWINGS) if (name.some((key) => key in changed)) draw();
  for (const one of news.said ?? []) say(one);
  if (board.rest_is_over && !before.over && sounds.rest && before.state === "training") play(board.go.sound);
  if (board.counted > before.counted && board.signal && sounds.signal) play(board.signal.sound);
  if (board.state === "training") keepAwake();
  if (++updates === 1 && board.state === "idle") beginAtOnce();
  live.dataset.updates = updates;
}

// --- drawing, each part when one of its values has changed

const DRAWINGS = [
  [["state", "trouble", "session"], drawState],
  [["state", "invite"], drawInvitation],
  [["link", "link_text", "sensor", "battery_percent", "battery_low", "signal_strength", "data", "today"], drawStatus],
  [["phase", "provisional", "count", "rest_clock", "rest_share", "rest_is_over", "pattern"], drawCount],
  [["phase", "provisional", "paused", "progress", "card", "signal", "go", "pattern", "to_do", "hint", "sureness", "cue", "set_clock", "rest_clock", "rest_target_s", "rest_is_over", "over_clock", "headline", "set_number"], drawWords],
  [["gauges"], drawGauges],
  [["now", "gauges"], drawNow],
  [["bars"], drawBars],
  [["figures"], drawFigures],
  [["sets", "total", "achieved", "advice"], drawTrained],
  [["sets"], drawSets],
  [["name"], () => { text("name", board.name); $(".to-wall").hidden = !new URLSearchParams(location.search).has("person"); }],
  [["before"], () => text("before", board.before)],
  [["lone", "move", "not_counted", "messages"], drawAsides],
  [["count", "sets", "set_may_go_on", "paused", "sensor", "state"], drawControls],
];

function text(name, value) {
  const element = $(`[data-b=${name}]`);
  if (element.textContent !== (value ?? "")) element.textContent = value ?? "";
}
function show(element, value) { element.hidden = !value; ($("span", element) ?? element).textContent = value ?? ""; }
function minutes(s) { return `${Math.floor(s / 60)}:${String(Math.round(s % 60)).padStart(2, "0")}`; }

function drawState() {
  const idle = board.state === "idle";
  start.hidden = !idle;
  live.hidden = idle;
  live.dataset.state = board.state;
  document.body.classList.toggle("training", !idle);
  if (!idle) scanEnds();
  show($("#trouble"), idle ? board.trouble : null);
  const trained = $("#trained");
  trained.hidden = !(idle && board.session);
  if (!trained.hidden) {
    $("h2", trained).textContent = `Session ${board.session} is saved`;
    drawTrained();
    $("#trained-link").href = `/session/${board.session}`;
    if (document.fullscreenElement) document.exitFullscreen();
  }
}

// The card of a training: a set with a wrong count is corrected with one tap.
function drawTrained() {
  const trained = $("#trained");
  if (trained.hidden) return;
  $("p", trained).textContent = [board.total, many(board.sets.length, "set")].join(" · ");
  $(".small", trained).hidden = !board.sets.length;
  $(".card-said", trained).replaceChildren(...[...(board.achieved ?? []), ...(board.advice ?? [])].map((one) => Object.assign(document.createElement("li"), { textContent: one })));
  $(".card-sets", trained).replaceChildren(...board.sets.map((one) => {
    const line = document.createElement("li");
    line.append(Object.assign(document.createElement("strong"), { textContent: `Set ${one.number}: ${one.text}` }), ...recounting(one.number), moving(one.number), Object.assign(document.createElement("span"), { className: "soft", textContent: one.detail }));
    drawMove(line, one);
    return line;
  }));
}

function recounting(number) {
  return [[-1, "−1", "One too many"], [1, "+1", "One was missed"]].map(([more, sign, words]) => {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "small", textContent: sign, title: words, ariaLabel: `${words} in set ${number}` });
    button.addEventListener("click", () => send({ do: "recount", set: number, more }));
    return button;
  });
}

// One tap counts a set as the exercise that was done in place of the planned one, or back.
function moving(number) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "small move" });
  button.addEventListener("click", () => send({ do: "move", set: number, shown: button.textContent }));
  return button;
}
function drawMove(line, one) {
  const button = $(".move", line);
  button.hidden = !one.move;
  button.textContent = one.move ?? "";
  button.ariaLabel = `Set ${one.number}: ${one.move ?? ""}`;
}

// Until the phone that is the sensor is connected, its address stands over everything.
function drawInvitation() {
  const { invite } = board, box = $("#invite");
  box.hidden = !invite || board.state === "idle";
  if (box.hidden) return;
  $("img", box).src = invite.picture;
  $("a", box).textContent = $("a", box).href = invite.url;
  $("code", box).textContent = invite.fingerprint;
  const byBrowser = invite.fingerprint !== ""; // Sensor Logger is no browser, and warns of nothing
  $("h2", box).textContent = byBrowser ? "Open this with your phone" : "Enter this in Sensor Logger";
  for (const one of box.querySelectorAll(".by-browser")) one.hidden = !byBrowser;
  for (const one of box.querySelectorAll(".by-app")) one.hidden = byBrowser;
}

function many(count, noun) { return `${count} ${noun}${count === 1 ? "" : "s"}`; }

function drawStatus() {
  const connected = board.link === "connected", link = $(".link");
  link.classList.toggle("off", !connected);
  $("path", link).setAttribute("d", connected ? "M1 6l4 4 6-8" : "M2 2l8 8M10 2l-8 8");
  text("link_text", board.link_text);
  text("sensor", board.sensor);
  text("battery", board.battery_percent == null ? "" : `battery ${board.battery_low ? "LOW " : ""}${board.battery_percent} %`);
  $("[data-b=battery]").classList.toggle("low", Boolean(board.battery_low));
  text("signal_strength", board.signal_strength && `signal ${board.signal_strength}`);
  text("data", board.data);
  text("today", `${many(board.today[0], "squat")} : ${many(board.today[1], "hinge")}`);
}

// A rest that may still be taken back leaves the count where it is; the ring comes when the rest is certain.
function isResting() { return board.phase === "rest" && !board.provisional; }

function drawCount() {
  const resting = isResting(), digits = $(".count span");
  live.dataset.phase = board.phase;
  live.toggleAttribute("data-resting", resting);
  live.toggleAttribute("data-over", Boolean(board.rest_is_over));
  for (const one of Object.keys(SHAPES)) live.classList.toggle(one, board.pattern === one);
  digits.textContent = resting ? board.rest_clock : board.count;
  fitCount();
  const run = $(".ring .run"), share = resting ? board.rest_share ?? 0 : 0;
  run.style.strokeDasharray = `${100 * share} 100`;
  run.style.visibility = share ? "" : "hidden"; // its round end would be a dot
}

// Two digits that are wider than their box are drawn narrower, not smaller: the height is visible from afar.
function fitCount() {
  const digits = $(".count span"), room = $(".big").clientWidth;
  digits.style.transform = "";
  const wide = digits.scrollWidth;
  if (room && wide > room && !isResting()) digits.style.transform = `scaleX(${(room / wide).toFixed(3)})`;
}

function drawWords() {
  const resting = isResting(), waiting = board.phase === "waiting", rest = board.phase === "rest";
  text("word", board.paused ? "PAUSED" : resting ? (board.over_clock ? `REST +${board.over_clock}` : `REST${board.rest_target_s ? ` of ${minutes(board.rest_target_s)}` : ""}`) : waiting ? board.to_do : (board.pattern ?? "").toUpperCase());
  const path = $(".word path");
  if (board.pattern && !board.paused && !waiting && !resting) path.setAttribute("d", SHAPES[board.pattern]);
  else path.removeAttribute("d");
  if (board.paused) text("sub", "Nothing is counted.");
  else if (waiting) text("sub", board.hint);
  else if (resting) text("sub", board.card?.title ?? "");
  else text("sub", board.sureness ?? "squat or hinge, not clear");
  const set = board.progress ?? (board.set_number ? `Set ${board.set_number}` : "");
  if (rest) {
    const of = board.rest_target_s ? ` of ${minutes(board.rest_target_s)}` : "";
    text("clock", resting ? board.progress ?? `Set ${board.set_number} is done` : `${set} · rest ${board.rest_clock}${of}`);
  } else text("clock", [set, board.set_clock].filter(Boolean).join(" · "));
  const headline = waiting || resting || board.paused ? null : board.headline;
  text("headline", headline?.value);
  text("headline_note", headline?.change);
  const signal = resting ? (board.rest_is_over ? board.go : null) : waiting ? null : board.signal, box = $(".signal");
  text("signal", signal?.word);
  box.dataset.colour = signal?.colour ?? "";
  live.dataset.look = signal && (signal.colour !== "green" || resting) ? signal.colour : ""; // a frame and a large word, to be seen from afar
  $("path", box).setAttribute("d", SIGNAL_SHAPES[signal?.shape] ?? "M0 0");
  if (rest && board.card) text("cue", board.card.advice.join("\n"));
  else if (waiting) text("cue", "");
  else text("cue", board.cue);
}

function drawGauges() {
  document.querySelectorAll(".gauge").forEach((gauge, i) => {
    const { name, target, last } = board.gauges[i];
    $(".gauge-name", gauge).textContent = name;
    gauge.setAttribute("aria-label", `${name}${target ? `, target ${target.text}` : ""}`);
    for (const [mark, selector] of [[last, ".last"], [target, ".target"]]) {
      const line = $(selector, gauge);
      line.classList.toggle("shown", mark != null);
      line.style.top = `${100 * (mark?.share ?? 0)}%`;
    }
    $(".target b", gauge).textContent = target?.text ?? "";
  });
}

function drawNow() {
  document.querySelectorAll(".gauge").forEach((gauge, i) => {
    const [share, words] = board.now[i], target = board.gauges?.[i].target;
    $(".fill", gauge).style.transform = `scaleY(${Math.max(0, Math.min(1, share))})`;
    $(".gauge-value", gauge).textContent = words;
    gauge.classList.toggle("reached", Boolean(target && share >= target.share));
  });
}

function drawBars() {
  const { title, items, planned, lines } = board.bars, list = $(".bars ol"), all = items.length + planned;
  text("bars_title", title);
  while (list.children.length > all) list.lastChild.remove();
  while (list.children.length < all) {
    const item = document.createElement("li");
    item.innerHTML = '<span></span><i><svg viewBox="0 0 24 24" aria-hidden="true"><path/></svg></i>';
    list.append(item);
  }
  items.forEach((one, i) => {
    const item = list.children[i];
    item.className = one.pattern;
    item.dataset.colour = one.look?.colour ?? "";
    item.firstChild.textContent = one.text;
    item.title = one.look?.word ?? "";
    item.lastChild.style.height = `calc((100% - 1.6em) * ${one.share})`;
    $("path", item).setAttribute("d", SIGNAL_SHAPES[one.look?.shape] ?? "M0 0");
  });
  for (let i = items.length; i < all; i++) { list.children[i].className = "planned"; list.children[i].dataset.colour = ""; list.children[i].firstChild.textContent = ""; list.children[i].lastChild.style.height = "3px"; }
  $(".bars .lines").replaceChildren(...(all ? lines : []).map((one) => {
    const line = Object.assign(document.createElement("i"), { className: one.kind });
    line.append(Object.assign(document.createElement("span"), { textContent: one.text }));
    line.style.bottom = `calc((100% - 1.6em) * ${one.share})`;
    return line;
  }));
}

function drawFigures() {
  document.querySelectorAll(".figures > div").forEach((box, i) => {
    const one = board.figures[i];
    $("dt", box).textContent = one?.label ?? "";
    $("strong", box).textContent = one?.value ?? "";
    $("small", box).textContent = one?.change ?? "";
    box.dataset.colour = one?.look?.colour ?? "";
  });
}

function drawAsides() {
  show($("#lone"), board.lone);
  show($("#move"), board.move);
  show($("#not-counted"), board.not_counted && `Not counted: ${board.not_counted}`);
  $("#messages").replaceChildren(...board.messages.map((one) => {
    const line = Object.assign(document.createElement("p"), { className: `banner ${one.gravity}`, textContent: (SIGNS[one.gravity] ?? "") + one.text });
    if (one.gravity === "problem") line.setAttribute("role", "alert");
    return line;
  }));
}

function drawControls() {
  const control = (name) => $(`.controls [data-do="${name}"]`);
  control("take back").disabled = !board.count && !board.sets.length;
  control("missed").disabled = !board.set_number;
  control("end set").disabled = !board.set_may_go_on;
  control("pause").disabled = !board.sensor;
  control("pause").firstChild.textContent = board.paused ? "Go on " : "Pause ";
  control("pause").setAttribute("aria-pressed", String(Boolean(board.paused)));
  control("finish").disabled = board.state === "saving";
  control("finish").firstChild.textContent = board.state === "saving" ? "Saving… " : "Finish ";
}

// What is being typed stays while the list is drawn again; once left, the field shows what is stored.
function drawSets() {
  const list = $("#sets-list");
  $("#no-sets").hidden = board.sets.length > 0;
  while (list.children.length > board.sets.length) list.lastChild.remove();
  board.sets.forEach((one, i) => {
    const item = list.children[i] ?? list.appendChild(setLine(one.number));
    $(".set-text", item).textContent = `Set ${one.number}: ${one.text}, ${one.detail}`;
    drawMove(item, one);
    for (const field of item.querySelectorAll("input")) if (field !== document.activeElement) field.value = one[field.name] ?? "";
  });
}

function setLine(number) {
  const item = document.createElement("li"), words = Object.assign(document.createElement("span"), { className: "set-text" });
  const name = Object.assign(document.createElement("input"), { name: "exercise", placeholder: "exercise", maxLength: 80, ariaLabel: `Exercise of set ${number}` });
  name.setAttribute("list", "exercises");
  const load = Object.assign(document.createElement("input"), { name: "load", placeholder: `load, ${$("#sets-list").dataset.unit}`, maxLength: 20, ariaLabel: `Load of set ${number}` });
  item.append(words, ...recounting(number), moving(number), name, load);
  item.addEventListener("change", () => send({ do: "enter", set: number, exercise: name.value || null, load: load.value || null }));
  return item;
}

// --- commands of the person

function ask(what) {
  $("#refused").hidden = true;
  if (what === "pause") send({ do: board.paused ? "resume" : "pause" });
  else if (what === "move") { if (board.move) send({ do: "move", set: null, shown: board.move }); }
  else if (what === "missed") send({ do: "recount", set: null, more: 1 });
  else if (what === "finish") { if (board.state === "training") $("#finish-dialog").showModal(); }
  else if (what === "plan") send({ do: "plan" });
  else if (what === "sets") {
    const rest = $("#rest"), s = board.rest_target_s || 0;
    if (![...rest.options].some((one) => Number(one.value) === s)) rest.add(new Option(minutes(s), s)); // a plan may rest 20 s
    rest.value = s;
    $("#sets-dialog").showModal();
  }
  else if (what === "full") document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen?.();
  else send({ do: what });
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (button) ask(button.dataset.do);
});
addEventListener("keydown", (event) => {
  const typing = $("dialog[open]") || event.target.closest?.("input, select, textarea, [contenteditable]")?.checkVisibility();
  const onButton = event.key === " " && event.target.closest?.("button, a, summary");
  if (typing || onButton || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (board.state === "idle" && event.key.toLowerCase() === "r") again?.click();
  if (board.state !== "training") return;
  const what = KEYS[event.key.toLowerCase()];
  if (!what) return;
  event.preventDefault();
  ask(what);
});
$("#finish").addEventListener("click", () => { $("#finish-dialog").close(); send({ do: "finish" }); });
$("#no-phone").addEventListener("click", () => send({ do: "finish" }));
$("#rest").addEventListener("change", (event) => send({ do: "rest", rest_s: Number(event.target.value) || null }));

function startTraining(event) {
  event?.preventDefault();
  $(".error", begin).textContent = "";
  show($("#trouble"), board.trouble); // the same trouble a second time is no change, so it comes with no news
  unlockSound();
  send({ do: "begin", sensor: new FormData(begin).get("sensor"), plan: planOf(begin) });
}
begin.addEventListener("submit", startTraining);
$("#sensors").addEventListener("change", () => { show($("#trouble"), null); $(".error", begin).textContent = ""; }); // of another sensor
const again = $("[data-again]");
again?.addEventListener("click", () => { fillPlan($("[data-plan]", begin), lastPlan); startTraining(); });
$("#follow").addEventListener("submit", (event) => {
  event.preventDefault();
  send({ do: "follow", plan: planOf($("#follow")) });
});
$("#skip").addEventListener("click", () => send({ do: "skip" }));

// A refusal is shown where the person is: in the open dialog, below the form, or above everything.
function refuse(sentence, wrong) {
  const plan = $("dialog[open]") ? $("dialog[open] [data-plan]") : board.state === "idle" ? $("[data-plan]", begin) : null;
  if (plan && wrong?.length) sentence = markWrong(wrong);
  const place = $("dialog[open] .error") ?? (board.state === "idle" ? $(".error", begin) : null);
  if (place && place === $(".error", begin)) show($("#trouble"), null);
  if (place) place.textContent = sentence;
  else show($("#refused"), sentence);
}

// One click on Home begins the training, once: a page that is loaded again shows the set-up.
function beginAtOnce() {
  const sensor = begin.dataset.begin;
  if (!sensor) return;
  begin.dataset.begin = "";
  history.replaceState(null, "", "/train");
  send({ do: "begin", sensor, plan: planOf(begin) });
}

// --- sensors around

$("#scan").addEventListener("click", () => {
  $("#refused").hidden = true;
  $("#scan").disabled = true;
  $("#scan").textContent = "Listening for six seconds…";
  send({ do: "scan" });
});
function scanEnds() { $("#scan").disabled = false; $("#scan").textContent = "Look for sensors"; }
function showHeard(heard, listening) {
  if (!listening) scanEnds();
  const before = $("#sensors input:checked"), first = !$("#sensors [data-heard]") || before?.closest("[data-heard]");
  $("#scanned").textContent = heard.length || listening ? "" : "No sensor was heard: switch it on, bring it near, and disconnect it from phones and other programs.";
  for (const old of document.querySelectorAll("#sensors [data-heard]")) old.remove();
  for (const one of heard) {
    const label = Object.assign(document.createElement("label"), { className: "choice" }), words = document.createElement("span");
    label.dataset.heard = "";
    words.append(Object.assign(document.createElement("strong"), { textContent: one.title }), Object.assign(document.createElement("small"), { className: "soft", textContent: one.signal }));
    label.append(Object.assign(document.createElement("input"), { type: "radio", name: "sensor", value: one.wanted }), words);
    $("#sensors").append(label);
  }
  const now = [...document.querySelectorAll("#sensors [data-heard] input")];
  const selected = first && (now.find((one) => one.value === before?.value) ?? now[0]);
  if (selected) selected.checked = true; // the nearest, but what the person chose meanwhile stays
}

// --- the voice of the browser, and the sounds of signals

let audio = null;

// Browsers let a page sound only once the person has done something on it.
function unlockSound() {
  audio ||= new (window.AudioContext || window.webkitAudioContext)();
  audio.resume();
}

// Each sound: tones of a frequency in Hz, one after the other, each as long as the second number in s.
const SOUNDS = {
  tick: [[880, 0.06]], low: [[220, 0.25]], "double-low": [[220, 0.12], [220, 0.18]], rising: [[330, 0.12], [520, 0.18]],
  stop: [[440, 0.15], [330, 0.15], [220, 0.35]], fanfare: [[523, 0.12], [659, 0.12], [784, 0.3]], bell: [[660, 0.15], [660, 0.15], [880, 0.3]],
};

function play(name) {
  unlockSound();
  let at = audio.currentTime;
  for (const [hz, length_s] of SOUNDS[name] ?? []) {
    const tone = audio.createOscillator(), volume = audio.createGain();
    tone.frequency.value = hz; volume.gain.value = 0.25;
    tone.connect(volume).connect(audio.destination);
    tone.start(at); tone.stop(at + length_s);
    at += length_s + 0.08;
  }
}

function speak(text) {
  const words = new SpeechSynthesisUtterance(text);
  words.lang = "en"; words.rate = 1.15;
  speechSynthesis.speak(words);
}

function say(one) {
  $("#heard").textContent = [one.text, one.pattern].filter(Boolean).join(", ") + (one.cue ? `. ${one.cue}` : "");
  const bare = one.urgent ? sounds.count && one.text : sounds.other && one.text;
  const event = [bare, sounds.pattern && one.pattern].filter(Boolean).join(", ");
  const words = [event, sounds.cue && one.cue].filter(Boolean).join(". ");
  if (!words || !("speechSynthesis" in window)) return;
  if (one.urgent) speechSynthesis.cancel(); // a count that is heard late is worse than none
  speak(words);
}

for (const box of document.querySelectorAll("[data-sound]")) {
  box.checked = sounds[box.dataset.sound];
  box.addEventListener("change", () => { sounds[box.dataset.sound] = box.checked; localStorage.setItem("imu-sounds", JSON.stringify(sounds)); });
}
$("#mute").hidden = "speechSynthesis" in window;

async function keepAwake() {
  if (awake || !navigator.wakeLock || document.visibilityState !== "visible") return;
  awake = true;
  try { (await navigator.wakeLock.request("screen")).onrelease = () => { awake = false; }; } catch { awake = false; }
}

new ResizeObserver(fitCount).observe($(".big"));
connect();
