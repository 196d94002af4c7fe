/** Elements of the page. */

/** What the keyboard and the pointer reach in a table. */
export const CELLS = ".cell, .sum";

export function byId(id: string): HTMLElement {
  return document.getElementById(id)!;
}

/** Changes a text only if it is another: what reads the page out would read it again. */
export function setText(id: string, text: string): void {
  if (byId(id).textContent !== text) byId(id).textContent = text;
}

/** An element with attributes and text. */
export function element(name: string, attributes: Readonly<Record<string, string>>, text = ""): HTMLElement {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  if (text !== "") made.textContent = text;
  return made;
}
