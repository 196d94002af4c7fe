/** Changes drawn elements in place, so that the focus, a drag and the scroll positions survive a new drawing. */

/** Attributes that the page changes after drawing: the stop of the Tab key moves, and styles go through CSSOM (CSP). */
const OWN_ATTRIBUTES = ["tabindex", "style"];

/** Makes `old` equal to `fresh`. Children with an id are found by it, others by their place. */
export function morph(old: Element, fresh: Element): void {
  morphAttributes(old, fresh);
  if (old instanceof HTMLElement && fresh instanceof HTMLElement && old.style.cssText !== fresh.style.cssText)
    old.style.cssText = fresh.style.cssText;
  if (old instanceof HTMLInputElement && fresh instanceof HTMLInputElement) {
    // The text in a focused input is being typed.
    if (old !== document.activeElement) old.value = fresh.value;
  } else morphChildren(old, fresh);
}

function morphAttributes(old: Element, fresh: Element): void {
  const names = new Set([...old.getAttributeNames(), ...fresh.getAttributeNames()]);
  for (const name of names) {
    const value = fresh.getAttribute(name);
    if (OWN_ATTRIBUTES.includes(name) || old.getAttribute(name) === value) continue;
    if (value === null) old.removeAttribute(name);
    else old.setAttribute(name, value);
  }
}

/** Makes the children of `old` equal to those of `fresh`. */
export function morphChildren(old: Element, fresh: Element): void {
  const ids = new Set([...fresh.children].map(({ id }) => id));
  for (const child of [...old.children]) if (child.id !== "" && !ids.has(child.id)) child.remove();
  const wanted = [...fresh.childNodes];
  for (const [index, node] of wanted.entries()) {
    const present = old.childNodes[index];
    if (present === undefined) old.append(node);
    else if (isSame(present, node)) morphNode(present, node);
    else if (node instanceof Element && node.id !== "") present.before(node);
    else present.replaceWith(node);
  }
  while (old.childNodes.length > wanted.length) old.lastChild!.remove();
}

function isSame(present: ChildNode, node: ChildNode): boolean {
  const idOf = (one: ChildNode): string => (one instanceof Element ? one.id : "");
  return present.nodeName === node.nodeName && idOf(present) === idOf(node);
}

function morphNode(present: ChildNode, node: ChildNode): void {
  if (present instanceof Element && node instanceof Element) morph(present, node);
  else if (present.nodeValue !== node.nodeValue) present.nodeValue = node.nodeValue;
}
