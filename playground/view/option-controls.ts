/** The controls of the options, drawn from the table of all fields. */

import type { Field } from "../request/fields.ts";
import { FIELDS } from "../request/fields.ts";
import { followEdits } from "./control-text.ts";
import { byId, element } from "./dom.ts";

/** Draws the controls of all options, places them, and follows edits. Call it once, before the functions of form.ts. */
export function drawOptions(): void {
  for (const field of FIELDS) {
    if (field.group !== "operands") byId(`${field.group}-options`).append(drawField(field));
  }
  followEdits(byId("form"));
  const narrow = window.matchMedia("(max-width: 45rem)");
  narrow.addEventListener("change", placeOptions);
  placeOptions(narrow);
}

/** Keeps the first options beside the operands on a wide window, and in the fold on a phone. */
function placeOptions({ matches: isNarrow }: { readonly matches: boolean }): void {
  const options = byId("basic-options");
  if (isNarrow) byId("more-options").before(options);
  else byId("more").before(options);
}

function drawField(field: Field): HTMLElement {
  const { name, kind, hint } = field;
  const block = element("div", { class: kind === "flag" ? "field check" : "field", id: `field-${name}` });
  const label = element("label", { for: name }, name);
  const input = drawControl(field);
  input.setAttribute("aria-describedby", `hint-${name} note-${name} error-${name}`);
  block.append(...(kind === "flag" ? [input, label] : [label, input]));
  block.append(
    element("p", { class: "hint", id: `hint-${name}` }, hint),
    element("p", { class: "hint", id: `note-${name}` }),
    element("p", { class: "error", id: `error-${name}` }),
  );
  return block;
}

function drawControl({ name, kind, absent = "", choices = [], range = {} }: Field): HTMLElement {
  if (kind === "flag") return element("input", { id: name, type: "checkbox" });
  if (kind === "choice") {
    const select = element("select", { id: name });
    select.append(new Option(absent, ""), ...choices.map((choice) => new Option(String(choice))));
    return select;
  }
  if (kind === "tensor") return element("input", { id: name, autocomplete: "off", placeholder: absent });
  const { step = "any", ...limits } = range;
  const attributes = { id: name, type: "number", step, placeholder: absent, ...limits };
  return element(
    "input",
    Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, String(value)])),
  );
}
