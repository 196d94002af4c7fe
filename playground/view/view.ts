/** The results on the page: the steps with their arrows, remarks, and what is wrong. */

import type { Results } from "../request/results.ts";
import type { Step } from "../steps/step.ts";
import { shortNumber } from "../tensors/arithmetic.ts";
import { shapeOf, toNumber } from "../tensors/slices.ts";
import { announce, byId, describeBy, element, setText } from "./dom.ts";
import { ensureTabStops, keepFocus } from "./grid-navigation.ts";
import { renderStep } from "./heat-map.ts";
import { morphChildren } from "./morph.ts";

/** Draws the steps. Keeps the elements that stay, with the focus. */
export function showResults(results: Results, steps: readonly Step[]): void {
  const container = byId("steps");
  const fresh = element("div", {});
  fresh.append(...steps.map(renderStep));
  keepFocus(container, () => morphChildren(container, fresh));
  ensureTabStops(container);
  byId("remarks").replaceChildren(...renderRemarks(results));
  showProblem("");
  const { request, response } = results;
  const shape = shapeOf(request.input).join(" × ") || "one number";
  announce(
    response.loss === undefined
      ? `${request.operation} of ${shape}.`
      : `Loss ${shortNumber(toNumber(response.loss))}.`,
  );
}

function renderRemarks({ response, threeWays }: Results): HTMLElement[] {
  const warnings = ((response.warnings ?? []) as string[]).map((text) =>
    element("p", { class: "warning" }, text),
  );
  if (threeWays.length === 0) return warnings;
  const list = element("ul", { class: "ways" });
  for (const { name, loss } of threeWays) list.append(element("li", {}, `${name}: ${loss}`));
  return [...warnings, element("p", { class: "note" }, "The same number three ways:"), list];
}

/**
 * Says why the results are not those of the form, or removes the sentence. They stay as they are, and their scores are
 * locked, because an edit would write the old numbers into the form. The cell that is being edited stays open.
 */
export function showProblem(sentence: string): void {
  const isStale = sentence !== "";
  setText("problem", isStale ? `Not up to date. ${sentence}` : "");
  byId("steps").classList.toggle("stale", isStale);
  for (const score of byId("steps").querySelectorAll<HTMLInputElement>(".score")) {
    score.readOnly = isStale && score !== document.activeElement;
    describeBy(score, score.readOnly ? "problem" : undefined);
  }
  if (isStale) announce(sentence);
}
