/** Elements of the page, and announcements to screen readers. */

/** Delays a result's announcement, because keystrokes follow each other. */
const ANNOUNCE_DELAY_MS = 700;
/** Empties the live region before each announcement, because screen readers skip a text that does not change. */
const ANNOUNCE_GAP_MS = 50;

let announcement: number | undefined;

export function byId(id: string): HTMLElement {
  return document.getElementById(id)!;
}

/** Sets an element's text if it differs. Screen readers would repeat a text that is set again. */
export function setText(id: string, text: string): void {
  if (byId(id).textContent !== text) byId(id).textContent = text;
}

/** Sets or removes the element that describes another one to screen readers. */
export function describeBy(described: HTMLElement, id: string | undefined): void {
  if (id === undefined) described.removeAttribute("aria-describedby");
  else described.setAttribute("aria-describedby", id);
}

/** Creates an element with attributes and text. */
export function element(name: string, attributes: Readonly<Record<string, string>>, text = ""): HTMLElement {
  const created = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) created.setAttribute(attribute, value);
  if (text !== "") created.textContent = text;
  return created;
}

/** Creates an element of a picture. */
export function svgElement(
  name: string,
  attributes: Readonly<Record<string, string>>,
  text = "",
): SVGElement {
  const created = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [attribute, value] of Object.entries(attributes)) created.setAttribute(attribute, value);
  if (text !== "") created.textContent = text;
  return created;
}

/** A sentence without a delay that has not been announced yet. */
let urgent = "";

/** Announces a sentence after a delay. Replaces a pending announcement, but not one without a delay. */
export function announce(sentence: string, delayMs = ANNOUNCE_DELAY_MS): void {
  window.clearTimeout(announcement);
  const text = delayMs === 0 ? sentence : `${urgent} ${sentence}`.trim();
  if (delayMs === 0) urgent = sentence;
  announcement = window.setTimeout(() => {
    setText("spoken", "");
    announcement = window.setTimeout(() => {
      urgent = "";
      setText("spoken", text);
    }, ANNOUNCE_GAP_MS);
  }, delayMs);
}
