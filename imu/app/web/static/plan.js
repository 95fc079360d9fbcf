// The fields of a plan: one row for each exercise, empty fields left out.

const NAMES = ["name", "load", "sets", "reps", "rest", "tempo", "depth", "angle", "velocity", "stop-loss"];
const given = JSON.parse(document.getElementById("plans").textContent);
export const lastPlan = given.last;
let sent = []; // the rows of the plan that was sent last

function field(row, name) { return row.querySelector(`[name="${name}"]`); }

// A load is shown rounded, and without the unit that its label has; until it is changed, it is sent as it came.
function showLoad(load) {
  if (!load.value) return;
  const unit = load.value.endsWith(" lb") ? "lb" : "kg", value = Number(parseFloat(load.value).toFixed(unit === "lb" ? 1 : 2));
  load.dataset.exact = unit === "kg" ? `${load.value} kg` : load.value;
  load.value = load.dataset.shown = unit === given.unit ? value : `${value} ${unit}`;
}

function typed(row, name) {
  const one = field(row, name), value = one.value.trim();
  return value && value === one.dataset.shown ? one.dataset.exact : value;
}

function addRow(list, values = {}) {
  const row = document.getElementById("exercise-row").content.firstElementChild.cloneNode(true);
  for (const name of NAMES) field(row, name).value = values[name] ?? "";
  showLoad(field(row, "load"));
  row.querySelector("details").open = ["depth", "angle", "tempo", "velocity", "stop-loss"].some((name) => values[name] != null);
  list.append(row);
  return row;
}

export function fillPlan(box, plan) {
  const list = box.querySelector(".exercises");
  list.replaceChildren();
  for (const one of plan?.exercise ?? [{}]) addRow(list, one);
  list.dataset.name = plan?.name ?? "";
}

function typedIn(row) { return NAMES.map((name) => [name, typed(row, name)]).filter(([, value]) => value); }

// The plan in the words of a plan's file; null where nothing is filled in. A number is sent as one.
export function planOf(box) {
  const { name } = box.querySelector(".exercises").dataset;
  sent = [...box.querySelector(".exercises").children].filter((row) => typedIn(row).length);
  const exercises = sent.map((row) => Object.fromEntries(typedIn(row).map(([key, value]) => [key, key !== "name" && /^\d+([.,]\d+)?$/.test(value) ? Number(value.replace(",", ".")) : value])));
  return exercises.length ? { ...(name ? { name } : {}), exercise: exercises } : null;
}

// Each wrong field says what is wrong with it, until it is changed; the sentence that is returned stands below the form.
// A row may have been removed since it was sent.
export function markWrong(wrong) {
  const fields = wrong.map(([index, key, about]) => [field(sent[index], key), about]).filter(([one]) => one.isConnected);
  if (!fields.length) return "The plan has changed meanwhile: start again.";
  fields.forEach(([one, about], i) => {
    unmark(one);
    const note = Object.assign(document.createElement("small"), { className: "wrong", id: `wrong-${i}`, textContent: about });
    one.setAttribute("aria-invalid", "true");
    one.setAttribute("aria-describedby", note.id);
    one.after(note);
    if (one.closest("details")) one.closest("details").open = true;
  });
  fields[0][0].focus();
  return fields.length > 1 ? `${fields.length} fields need another value.` : "One field needs another value.";
}

function unmark(one) {
  if (!one.matches?.("[aria-invalid]")) return;
  one.nextElementSibling.remove();
  one.removeAttribute("aria-invalid");
  one.removeAttribute("aria-describedby");
}
document.addEventListener("input", (event) => unmark(event.target));

document.addEventListener("click", (event) => {
  const box = event.target.closest("[data-plan]");
  if (!box) return;
  if (event.target.closest("[data-add-exercise]")) addRow(box.querySelector(".exercises")).querySelector("input").focus();
  if (event.target.closest("[data-use=last]")) fillPlan(box, given.last);
  if (event.target.closest("[data-remove]")) {
    event.target.closest(".exercise").remove();
    if (!box.querySelector(".exercise")) addRow(box.querySelector(".exercises"));
  }
});
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-use-named]") && event.target.value) {
    fillPlan(event.target.closest("[data-plan]"), given.ready[event.target.value]);
    event.target.value = "";
  }
});
for (const box of document.querySelectorAll("[data-plan]")) fillPlan(box, given.filled);
