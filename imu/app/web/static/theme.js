// Light or dark: as the system, unless the person has chosen. Runs in the head, before anything is drawn.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => document.cookie.match(/(?:^|; )imu_theme=(light|dark)/)?.[1] ?? "system";
  const apply = () => {
    const dark = chosen() === "system" ? system.matches : chosen() === "dark";
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    window.dispatchEvent(new Event("theme"));
  };
  apply();
  system.addEventListener("change", apply);
  document.addEventListener("change", (event) => {
    if (event.target.id !== "theme") return;
    document.cookie = `imu_theme=${event.target.value}; path=/; max-age=31536000; samesite=strict`;
    apply();
  });
})();
