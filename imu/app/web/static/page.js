// Dialogs, forms that are sent without leaving the page, files that are dropped.

const messages = document.getElementById("said");

export function tell(text, refused = false) {
  const line = document.createElement("p");
  line.textContent = text;
  line.className = refused ? "refused" : "";
  messages.append(line);
  setTimeout(() => line.remove(), refused ? 9000 : 5000);
}

// A page changes the data of the person whose it is, also after another tab chose another person.
function address(url) {
  const whole = new URL(url, location.href);
  whole.searchParams.set("person", document.body.dataset.person);
  return whole;
}

async function answerTo(request) {
  try {
    const answer = await request;
    return await answer.json();
  } catch {
    return { refused: "The program does not answer: start imu web again." };
  }
}

// A page that was changed is fetched again, and its main part takes the place of the old one.
async function refresh() {
  const answer = await fetch(address(location.href));
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
  const details = "#main details > summary", key = (one) => one.dataset.key ?? one.textContent.replace(/\d+/g, "");
  const open = [...document.querySelectorAll(details)].filter((one) => one.parentElement.open).map(key);
  const focused = document.activeElement?.closest("[data-place]")?.dataset.place;
  document.getElementById("main").replaceChildren(...fresh.childNodes);
  for (const one of document.querySelectorAll(details)) {
    one.parentElement.open = open.includes(key(one));
  }
  if (focused) document.querySelector(`#main [data-place="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  document.dispatchEvent(new Event("refreshed"));
}

// On a phone, the repetitions of three and more sets are folded.
const lists = document.querySelectorAll(".reps-of");
if (lists.length > 2 && matchMedia("(max-width: 44rem)").matches) for (const one of lists) one.open = false;

// Send a change; return whether it was made.
export async function send(path, fields) {
  const answer = await answerTo(fetch(address(path), { method: "POST", body: new URLSearchParams(fields) }));
  if (answer.refused) { tell(answer.refused, true); await refresh(); return false; }
  await refresh();
  for (const one of answer.said) tell(one);
  return true;
}

// A page that lists the connected guests reloads now and then, unless the person is using it.
if (document.querySelector("[data-refresh]")) {
  setInterval(() => {
    if (document.visibilityState === "visible" && !document.activeElement?.closest("#main button, #main input")) refresh();
  }, 2000);
}

// --- forms

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.dataset.change === undefined) return;
  event.preventDefault();
  const button = event.submitter, dialog = form.closest("dialog"), error = form.querySelector(".error");
  const fields = new FormData(form), body = form.enctype.startsWith("multipart") ? fields : new URLSearchParams(fields);
  if (button) button.disabled = true;
  const answer = await answerTo(fetch(address(button?.getAttribute("formaction") || form.action), { method: "POST", body }));
  if (button) button.disabled = false;
  if (answer.refused) {
    if (error) error.textContent = answer.refused;
    else tell(answer.refused, true);
    return;
  }
  dialog?.close();
  if (answer.go) { location.assign(answer.go); return; }
  if (form.dataset.change === "reload") { location.reload(); return; }
  await refresh();
  for (const one of answer.said) tell(one);
});

// --- dialogs: the button that opens one carries what stands in its fields

export function openDialog(id, values) {
  const dialog = document.getElementById(id), form = dialog.querySelector("form");
  form.reset();
  for (const field of form.elements) {
    const value = values[field.name];
    if (value === undefined || !field.name || field.name === "state") continue;
    if (field.type === "radio") field.checked = field.value === value;
    else field.value = value;
  }
  for (const name of ["pattern", "exercise", "load", "note", "start", "end"]) remember(form, `${name}_before`, values[name] ?? "");
  if (!form.querySelector("[name=pattern]:checked")) form.querySelector("[name=pattern]")?.click();
  for (const one of dialog.querySelectorAll("[data-text]")) if (values[one.dataset.text] !== undefined) one.textContent = values[one.dataset.text];
  for (const one of dialog.querySelectorAll("[data-if]")) one.hidden = !values[one.dataset.if];
  for (const one of dialog.querySelectorAll("[data-unless]")) one.hidden = Boolean(values[one.dataset.unless]);
  for (const one of dialog.querySelectorAll(".error")) one.textContent = "";
  dialog.showModal();
}

function remember(form, name, value) {
  const field = form.querySelector(`[name=${name}]`) ?? form.appendChild(Object.assign(document.createElement("input"), { type: "hidden", name }));
  field.value = value;
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener) openDialog(opener.dataset.open, { ...opener.dataset });
  if (event.target.closest("[data-close]") || event.target.matches("dialog")) event.target.closest("dialog").close();
});

// --- which figure of the repetitions is compared

function chooseMetric(name) {
  const sets = document.getElementById("sets");
  if (sets) sets.dataset.metric = name;
}

function recallMetric() {
  const choice = document.querySelector(`[data-metrics] [value="${localStorage.getItem("imu-metric")}"]`);
  if (choice) { choice.checked = true; chooseMetric(choice.value); }
}

document.addEventListener("change", (event) => {
  if (event.target.dataset.submit !== undefined) event.target.form.requestSubmit();
  if (event.target.closest("[data-metrics]")) { localStorage.setItem("imu-metric", event.target.value); chooseMetric(event.target.value); document.dispatchEvent(new Event("metric")); }
  if (event.target.type === "file" && event.target.closest("[data-import]")) importAll(event.target.closest("[data-import]"), event.target.files);
});
document.addEventListener("refreshed", recallMetric);
recallMetric();

// --- files

async function importAll(form, files) {
  const progress = form.querySelector(".progress"), bar = form.querySelector("progress"), refusals = [];
  progress.classList.remove("error");
  let last = null, changed = false;
  for (const [number, file] of [...files].entries()) {
    progress.textContent = `Counting ${file.name}${files.length > 1 ? ` (${number + 1} of ${files.length})` : ""}…`;
    let answer = await upload(form.action, file, {}, (share) => { bar.hidden = false; if (share < 1) bar.value = share; else bar.removeAttribute("value"); });
    for (let more = {}; more && (answer.undated || answer.table);) { // the file is asked about, and sent again
      const known = answer.table ? await askTable(file, answer) : await askDate(file);
      more = known && { ...more, ...known };
      answer = more ? await upload(form.action, file, more, () => {}) : { refused: `${file.name} was not imported.` };
    }
    if (answer.refused) refusals.push(answer.refused);
    else last = answer;
    changed ||= !answer.refused || Boolean(answer.imported);
  }
  if (last && !refusals.length) { location.assign(files.length > 1 ? "/sessions" : last.go); return; }
  if (changed) await refresh();
  const shown = document.querySelector("[data-import]"), line = shown.querySelector(".progress");
  shown.reset();
  shown.querySelector("progress").hidden = true;
  line.textContent = refusals.join("\n\n"); // a paragraph for each file
  line.classList.toggle("error", refusals.length > 0);
  line.scrollIntoView({ block: "center" }); // on a page that has just become longer
  if (last) tell("The other files are imported.");
}

// Sent with its progress, which fetch does not report; once it is sent, the program counts.
function upload(path, file, more, progress) {
  const body = new FormData(), request = new XMLHttpRequest();
  body.append("file", file);
  for (const [name, value] of Object.entries(more)) body.append(name, value);
  request.upload.onprogress = (event) => progress(event.loaded / event.total);
  return answerTo(new Promise((resolve, reject) => {
    request.onload = () => resolve({ json: async () => JSON.parse(request.responseText) });
    request.onerror = reject;
    request.open("POST", address(path));
    request.send(body);
  }));
}

// When was a file without a date recorded? By default, when it was last changed.
function askDate(file) {
  const dialog = document.getElementById("ask-date"), field = dialog.querySelector("input");
  const local = new Date(file.lastModified - new Date(file.lastModified).getTimezoneOffset() * 60000);
  dialog.querySelector("[data-file]").textContent = file.name;
  field.value = local.toISOString().slice(0, 16);
  field.max = new Date(Date.now() - new Date().getTimezoneOffset() * 60000).toISOString().slice(0, 16);
  return asked(dialog, () => field.value && { date: new Date(field.value).toISOString() });
}

// In which units, and under which names, does a table hold its columns? By default, as it looks.
function askTable(file, { table, finding }) {
  const dialog = document.getElementById("ask-table"), form = dialog.querySelector("form");
  dialog.querySelector("[data-file]").textContent = file.name;
  dialog.querySelector("[data-finding]").textContent = finding;
  dialog.querySelector("datalist").replaceChildren(...[...finding.matchAll(/'([^']+)'/g)].map((name) => new Option(name[1])));
  for (const [name, value] of Object.entries(table)) form.elements[name].value = value;
  dialog.querySelector("details").open = Object.entries(table).some(([name, value]) => name.startsWith("column_") && name !== `column_${value}`);
  return asked(dialog, () => Object.fromEntries(new FormData(form)));
}

function asked(dialog, answer) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve((dialog.returnValue === "yes" && answer()) || null), { once: true }));
}

for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    const form = document.querySelector("[data-import]");
    if (!form || ![...(event.dataTransfer?.types ?? [])].includes("Files")) return;
    event.preventDefault();
    form.classList.toggle("over", kind === "dragover");
    if (kind === "drop") importAll(form, event.dataTransfer.files);
  });
}
