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

const stored = withStorage((storage) => storage.getItem("theme")) ?? "";
setTheme(stored);
document.addEventListener("DOMContentLoaded", () => {
  const select = document.getElementById("theme") as HTMLSelectElement | null;
  if (select === null) return;
  select.value = stored;
  select.addEventListener("change", () => {
    setTheme(select.value);
    withStorage((storage) => storage.setItem("theme", select.value));
  });
});
