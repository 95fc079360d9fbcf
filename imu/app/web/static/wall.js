// The wall: a card for each person who trains. Values come as "person/name"; all words come from the server.

const RECONNECT_MS = 800;
const SHAPES = { squat: "M12 2a10 10 0 1 0 .01 0Z", hinge: "M12 2L23 21H1Z", mixed: "M12 1L23 12 12 23 1 12Z", uncertain: "M3 3H21V21H3Z" };
const $ = (selector, from = document) => from.querySelector(selector);
const cards = $("#cards"), boards = new Map();
let updates = 0;

function connect() {
  const socket = new WebSocket(`${location.origin.replace("http", "ws")}/live?all`);
  socket.onopen = () => { $("#unconnected").hidden = true; boards.clear(); };
  socket.onmessage = (event) => take(JSON.parse(event.data).board ?? {});
  socket.onclose = () => { $("#unconnected").hidden = false; setTimeout(connect, RECONNECT_MS); };
  addEventListener("pagehide", () => { socket.onclose = null; });
}

function take(changed) {
  const whose = new Set();
  for (const [key, value] of Object.entries(changed)) {
    const at = key.lastIndexOf("/"), person = key.slice(0, at);
    if (!boards.has(person)) boards.set(person, {});
    boards.get(person)[key.slice(at + 1)] = value;
    whose.add(person);
  }
  for (const person of whose) draw(person, boards.get(person), changed);
  if (whose.size && Object.keys(changed).some((key) => key.endsWith("/state"))) arrange();
  cards.dataset.updates = ++updates;
}

function cardOf(person) {
  let card = cards.querySelector(`[data-whose="${CSS.escape(person)}"]`);
  if (!card) {
    card = $("#card").content.firstElementChild.cloneNode(true);
    card.dataset.whose = person;
    card.href = `/train?person=${encodeURIComponent(person)}`;
    cards.append(card);
  }
  return card;
}

function put(card, name, value) {
  const element = $(`[data-c=${name}]`, card);
  if (element.textContent !== (value ?? "")) element.textContent = value ?? "";
}

function draw(person, board, changed) {
  const card = cardOf(person), resting = board.phase === "rest" && !board.provisional, waiting = board.phase === "waiting";
  if (`${person}/now` in changed) $(".depth i", card).style.transform = `scaleY(${Math.max(0, Math.min(1, board.now[0][0]))})`;
  if (`${person}/bars` in changed) drawBars($(".bars", card), board.bars);
  card.hidden = board.state === "idle" && !board.trouble;
  card.className = `person-card ${waiting || resting || board.state === "idle" ? "" : board.pattern ?? ""}`;
  card.toggleAttribute("data-resting", resting);
  card.toggleAttribute("data-over", resting && Boolean(board.rest_is_over));
  const lost = board.link !== "connected" && board.state === "training";
  card.toggleAttribute("data-lost", lost);
  put(card, "name", board.name);
  put(card, "state", lost ? board.link_text : board.state === "saving" ? "saving" : board.battery_low ? "battery low" : "");
  put(card, "number", board.state === "idle" ? "–" : resting ? board.rest_clock : String(board.count ?? ""));
  put(card, "word", board.paused ? "paused" : resting ? (board.rest_is_over ? board.go.word : "rest") : waiting ? "" : board.signal?.word ?? board.pattern ?? "");
  const signal = resting ? "" : board.signal?.colour ?? "";
  $(".word", card).dataset.colour = waiting ? "" : signal;
  const path = $(".word path", card);
  if (board.pattern && !waiting && !resting && !board.paused) path.setAttribute("d", SHAPES[board.pattern]); else path.removeAttribute("d");
  put(card, "set", board.progress ?? (board.set_number ? `Set ${board.set_number} · ${board.total}` : ""));
  put(card, "cue", board.state === "idle" ? board.trouble : waiting ? [board.to_do, board.hint].filter(Boolean).join(" ") : resting ? "" : board.cue);
  const share = resting ? board.rest_share ?? 0 : 0, run = $(".ring .run", card).style;
  run.strokeDasharray = `${100 * share} 100`;
  run.visibility = share ? "" : "hidden"; // a round end would be a dot
}

function drawBars(box, bars) {
  const { items, planned, title } = bars;
  box.setAttribute("aria-label", items.length ? `${title}: ${items.map((one) => one.text).join(", ")}` : "no repetition yet");
  while (box.children.length > items.length + planned) box.lastChild.remove();
  while (box.children.length < items.length + planned) box.append(document.createElement("i"));
  [...box.children].forEach((bar, i) => {
    const one = items[i];
    bar.className = one ? one.pattern : "planned";
    bar.dataset.colour = one?.look?.colour ?? "";
    bar.style.height = one ? `${Math.max(6, 100 * one.share)}%` : "";
  });
}

// As many columns as give the largest cards; a phone has one, and scrolls.
function arrange() {
  const shown = [...cards.children].filter((one) => !one.hidden), count = shown.length;
  const width = cards.clientWidth, height = Math.max(200, innerHeight - cards.getBoundingClientRect().top - 70);
  let best = 1, size = 0;
  for (let columns = 1; columns <= Math.max(1, count); columns++) {
    const fits = Math.min(width / columns / 1.5, height / Math.ceil(count / columns));
    if (fits > size) [best, size] = [columns, fits];
  }
  cards.style.setProperty("--columns", innerWidth < 700 ? 1 : best);
  cards.style.setProperty("--rows", Math.ceil(count / best) || 1);
  $("#empty").hidden = count > 0;
  for (const link of document.querySelectorAll(".waiting [data-whose]")) {
    const card = cards.querySelector(`[data-whose="${CSS.escape(link.dataset.whose)}"]`);
    link.hidden = Boolean(card && !card.hidden);
  }
}

async function keepAwake() {
  if (document.visibilityState === "visible") try { await navigator.wakeLock?.request("screen"); } catch { /* a screen that dims is no fault */ }
}

$("#full")?.addEventListener("click", () => document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen());
addEventListener("resize", arrange);
document.addEventListener("visibilitychange", keepAwake);
keepAwake();
connect();
arrange();
