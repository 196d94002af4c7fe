/** What stands right of the form: the steps, the result, a refusal, the request as code, and what is said of a cell. */
import { elementName, shortNumber } from "./arithmetic.ts";
import { explanation } from "./bar.ts";
import { byId, element, setText } from "./dom.ts";
import { placeOf, showFault } from "./form.ts";
import { focusIn, restoreFocus } from "./keys.ts";
import type { Picture, Question } from "./picture.ts";
import { reductionOf } from "./picture.ts";
import { say } from "./say.ts";
import type { Problem } from "./server.ts";
import type { Nested } from "./slices.ts";
import { shapeOf, toNumber } from "./slices.ts";
import type { Step } from "./steps.ts";
import { inputStep, stepsOf, targetStep } from "./steps.ts";
import type { Fault } from "./table.ts";
import { renderStep } from "./table.ts";

/** How much of an answer or a request is shown. */
const CHARACTERS = 20_000;
/** Milliseconds of a request after which what is shown is marked as older. */
const SLOW = 300;

let slow: number | undefined;

/** The first characters of a long text, and how many there are. */
export function shorten(text: string): string {
  if (text.length <= CHARACTERS) return text;
  return `${text.slice(0, CHARACTERS)}\n... ${CHARACTERS} of ${text.length} characters are shown`;
}

/** JSON with a line for each row of numbers. */
function printed(json: unknown): string {
  return JSON.stringify(json, null, 1).replaceAll(
    /\[\s+([^[\]{}]*?)\s+\]/g,
    (_, row: string) => `[${row.replaceAll(/\s*\n\s*/g, " ")}]`,
  );
}

/** Whether a request is under way; what is shown is marked as older only once that takes long, or every key would make it flicker. */
export function showBusy(isBusy: boolean): void {
  window.clearTimeout(slow);
  byId("steps").setAttribute("aria-busy", String(isBusy));
  if (isBusy) slow = window.setTimeout(() => showStale(true), SLOW);
}

/** Marks what is shown as older than the form. */
function showStale(isStale: boolean): void {
  byId("steps").classList.toggle("stale", isStale);
  byId("stale").hidden = !isStale;
  byId("stale-answer").hidden = !isStale || byId("answer").textContent === "";
}

export function showPicture(picture: Picture): void {
  const { question, answer } = picture;
  const steps: Step[] = stepsOf(picture);
  const parts = steps.map((step) => renderStep(step, explanation));
  const result = renderResult(picture);
  // The result stands behind the losses that it comes from, before the gradient.
  if (result !== undefined) parts.splice(steps.findIndex(({ id }) => id === "losses") + 1, 0, result);
  hideProblem();
  replaceSteps(parts);
  setText("answer", shorten(printed(answer)));
  const shape = shapeOf(question.input).join(" × ") || "one number";
  say(
    answer.loss === undefined
      ? `${question.operation} of ${shape}.`
      : `Loss ${shortNumber(toNumber(answer.loss))}.`,
  );
}

function replaceSteps(parts: readonly HTMLElement[]): void {
  const steps = byId("steps");
  const focus = focusIn(steps);
  steps.replaceChildren(...parts);
  showStale(false);
  if (focus === undefined) explanation.clear();
  else restoreFocus(steps, focus);
}

/** The loss, and how it comes from the losses. */
function renderResult({ question, answer, ways }: Picture): HTMLElement | undefined {
  if (question.operation === "log_softmax") return undefined;
  const reduction = reductionOf(question.body);
  const section = element("section", { class: "step", id: "step-result" });
  section.append(element("h3", {}, `Reduction: ${reduction}`));
  const says = {
    none: "The losses stay as they are.",
    sum: "All losses added up.",
    mean:
      answer.total_weight === undefined
        ? "All losses added up, divided by the number of positions."
        : `All losses added up, divided by total_weight, the weights of the targets that count: ${shortNumber(toNumber(answer.total_weight))}.`,
  };
  section.append(element("p", { class: "note" }, says[reduction]));
  if (answer.loss !== undefined)
    section.append(element("p", { class: "loss", id: "loss" }, shortNumber(toNumber(answer.loss))));
  for (const warning of (answer.warnings ?? []) as string[])
    section.append(element("p", { class: "warning" }, warning));
  if (ways.length > 0) {
    const list = element("ul", { class: "ways" });
    for (const { name, loss } of ways) list.append(element("li", {}, `${name}: ${loss}`));
    section.append(element("p", { class: "note" }, "The same number three ways:"), list);
  }
  return section;
}

/** What was refused, at its control and its cell; the input is shown nevertheless, if it is a table. */
export function showRefusal(question: Question, problem: Problem): void {
  const place = placeOf(problem);
  const detail = problem.errors?.[0]?.detail ?? problem.detail;
  // Of many, only some are drawn, and the place has to be said.
  const located =
    place === undefined || place.at.length === 0
      ? detail
      : `${elementName(place.field, place.at)}: ${detail}`;
  if (place !== undefined) showFault(place.field, located);
  if (problem.status === 401) (byId("token-box") as HTMLDetailsElement).open = true;
  const isBusy = problem.status === 503;
  const fault = (field: string): Fault | undefined =>
    place?.field === field ? { at: place.at, detail } : undefined;
  const parts: HTMLElement[] = [];
  if (isTable(question.input)) parts.push(renderStep(inputStep(question), explanation, fault("input")));
  const { target } = question;
  if (place?.field === "target" && target !== undefined && isTable(target))
    parts.push(renderStep(targetStep(target), explanation, fault("target")));
  replaceSteps(parts);
  // Behind the steps, whose cell may have the focus and be read out.
  describe(isBusy ? "The server is busy." : `Refused: ${problem.code}`, located, isBusy);
  setText("answer", printed(problem));
}

/** Whether all lists of a level have one length. */
function isTable(value: Nested): boolean {
  if (!Array.isArray(value)) return true;
  const shape = shapeOf(value[0] ?? 0).join();
  return value.every((inner: Nested) => shapeOf(inner).join() === shape && isTable(inner));
}

/** What keeps the server from an answer; what was shown before is marked as old. */
export function showProblem(title: string, detail: string, canRetry: boolean): void {
  describe(title, detail, canRetry);
  setText("answer", "");
  showStale(true);
}

function describe(title: string, detail: string, canRetry: boolean): void {
  setText("problem-title", title);
  setText("problem-detail", detail);
  if (!canRetry) leaveRetry();
  byId("retry").hidden = !canRetry;
  byId("problem").hidden = false;
  say(`${title.replace(/\.$/, "")}: ${detail}`);
}

function hideProblem(): void {
  leaveRetry();
  byId("problem").hidden = true;
}

/** A button that is hidden while it has the focus would leave the focus nowhere. */
function leaveRetry(): void {
  if (document.activeElement === byId("retry")) byId("steps").focus();
}

/** What is wrong at a control, before anything is asked. */
export function showFieldError(field: string, message: string): void {
  showFault(field, message);
  hideProblem();
  setText("answer", "");
  showStale(true);
  say(`${field}: ${message}`);
}
