// The fields of a plan: one row for each exercise, empty fields left out.

const NAMES = ["name", "load", "sets", "reps", "rest", "tempo", "depth", "angle", "velocity", "stop-loss"];
const given = JSON.parse(document.getElementById("plans").textContent);
export const lastPlan = given.last;

function addRow(list, values = {}) {
  const row = document.getElementById("exercise-row").content.firstElementChild.cloneNode(true);
  for (const name of NAMES) row.querySelector(`[name="${name}"]`).value = values[name] ?? "";
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

// The plan in the words of a plan's file; null where nothing is filled in. A number is sent as one.
export function planOf(box) {
  const list = box.querySelector(".exercises"), exercises = [];
  for (const row of list.children) {
    const values = {};
    for (const name of NAMES) {
      const typed = row.querySelector(`[name="${name}"]`).value.trim();
      if (typed) values[name] = name !== "name" && /^\d+([.,]\d+)?$/.test(typed) ? Number(typed.replace(",", ".")) : typed;
    }
    if (Object.keys(values).length) exercises.push(values);
  }
  return exercises.length ? { ...(list.dataset.name ? { name: list.dataset.name } : {}), exercise: exercises } : null;
}

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
