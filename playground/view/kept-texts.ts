/** Texts of the form that the address does not hold, kept in the tab until the page is loaded again. */
import type { Texts } from "./form.ts";

const KEY = "lossd-form";

interface KeptTexts {
  /** The page's address, because another one is a link that is opened on purpose. */
  readonly address: string;
  readonly texts: Texts;
}

/** Keeps the texts for the present address, none where the storage is full. Forgets older texts. */
export function keepTexts(texts: Texts | undefined): void {
  withStorage((storage) => storage.removeItem(KEY));
  if (texts === undefined) return;
  const kept: KeptTexts = { address: window.location.href, texts };
  withStorage((storage) => storage.setItem(KEY, JSON.stringify(kept)));
}

/** Returns the texts that were kept for this address, undefined for a page that was opened on purpose. */
export function keptTexts(): Texts | undefined {
  const [navigation] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  if (navigation?.type === "navigate") return undefined;
  const kept = withStorage((storage) => JSON.parse(storage.getItem(KEY) ?? "null") as KeptTexts | null);
  return kept?.address === window.location.href ? kept.texts : undefined;
}

/** Uses sessionStorage unless the browser blocks it, which throws. */
function withStorage<Result>(use: (storage: Storage) => Result): Result | undefined {
  try {
    return use(window.sessionStorage);
  } catch {
    return undefined;
  }
}
