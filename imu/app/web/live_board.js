// The live page: draws what the training desk tells, and tells it what the person asks for. It knows no rules of its
// own: all words come from the server, so that page, terminal and voice agree.

import { beep, drawTrail, shapeOf, speak, unlockSound } from "imu-live";

const RECONNECT_MS = 800;
const SHOWN_S = 30, SHOWN_NARROW_S = 15;
const SOUNDS = { count: true, pattern: true, cue: true, other: true, rest: true };
const RESTS_S = [0, 30, 60, 90, 120, 180, 240, 300];
const EXERCISES = ["Back squat", "Front squat", "Goblet squat", "Deadlift", "Romanian deadlift", "Kettlebell swing", "Good morning"];
const SETTINGS = "imu-sounds";
const KEYS = { e: "end set", " ": "end set", u: "take back", p: "pause", k: "keep alone", q: "finish" };

export default {
  template: `
  <div class="live" :data-phase="board.phase" :data-state="board.state">
    <p v-if="!connected" class="banner problem" role="alert">
      No connection to the program. What was trained until now is recorded; start <code>imu web</code> again.
    </p>
    <p v-if="refused" class="banner problem" role="alert">{{ refused }}</p>

    <section v-if="board.state === 'idle'" class="start" aria-labelledby="start-heading">
      <h1 id="start-heading">Train</h1>
      <p v-if="board.trouble" class="banner problem" role="alert">{{ board.trouble }}</p>
      <p v-if="board.session" class="banner good" role="status">
        Kept. <a :href="'/session/' + board.session">See session {{ board.session }}</a>
      </p>
      <form @submit.prevent="begin">
        <fieldset>
          <legend>Sensor</legend>
          <label v-for="one in choices" :key="one.wanted" class="choice">
            <input type="radio" name="sensor" :value="one.wanted" v-model="sensor" />
            <span><strong>{{ one.title }}</strong> <span class="soft">{{ one.signal }}</span></span>
          </label>
          <button type="button" class="plain" @click="scan" :disabled="scanning">
            {{ scanning ? "Listening for six seconds…" : "Look for sensors" }}
          </button>
          <p v-if="scanned && !heard.length" role="status" class="soft">
            No sensor was heard: switch it on, bring it near, and disconnect it from phones and other programs.
          </p>
        </fieldset>
        <label class="field">Rest between sets
          <select v-model.number="rest">
            <option v-for="s in rests" :key="s" :value="s">{{ s ? minutes(s) : "no target" }}</option>
          </select>
        </label>
        <button type="submit" class="primary">Start</button>
      </form>
      <p class="soft">Wear the sensor at the hip, stand still for a second, and begin.</p>
    </section>

    <template v-else>
      <h1 class="sr">Training</h1>
      <div class="status" role="group" aria-label="Sensor">
        <span :class="['chip', board.link === 'connected' ? 'good' : 'problem']">
          <svg viewBox="0 0 12 12" aria-hidden="true"><path :d="board.link === 'connected' ? 'M1 6l4 4 6-8' : 'M2 2l8 8M10 2l-8 8'" /></svg>
          {{ board.link_text }}</span>
        <span v-if="board.sensor" class="chip">{{ board.sensor }}</span>
        <span v-if="board.battery_percent != null" :class="['chip', board.battery_low && 'problem']">
          battery {{ board.battery_low ? "LOW " : "" }}{{ board.battery_percent }} %</span>
        <span v-if="board.signal" class="chip">signal {{ board.signal }}</span>
        <span v-if="board.data" class="chip soft">{{ board.data }}</span>
      </div>

      <section class="now" :class="[board.phase, board.pattern]" aria-label="Set">
        <div class="count" aria-hidden="true">{{ big }}</div>
        <div class="told">
          <div class="word">
            <svg v-if="shape" class="shape" viewBox="0 0 24 24" aria-hidden="true"><path :d="shape" /></svg>
            <span>{{ board.paused ? "PAUSED" : word }}</span>
          </div>
          <div class="sub">{{ sub }}</div>
          <div class="cue" v-if="board.cue">{{ board.cue }}</div>
          <div class="clock">
            <template v-if="board.phase === 'rest'">
              <strong>{{ board.rest_is_over ? "REST IS OVER" : "Rest" }}</strong> {{ board.rest_clock }}
              <span v-if="board.rest_target_s"> of {{ minutes(board.rest_target_s) }}</span>
            </template>
            <template v-else-if="board.set_clock">Set {{ board.set_number }} · {{ board.set_clock }}</template>
          </div>
        </div>
      </section>
      <p class="sr" aria-live="polite">{{ heardText }}</p>

      <div class="asides">
        <p v-if="board.lone" class="banner caution">{{ board.lone }}
          <button type="button" class="plain" @click="ask('keep alone')">Keep it as a set <kbd>K</kbd></button></p>
        <p v-if="board.not_counted" class="banner">not counted: {{ board.not_counted }}</p>
        <p v-for="one in board.messages" :key="one.text" :class="['banner', one.gravity]"
           :role="one.gravity === 'problem' ? 'alert' : null">{{ sign(one.gravity) }}{{ one.text }}</p>
      </div>

      <div class="actions" role="group" aria-label="What to do">
        <button type="button" @click="ask('take back')" :disabled="!board.count && !board.sets.length">Undo <kbd>U</kbd></button>
        <button type="button" @click="ask('end set')" :disabled="!board.set_may_go_on">End set <kbd>E</kbd></button>
        <button type="button" @click="pause" :disabled="!board.sensor" :aria-pressed="board.paused ? 'true' : 'false'">
          {{ board.paused ? "Go on" : "Pause" }} <kbd>P</kbd></button>
        <button type="button" class="primary" @click="wantFinish" :disabled="board.state === 'saving'">
          {{ board.state === "saving" ? "Saving…" : "Finish" }} <kbd>Q</kbd></button>
      </div>

      <figure class="trail">
        <figcaption>Trunk angle, degrees <span class="soft">(○ squat △ hinge □ uncertain)</span></figcaption>
        <canvas ref="canvas" role="img" :aria-label="trailLabel"></canvas>
      </figure>

      <dl class="figures">
        <div v-for="one in board.figures" :key="one.label"><dt>{{ one.label }}</dt>
          <dd><strong>{{ one.value }}</strong><span class="soft">{{ one.change }}</span></dd></div>
      </dl>

      <section class="sets" v-if="board.sets.length" aria-labelledby="sets-heading">
        <h2 id="sets-heading">Sets</h2>
        <ol>
          <li v-for="one in board.sets" :key="one.number">
            <svg class="shape small" :class="one.pattern" viewBox="0 0 24 24" aria-hidden="true"><path :d="shapeOf(one.pattern)" /></svg>
            <span class="set-text">{{ one.text }}</span>
            <input :aria-label="'Exercise of set ' + one.number" placeholder="exercise" maxlength="80" list="exercises"
              :value="typed(one, 'exercise')" @input="type(one, 'exercise', $event)" @change="enter(one)" @blur="forget(one, 'exercise')" />
            <input :aria-label="'Load of set ' + one.number + ' in kilograms'" placeholder="kg" type="number" min="0" max="1000"
              step="0.5" :value="typed(one, 'load_kg')" @input="type(one, 'load_kg', $event)" @change="enter(one)" @blur="forget(one, 'load_kg')" />
          </li>
        </ol>
        <datalist id="exercises">
          <option v-for="name in exercises" :key="name" :value="name"></option>
        </datalist>
      </section>

      <section class="balance" aria-label="Squats against hinges">
        <div v-for="[name, pair] in [['Today', board.today], ['28 days', board.last_28_days]]" :key="name">
          <span class="soft">{{ name }}</span>
          <strong>{{ pair[0] }} {{ pair[0] === 1 ? "squat" : "squats" }} : {{ pair[1] }} {{ pair[1] === 1 ? "hinge" : "hinges" }}</strong>
        </div>
      </section>

      <details class="sounds">
        <summary>Sound and rest</summary>
        <label v-for="(name, key) in soundNames" :key="key"><input type="checkbox" v-model="sounds[key]" /> {{ name }}</label>
        <label class="field">Rest between sets
          <select :value="board.rest_target_s || 0" @change="setRest($event.target.value)">
            <option v-for="s in rests" :key="s" :value="s">{{ s ? minutes(s) : "no target" }}</option>
          </select>
        </label>
        <p v-if="!speech" class="soft">This browser cannot speak.</p>
      </details>

      <dialog ref="dialog" aria-labelledby="finish-heading">
        <h2 id="finish-heading">Finish this training?</h2>
        <p>It is kept, and can be corrected afterwards.</p>
        <div class="actions">
          <button type="button" @click="$refs.dialog.close()">Go on training</button>
          <button type="button" class="primary" @click="finish">Finish and save</button>
        </div>
      </dialog>
    </template>
  </div>`,

  props: { sensors: Array, restTarget: Number },

  data() {
    return {
      board: { state: "idle", phase: "waiting", sets: [], figures: [], messages: [], today: [0, 0], last_28_days: [0, 0] },
      connected: true, refused: "", heardText: "",
      sensor: this.sensors[0].wanted, rest: this.restTarget || 0, heard: [], scanning: false, scanned: false,
      sounds: { ...SOUNDS, ...JSON.parse(localStorage.getItem(SETTINGS) || "{}") },
      soundNames: { count: "Say the count", pattern: "Say a new pattern", cue: "Say cues", other: "Say the rest (sets, sensor, pauses)", rest: "Sound when the rest is over" },
      rests: RESTS_S, exercises: EXERCISES, drafts: {}, speech: "speechSynthesis" in window,
    };
  },

  computed: {
    choices() { return [...this.sensors, ...this.heard]; },
    big() { return this.board.phase === "rest" ? this.board.rest_clock : this.board.count; },
    word() { return this.board.phase === "waiting" ? "" : this.board.phase === "rest" ? this.board.headline : (this.board.pattern || "").toUpperCase(); },
    sub() {
      if (this.board.paused) return "nothing is counted";
      if (this.board.phase === "waiting") return this.board.headline;
      if (this.board.phase === "rest") return "";
      return this.board.confidence == null ? "squat or hinge, not clear" : `${this.board.confidence} % sure`;
    },
    shape() { return this.board.pattern ? this.shapeOf(this.board.pattern) : ""; },
    trailLabel() {
      const trunk = this.board.figures.find((one) => one.label === "Trunk");
      return trunk ? `Trunk angle of the last half minute; last repetition ${trunk.value}` : "Trunk angle of the last half minute";
    },
  },

  watch: {
    sounds: { deep: true, handler(value) { localStorage.setItem(SETTINGS, JSON.stringify(value)); } },
  },

  mounted() {
    // What changes 25 times a second is drawn, not rendered.
    this.points = []; this.marks = [];
    this.onKey = (event) => this.key(event);
    window.addEventListener("keydown", this.onKey);
    this.resize = new ResizeObserver(() => this.draw());
    this.resize.observe(this.$el);
    this.connect();
  },
  unmounted() {
    this.gone = true;
    window.removeEventListener("keydown", this.onKey);
    this.resize.disconnect();
    clearTimeout(this.again);
    this.socket?.close();
  },

  methods: {
    connect() {
      this.socket = new WebSocket(`ws://${location.host}/live`);
      this.socket.onopen = () => { this.connected = true; this.points = []; };
      this.socket.onmessage = (event) => this.take(JSON.parse(event.data));
      this.socket.onclose = () => {
        this.connected = this.gone;
        if (!this.gone) this.again = setTimeout(() => this.connect(), RECONNECT_MS);
      };
    },
    send(object) { if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(object)); },

    take(news) {
      if (news.refused !== undefined) { this.refused = news.refused; this.scanning = false; return; }
      if (news.heard !== undefined) {
        this.heard = news.heard; this.scanning = false; this.scanned = true;
        if (this.heard.length) this.sensor = this.heard[0].wanted;
        return;
      }
      const before = { state: this.board.state, over: this.board.rest_is_over };
      if (news.board?.marks) this.marks = news.board.marks;
      if (news.board) Object.assign(this.board, news.board);
      if (news.points) this.points = [...this.points, ...news.points].slice(-800);
      for (const one of news.said || []) this.say(one);
      if (this.board.rest_is_over && !before.over && this.sounds.rest && before.state === "training") beep();
      if (before.state !== "idle" && this.board.state === "idle" && this.board.session) {
        location.assign(`/session/${this.board.session}`);
      }
      if (this.board.state === "training") this.keepAwake();
      this.$el.dataset.updates = Number(this.$el.dataset.updates || 0) + 1;
      requestAnimationFrame(() => this.draw());
    },

    // what the person asks for
    begin() {
      this.refused = "";
      unlockSound();
      this.send({ do: "begin", sensor: this.sensor, rest_s: this.rest || null });
    },
    ask(what) { this.refused = ""; this.send({ do: what }); },
    pause() { this.ask(this.board.paused ? "resume" : "pause"); },
    scan() { this.refused = ""; this.scanning = true; this.send({ do: "scan" }); },
    setRest(seconds) { this.send({ do: "rest", rest_s: Number(seconds) || null }); },
    // What is being typed stays while the board is drawn anew each second; once left, the field shows what is kept.
    typed(one, field) { return this.drafts[`${one.number} ${field}`] ?? one[field]; },
    type(one, field, event) { this.drafts[`${one.number} ${field}`] = event.target.value; },
    forget(one, field) { delete this.drafts[`${one.number} ${field}`]; },
    enter(one) {
      const load = this.typed(one, "load_kg"), kg = load === "" || load == null ? null : Number(load);
      one.exercise = this.typed(one, "exercise") || null; one.load_kg = kg;
      this.send({ do: "enter", set: one.number, exercise: one.exercise, load_kg: kg });
    },
    wantFinish() { if (this.board.state === "training") this.$refs.dialog.showModal(); },
    finish() { this.$refs.dialog.close(); this.ask("finish"); },
    key(event) {
      const typing = event.target.closest?.("input, select, textarea, [contenteditable]") || event.target.closest?.("dialog");
      const onButton = event.key === " " && event.target.closest?.("button, a, summary");
      if (typing || onButton || event.ctrlKey || event.metaKey || event.altKey || event.repeat || this.board.state !== "training") return;
      const what = KEYS[event.key.toLowerCase()];
      if (!what) return;
      event.preventDefault();
      if (what === "pause") this.pause();
      else if (what === "finish") this.wantFinish();
      else this.ask(what);
    },

    // what is heard
    say(one) {
      this.heardText = [one.text, one.pattern].filter(Boolean).join(", ") + (one.cue ? `. ${one.cue}` : "");
      const bare = one.urgent ? this.sounds.count && one.text : this.sounds.other && one.text;
      const said = [bare, this.sounds.pattern && one.pattern].filter(Boolean).join(", ");
      const text = [said, this.sounds.cue && one.cue].filter(Boolean).join(". ");
      if (!text || !this.speech) return;
      if (one.urgent) speechSynthesis.cancel(); // a count that is heard late is worse than none
      speak(text);
    },
    async keepAwake() {
      if (this.awake || !navigator.wakeLock || document.visibilityState !== "visible") return;
      this.awake = true;
      try { (await navigator.wakeLock.request("screen")).onrelease = () => { this.awake = false; }; } catch { this.awake = false; }
    },

    // what is drawn
    shapeOf,
    sign(gravity) { return { caution: "! ", problem: "!! " }[gravity] || ""; },
    minutes(s) { return `${Math.floor(s / 60)}:${String(Math.round(s % 60)).padStart(2, "0")}`; },
    draw() {
      drawTrail(this.$refs.canvas, this.points, this.marks, this.$el.clientWidth < 600 ? SHOWN_NARROW_S : SHOWN_S);
    },
  },
};
