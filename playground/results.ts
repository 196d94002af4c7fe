/** The results beside the form: the steps, the reduced loss, errors, the response, and the explanation bar. */
import type { Problem, Results } from "./api.ts";
import { elementName, shortNumber } from "./arithmetic.ts";
import { announce, byId, element, setText } from "./dom.ts";
import { errorLocation, markField } from "./form.ts";
import { focusedCell, restoreFocus } from "./grid-navigation.ts";
import type { CellError, ExplanationListener } from "./heat-map.ts";
import { renderStep } from "./heat-map.ts";
import type { Body, LossRequest } from "./request.ts";
import { hasProbabilities, isSparse, reductionOf } from "./request.ts";
import type { Nested } from "./slices.ts";
import { shapeOf, toNumber } from "./slices.ts";
import { inputStep, stepsOf, targetStep } from "./steps.ts";

const MAX_SHOWN_CHARS = 20_000;
/** Marks the results as stale only after this time because each keystroke would make them flicker. */
const STALE_DELAY_MS = 300;
/** Explains a cell once the pointer has rested on it. */
const POINTER_REST_MS = 50;

let staleTimer: number | undefined;
let pointerTimer: number | undefined;
/** The explanation of the focused cell, empty if no cell has the focus. */
let focusedExplanation = "";

function showExplanation(sentence: string): void {
  window.clearTimeout(pointerTimer);
  setText("explanation", sentence);
}

function clearExplanation(): void {
  focusedExplanation = "";
  showExplanation("");
}

const explanationBar: ExplanationListener = {
  focused(sentence) {
    focusedExplanation = sentence;
    showExplanation(sentence);
    announce(sentence, 0);
  },
  pointed(sentence) {
    window.clearTimeout(pointerTimer);
    pointerTimer = window.setTimeout(() => showExplanation(sentence), POINTER_REST_MS);
  },
};

/** Keeps the explanation while the pointer or the focus is in the steps or in the bar, so that it can be copied. */
export function initExplanationBar(): void {
  const [steps, bar] = [byId("steps"), byId("explanation")];
  const isInside = (target: EventTarget | null): boolean =>
    target instanceof Node && (steps.contains(target) || bar.contains(target));
  for (const part of [steps, bar]) {
    part.addEventListener("pointerleave", ({ relatedTarget }) => {
      window.clearTimeout(pointerTimer);
      if (!isInside(relatedTarget)) showExplanation(focusedExplanation);
    });
    part.addEventListener("focusout", ({ relatedTarget }) => {
      if (!isInside(relatedTarget)) clearExplanation();
    });
  }
  document.addEventListener("keydown", ({ key }) => {
    if (key === "Escape") clearExplanation();
  });
  // Scrolling must keep a focused element above the bar (WCAG 2.2, 2.4.11), so CSS needs its height.
  new ResizeObserver(([entry]) => {
    const height = entry?.borderBoxSize[0]?.blockSize ?? 0;
    document.documentElement.style.setProperty("--bar", `${height}px`);
  }).observe(bar);
}

/** Truncates a long text, and says so. */
export function truncate(text: string): string {
  if (text.length <= MAX_SHOWN_CHARS) return text;
  return `${text.slice(0, MAX_SHOWN_CHARS)}\n... ${MAX_SHOWN_CHARS} of ${text.length} characters are shown`;
}

/** Formats JSON with one line for each row of numbers. */
function formatJson(json: unknown): string {
  return JSON.stringify(json, null, 1).replaceAll(
    /\[\s+([^[\]{}]*?)\s+\]/g,
    (_, row: string) => `[${row.replaceAll(/\s*\n\s*/g, " ")}]`,
  );
}

/** Marks the steps as busy during a request, and as stale if it takes long. */
export function showBusy(isBusy: boolean): void {
  window.clearTimeout(staleTimer);
  byId("steps").setAttribute("aria-busy", String(isBusy));
  if (isBusy) staleTimer = window.setTimeout(() => showStale(true), STALE_DELAY_MS);
}

function showStale(isStale: boolean): void {
  byId("steps").classList.toggle("stale", isStale);
  byId("stale").hidden = !isStale;
  byId("stale-answer").hidden = !isStale || byId("answer").textContent === "";
}

export function showResults(results: Results): void {
  const { request, response } = results;
  const steps = stepsOf(results);
  const sections = steps.map((step) => renderStep(step, explanationBar));
  const lossIndex = steps.findIndex(({ id }) => id === "losses");
  if (lossIndex >= 0) sections.splice(lossIndex + 1, 0, renderReduction(results));
  hideProblem();
  replaceSteps(sections);
  setText("answer", truncate(formatJson(response)));
  const shape = shapeOf(request.input).join(" × ") || "one number";
  announce(
    response.loss === undefined
      ? `${request.operation} of ${shape}.`
      : `Loss ${shortNumber(toNumber(response.loss))}.`,
  );
}

