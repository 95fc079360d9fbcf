// Sends the phone's motion to the computer. Bytes as in imu/sensors/phone.py; each message has its kind in the first byte:
// 0 hello, 1 batch; from the computer 0 have, 1 settled. Samples are kept for a minute and sent again on request.
"use strict";
(() => {
  const KEPT = 6000, BATCH = 8, SAMPLE = 32, HEAD = 9, LATE_MS = 150;
  const page = crypto.getRandomValues(new Uint32Array(1))[0];
  const state = document.getElementById("state"), lock = document.getElementById("lock");
  const start = document.getElementById("start");
  let samples = [], first = 0, next = 0; // kept samples, number of the oldest one, number of the next one to send
  let socket = null, ready = false, wait = 500, wake = null, ended = false, flushing = null, sinceEvent = 0;

  const say = (text, problem = false) => {
    if (state.textContent !== text) state.textContent = text;
    state.classList.toggle("problem", problem);
  };
  const step = (name) => {
    const order = ["start", "turn", "wear"];
    order.forEach((one, i) => {
      const item = document.getElementById(`step-${one}`);
      item.classList.toggle("now", one === name);
      item.classList.toggle("done", i < order.indexOf(name));
    });
  };

  const head = (kind, number, length) => {
    const view = new DataView(new ArrayBuffer(HEAD + length));
    view.setUint8(0, kind);
    view.setUint32(1, page, true);
    view.setUint32(5, number, true);
    return view;
  };

  const flush = (least) => {
    while (ready && first + samples.length - next >= least) {
      const some = samples.slice(next - first, next - first + 500);
      const view = head(1, next, some.length * SAMPLE);
      some.forEach((sample, i) => {
        const at = HEAD + i * SAMPLE;
        view.setFloat64(at, sample[0], true);
        for (let k = 1; k < 7; k++) view.setFloat32(at + 4 + 4 * k, sample[k], true);
      });
      socket.send(view.buffer);
      next += some.length;
    }
  };

  const onMotion = (event) => {
    const a = event.accelerationIncludingGravity, w = event.rotationRate;
    sinceEvent = performance.now();
    if (!a || !w || a.x === null || w.alpha === null) {
      say("This phone's browser gives no gyroscope, which counting needs.", true);
      return;
    }
    const last = samples.length ? samples[samples.length - 1][0] : -1;
    if (event.timeStamp <= last) return; // the same event again
    samples.push([event.timeStamp, a.x, a.y, a.z, w.alpha, w.beta, w.gamma]);
    if (samples.length > KEPT) {
      samples.shift();
      first += 1;
      next = Math.max(next, first);
    }
    flush(BATCH);
  };

  const connect = () => {
    if (ended) return;
    socket = new WebSocket(new URL("motion", location.href.replace(/^http/, "ws")));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      const name = new TextEncoder().encode(navigator.userAgent.slice(0, 150));
      const view = head(0, first, name.length);
      new Uint8Array(view.buffer).set(name, HEAD);
      socket.send(view.buffer);
    };
    socket.onmessage = (message) => {
      if (typeof message.data === "string") {
        ended = true;
        say(JSON.parse(message.data).refused, true);
        return;
      }
      const view = new DataView(message.data);
      if (view.getUint8(0) === 1) {
        step("wear");
        say("Ready: put the phone into the waistband and train.");
        return;
      }
      if (view.getUint32(1, true) !== page) return;
      const wanted = view.getUint32(5, true);
      const known = Math.min(Math.max(wanted - first, 0), samples.length);
      samples.splice(0, known);
      first += known;
      if (!ready) { // the connection is new: go on where the computer is
        ready = true;
        wait = 500;
        next = first;
        if (!document.getElementById("step-wear").classList.contains("now")) {
          step("turn");
          say("Connected. Turn the phone once about each of its axes.");
        } else say("Connected again.");
        flush(1);
      }
    };
    socket.onclose = () => {
      ready = false;
      if (ended) return;
      say("No connection to the computer: trying again. Nothing of the last minute is lost.", true);
      setTimeout(connect, wait);
      wait = Math.min(2 * wait, 5000);
    };
  };

  const keepAwake = async () => {
    try {
      wake = await navigator.wakeLock.request("screen");
    } catch {
      say("Keep the screen on: set the phone's automatic lock to never while you train.", true);
    }
  };

  const begin = async () => {
    start.disabled = true;
    try {
      if (typeof DeviceMotionEvent === "undefined") throw new Error("This browser gives no motion: use Safari or Chrome.");
      if (typeof DeviceMotionEvent.requestPermission === "function"
        && await DeviceMotionEvent.requestPermission() !== "granted") {
        throw new Error("Motion was not allowed. Close this page, scan the code again, and allow it.");
      }
    } catch (error) {
      start.disabled = false;
      say(error.message, true);
      return;
    }
    window.addEventListener("devicemotion", onMotion);
    sinceEvent = performance.now();
    start.hidden = true;
    say("Connecting …");
    connect();
    await keepAwake();
    flushing = setInterval(() => {
      flush(1);
      if (performance.now() - sinceEvent > 3000 && !document.hidden) {
        say("The browser sends no motion. Allow motion sensors for this page in the browser's settings.", true);
      }
    }, LATE_MS);
    setTimeout(() => { lock.hidden = false; }, 60000); // so that the waistband presses nothing
  };

  let held = 0;
  const hold = () => { held = setTimeout(() => { lock.hidden = true; }, 2000); };
  const release = () => clearTimeout(held);
  lock.addEventListener("pointerdown", hold);
  for (const name of ["pointerup", "pointercancel", "pointerleave"]) lock.addEventListener(name, release);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && flushing !== null) keepAwake();
  });
  start.addEventListener("click", begin);
})();
