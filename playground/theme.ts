/** Light, dark, or as the system has it: a script of its own, which all pages load before they are drawn. */

function setTheme(theme: string): void {
  if (theme === "") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

/** The choice is kept where the browser keeps anything. */
function withStorage<Result>(use: (storage: Storage) => Result): Result | undefined {
  try {
    return use(localStorage);
  } catch {
    return undefined;
  }
}

const kept = withStorage((storage) => storage.getItem("theme")) ?? "";
setTheme(kept);
document.addEventListener("DOMContentLoaded", () => {
  const choice = document.getElementById("theme") as HTMLSelectElement | null;
  if (choice === null) return;
  choice.value = kept;
  choice.addEventListener("change", () => {
    setTheme(choice.value);
    withStorage((storage) => storage.setItem("theme", choice.value));
  });
});