function replaceSteps(sections: readonly HTMLElement[]): void {
  const steps = byId("steps");
  const focus = focusedCell(steps);
  steps.replaceChildren(...sections);
  showStale(false);
  if (focus === undefined) clearExplanation();
  else restoreFocus(steps, focus);
}

/** Draws the reduced loss, and how it is computed from the losses. */
function renderReduction({ request, response, threeWays }: Results): HTMLElement {
  const reduction = reductionOf(request.body);
  const section = element("section", { class: "step", id: "step-result" });
  section.append(element("h3", {}, `Reduction: ${reduction}`));
  const notes = {
    none: "The losses stay as they are.",
    sum: "All losses added up.",
    mean: `All losses added up, divided by ${divisorWords(request, response)}.`,
    batchmean: "All losses added up, divided by the first size of the input.",
  };
  section.append(element("p", { class: "note" }, notes[reduction]));
  if (response.loss !== undefined)
    section.append(element("p", { class: "loss", id: "loss" }, shortNumber(toNumber(response.loss))));
  for (const warning of (response.warnings ?? []) as string[])
    section.append(element("p", { class: "warning" }, warning));
  if (threeWays.length > 0) {
    const list = element("ul", { class: "ways" });
    for (const { name, loss } of threeWays) list.append(element("li", {}, `${name}: ${loss}`));
    section.append(element("p", { class: "note" }, "The same number three ways:"), list);
  }
  return section;
}

function divisorWords(request: LossRequest, response: Body): string {
  if (request.operation === "kl_div") return "the number of elements";
  if (response.total_weight === undefined) return "the number of positions";
  const isWeighted = request.body.sample_weight !== undefined;
  const isShared = isSparse(request) || hasProbabilities(request);
  const positions = isSparse(request) ? "the positions with a target" : "all positions";
  const parts = isShared
    ? isWeighted
      ? `the sample_weight of ${positions}, added up`
      : `the number of ${positions}`
    : `the weights of the targets that count${isWeighted ? ", each times its sample_weight" : ""}`;
  return `total_weight, ${parts}: ${shortNumber(toNumber(response.total_weight))}`;
}

/** Shows an error response at its field and its cell. Draws the input too, unless it is ragged. */
export function showProblemResponse(request: LossRequest, problem: Problem): void {
  const location = errorLocation(problem);
  const detail = problem.errors?.[0]?.detail ?? problem.detail;
  // Names the element, because a large tensor is not drawn to its end.
  const message =
    location === undefined || location.at.length === 0
      ? detail
      : `${elementName(location.field, location.at)}: ${detail}`;
  if (location !== undefined) markField(location.field, message);
  if (problem.status === 401) (byId("token-box") as HTMLDetailsElement).open = true;
  const cellError = (field: string): CellError | undefined =>
    location?.field === field ? { at: location.at, detail } : undefined;
  const { input, target } = request;
  const sections: HTMLElement[] = [];
  if (isRectangular(input)) sections.push(renderStep(inputStep(request), explanationBar, cellError("input")));
  if (location?.field === "target" && target !== undefined && isRectangular(target))
    sections.push(renderStep(targetStep(target), explanationBar, cellError("target")));
  replaceSteps(sections);
  // Follows the steps, because restoring the focus announces a cell.
  const isBusy = problem.status === 503;
  describeProblem(isBusy ? "The server is busy." : `Refused: ${problem.code}`, message, isBusy);
  setText("answer", formatJson(problem));
}

function isRectangular(value: Nested): boolean {
  if (!Array.isArray(value)) return true;
  const shape = shapeOf(value[0] ?? 0).join();
  return value.every((inner: Nested) => shapeOf(inner).join() === shape && isRectangular(inner));
}

/** Shows a failure other than an error response. Marks the results as stale. */
export function showFailure(title: string, detail: string, canRetry: boolean): void {
  describeProblem(title, detail, canRetry);
  setText("answer", "");
  showStale(true);
}

/** Shows a field whose text is not valid, before any request. */
export function showFieldError(field: string, message: string): void {
  markField(field, message);
  hideProblem();
  setText("answer", "");
  showStale(true);
  announce(`${field}: ${message}`);
}

function describeProblem(title: string, detail: string, canRetry: boolean): void {
  setText("problem-title", title);
  setText("problem-detail", detail);
  if (!canRetry) moveFocusFromRetry();
  byId("retry").hidden = !canRetry;
  byId("problem").hidden = false;
  announce(`${title.replace(/\.$/, "")}: ${detail}`);
}

function hideProblem(): void {
  moveFocusFromRetry();
  byId("problem").hidden = true;
}

/** Moves the focus before its button is hidden because the browser would reset it to the page's start. */
function moveFocusFromRetry(): void {
  if (document.activeElement === byId("retry")) byId("steps").focus();
}
