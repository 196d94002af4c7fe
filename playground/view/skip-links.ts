/** Links that skip to a part of the page. They leave the address alone, which holds the lesson. */
import { byId } from "./dom.ts";

export function enableSkipLinks(): void {
  for (const link of document.querySelectorAll<HTMLAnchorElement>("a.skip"))
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const part = byId(link.hash.slice(1));
      part.focus({ preventScroll: true });
      part.scrollIntoView();
    });
}

/** Returns true for the hash of a skip link that was followed before this script ran. */
export function isPartHash(hash: string): boolean {
  return hash !== "" && document.getElementById(hash.slice(1)) !== null;
}
