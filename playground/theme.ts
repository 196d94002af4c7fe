/** The color theme of all pages. A classic script, so that it runs before the page is first drawn. */

function setTheme(theme: string): void {
  if (theme === "") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

/** Uses localStorage unless the browser blocks it, which throws. */
function withStorage<Result>(use: (storage: Storage) => Result): Result | undefined {
  try {
    return use(localStorage);
  } catch {
    return undefined;
  }
}

/** The choice in this page, where the browser keeps none. */
let chosen = "";

/** Applies the choice that is kept, also after another tab or page has changed it. */
function applyChoice(): void {
  const theme = withStorage((storage) => storage.getItem("theme") ?? "") ?? chosen;
  setTheme(theme);
  const select = document.getElementById("theme") as HTMLSelectElement | null;
  if (select !== null) select.value = theme;
}

applyChoice();
window.addEventListener("storage", applyChoice);
// Browsers restore the control of a page to which a person goes back, or the whole page.
window.addEventListener("pageshow", applyChoice);
document.addEventListener("change", ({ target }) => {
  if (!(target instanceof HTMLSelectElement) || target.id !== "theme") return;
  chosen = target.value;
  setTheme(chosen);
  withStorage((storage) => storage.setItem("theme", chosen));
});
