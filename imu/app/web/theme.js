// Light or dark: as the system is, unless the person has chosen. Runs in the head, before anything is drawn.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => document.cookie.match(/(?:^|; )imu_theme=(light|dark)/)?.[1] ?? "system";
  const dark = () => (chosen() === "system" ? system.matches : chosen() === "dark");
  const apply = () => {
    document.documentElement.dataset.theme = dark() ? "dark" : "light";
    window.Quasar?.Dark?.set(dark());
  };
  apply();
  system.addEventListener("change", apply);
  document.addEventListener("change", (event) => {
    if (event.target.id !== "theme") return;
    document.cookie = `imu_theme=${event.target.value}; path=/; max-age=31536000; samesite=strict`;
    apply();
  });
})();
// Plotly resizes a chart 100 ms after its frame changed, and rejects a promise that it keeps to itself if the page has
// replaced the chart by then. Nothing is lost: the new chart has the new size.
window.addEventListener("unhandledrejection", (event) => {
  if (String(event.reason?.message).startsWith("Resize must be passed a displayed plot div")) event.preventDefault();
});
