// Sends the phone's motion to the computer. Bytes as in imu/sensors/phone.py; the first byte of each message is its kind:
// 0 hello, 1 batch; from the computer 0 have, 1 settled, 2 refused, 3 ended. The page keeps a sample until the computer
// has it, a minute at least, sends it again after a reconnect, and saves it over a reload.
"use strict";
(() => {
  const KEPT = 6000, BATCH = 8, CHUNK = 500, VALUES = 7, SAMPLE = 32, HEAD = 9;
  const FLUSH_MS = 150, UNANSWERED_MS = 4000, NO_MOTION_MS = 3000, LOCK_MS = 8000, UNLOCK_MS = 1500;
  const byId = (id) => document.getElementById(id);
  const state = byId("state"), lock = byId("lock"), start = byId("start"), level = byId("level");
  let page = crypto.getRandomValues(new Uint32Array(1))[0];
  let samples = [], first = 0, next = 0; // kept samples, number of the oldest one, number of the next one to send
  let shift = 0, latest = -1; // from the clock of this load to that of the first one, and time of the last sample, ms
  let socket = null, ready = false, wait = 500, wake = null, running = false, settled = false, flushing = 0;
  let lastEvent = 0, lastAnswer = 0, locking = 0, silent = false; // silent: no motion, and the page says so

  // --- what the page shows

  const say = (text, problem = false) => {
    if (state.textContent !== text) state.textContent = text;
    state.classList.toggle("problem", problem);
  };
  const show = (name) => {
    const order = ["start", "turn", "wear"];
    order.forEach((one, i) => {
      byId(`step-${one}`).classList.toggle("now", one === name);
      byId(`step-${one}`).classList.toggle("done", name === "end" || i < order.indexOf(name));
    });
    document.body.dataset.step = name;
  };
  const showReady = () => {
    show(settled ? "wear" : "turn");
    say(settled ? "Ready. Put the phone into the waistband and train." : "Connected. Now turn the phone.");
  };
  const lockSoon = () => {
    clearTimeout(locking);
    locking = setTimeout(() => { lock.hidden = !running || !settled; }, LOCK_MS); // the waistband presses nothing
  };

  // --- memory

  const name = () => { // of this phone, so that it may come back, and no other may come in its place
    let stored = null;
    try { stored = localStorage.getItem("phone"); } catch { /* no storage: a name for this load */ }
    if (!/^[0-9a-f]{16}$/.test(stored ?? "")) {
      stored = [...crypto.getRandomValues(new Uint8Array(8))].map((one) => one.toString(16).padStart(2, "0")).join("");
      try { localStorage.setItem("phone", stored); } catch { /* as above */ }
    }
    return Uint8Array.from(stored.match(/../g), (one) => parseInt(one, 16));
  };
  const phone = name();
  const restore = () => {
    try {
      const saved = JSON.parse(sessionStorage.getItem(location.pathname));
      sessionStorage.removeItem(location.pathname);
      if (saved === null) return false;
      ({ page, first, samples, latest, settled } = saved);
      next = first;
      shift = Math.max(performance.timeOrigin - saved.origin, latest);
      return true;
    } catch {
      return false;
    }
  };
  const save = () => {
    if (!running) return;
    flush(1);
    const origin = performance.timeOrigin - shift;
    try {
      sessionStorage.setItem(location.pathname, JSON.stringify({ page, first, samples, latest, settled, origin }));
    } catch { /* full: what is not sent yet is lost with this load, and the computer reports it */ }
  };

  // --- sending

  const message = (kind, number, length) => {
    const view = new DataView(new ArrayBuffer(HEAD + length));
    view.setUint8(0, kind);
    view.setUint32(1, page, true);
    view.setUint32(5, number, true);
    return view;
  };
  const flush = (least) => {
    while (ready && first + samples.length - next >= least) {
      const some = samples.slice(next - first, next - first + CHUNK);
      const view = message(1, next, some.length * SAMPLE);
      some.forEach((sample, i) => {
        const at = HEAD + i * SAMPLE;
        view.setFloat64(at, sample[0], true);
        for (let k = 1; k < VALUES; k++) view.setFloat32(at + 4 + 4 * k, sample[k], true);
      });
      socket.send(view.buffer);
      next += some.length;
    }
  };
  const onMotion = (event) => {
    const a = event.accelerationIncludingGravity, w = event.rotationRate;
    const values = a && w ? [a.x, a.y, a.z, w.alpha, w.beta, w.gamma] : [null];
    if (values.includes(null) || values.includes(undefined)) {
      if (lastEvent === 0) { // Chrome sends one empty event where there is no sensor
        silent = true;
        say("This phone or browser gives no gyroscope, which counting needs.", true);
      }
      return;
    }
    lastEvent = performance.now();
    if (silent) {
      silent = false;
      if (ready) showReady();
    }
    const time = event.timeStamp + shift;
    if (time <= latest) return; // the same event again
    latest = time;
    samples.push([time, ...values]);
    if (samples.length > KEPT) {
      samples.shift();
      first += 1;
      next = Math.max(next, first);
    }
    level.style.transform = `translate(${-3 * a.x}px, ${3 * a.y}px)`;
    if (samples.length >= BATCH) flush(BATCH);
  };

  // --- the connection

  const connect = () => {
    if (!running) return;
    const here = new WebSocket(new URL("motion", location.href.replace(/^http/, "ws")));
    socket = here;
    lastAnswer = performance.now();
    here.binaryType = "arraybuffer";
    here.onopen = () => {
      const browser = new TextEncoder().encode(navigator.userAgent.slice(0, 150));
      const view = message(0, first, phone.length + browser.length);
      const bytes = new Uint8Array(view.buffer);
      bytes.set(phone, HEAD);
      bytes.set(browser, HEAD + phone.length);
      here.send(bytes);
    };
    here.onmessage = (event) => { if (socket === here) hear(new DataView(event.data)); };
    here.onclose = () => { if (socket === here) lose(); };
  };
  const lose = () => {
    socket = null;
    ready = false;
    if (!running) return;
    say("No connection to the computer. Trying again; the last minute is kept.", true);
    setTimeout(connect, wait);
    wait = Math.min(2 * wait, 4000);
  };
  const hear = (view) => {
    lastAnswer = performance.now();
    const kind = view.getUint8(0);
    if (kind === 0) have(view.getUint32(1, true), view.getUint32(5, true));
    else if (kind === 1) {
      if (!settled) navigator.vibrate?.(200);
      settled = true;
      showReady();
      lockSoon();
    } else if (kind === 2) end(new TextDecoder().decode(new Uint8Array(view.buffer, 1)), true);
    else if (kind === 3) end("The training has ended. You can close this page.");
  };
  const have = (ofPage, wanted) => {
    if (ofPage !== page) return;
    const known = Math.min(Math.max(wanted - first, 0), samples.length);
    samples.splice(0, known);
    first += known;
    next = Math.max(next, first);
    if (ready) return;
    ready = true; // the connection is new: go on where the computer is
    wait = 500;
    next = first;
    showReady();
    flush(1);
  };
  const end = (sentence, problem = false) => {
    running = false;
    clearInterval(flushing);
    window.removeEventListener("devicemotion", onMotion);
    socket?.close();
    wake?.release();
    lock.hidden = true;
    show(problem ? "start" : "end");
    say(sentence, problem);
  };
  const watch = () => {
    const now = performance.now();
    flush(1);
    if (socket !== null && next > first && now - lastAnswer > UNANSWERED_MS) { // a dead network closes no socket
      const dead = socket;
      lose();
      dead.close();
    }
    if (now - lastEvent > NO_MOTION_MS && !document.hidden && !silent) {
      silent = true;
      say("The browser gives no motion. Allow motion sensors for this page in the browser's settings.", true);
    }
  };

  // --- start, lock

  const keepAwake = async () => {
    try {
      wake = await navigator.wakeLock.request("screen");
    } catch {
      say("Set the phone's automatic lock to “never” while you train: this browser cannot keep the screen on.", true);
    }
  };
  const begin = async (again = false) => {
    start.disabled = true;
    try {
      if (typeof DeviceMotionEvent === "undefined") throw new Error("This browser gives no motion. Use Safari or Chrome.");
      if (typeof DeviceMotionEvent.requestPermission === "function"
        && await DeviceMotionEvent.requestPermission() !== "granted") {
        throw new Error("Motion is not allowed. Close this page, scan the code again, and tap Allow.");
      }
    } catch (error) {
      start.disabled = false;
      say(again ? "Tap Start to go on. Samples that are not sent yet are kept." : error.message, !again); // iOS wants a tap
      return;
    }
    running = true;
    start.hidden = true;
    window.addEventListener("devicemotion", onMotion);
    setTimeout(() => { if (running) flushing = setInterval(watch, FLUSH_MS); }, NO_MOTION_MS);
    say("Connecting …");
    connect();
    await keepAwake();
  };
  let held = 0;
  lock.addEventListener("pointerdown", () => {
    held = setTimeout(() => {
      lock.hidden = true;
      lockSoon();
    }, UNLOCK_MS);
  });
  for (const event of ["pointerup", "pointercancel", "pointerleave"]) lock.addEventListener(event, () => clearTimeout(held));
  document.addEventListener("visibilitychange", () => { if (!document.hidden && running) keepAwake(); });
  window.addEventListener("pagehide", save);
  start.addEventListener("click", () => begin());
  show("start");
  if (restore()) begin(true);
})();
