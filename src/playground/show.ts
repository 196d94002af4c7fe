/** What stands right of the form: the steps, the result, a refusal, the request as code, and what is said of a cell. */
import { byId, element, setText } from "./dom.ts";
import { placeOf, showFault } from "./form.ts";
import { focusIn, restoreFocus } from "./keys.ts";
import type { Picture, Question } from "./picture.ts";
import { reductionOf } from "./picture.ts";
import type { Problem } from "./server.ts";
import type { Step } from "./steps.ts";
import { inputStep, stepsOf, targetStep } from "./steps.ts";
import type { Fault, Listener } from "./table.ts";
import { renderStep } from "./table.ts";
import type { Nested } from "./text.ts";
import { shapeOf, shortNumber, toNumber } from "./text.ts";

/** How much of an answer or a request is shown. */
const CHARACTERS = 20_000;
/** Milliseconds for which a pointer rests before a cell is explained, and after which a result is read out. */
const [REST, QUIET] = [50, 700];

let resting: number | undefined;
let quiet: number | undefined;

/** Explains cells: in the bar, and for those who hear the page. */
export const explanation = {
  focused(sentence: string): void {
    window.clearTimeout(resting);
    setText("explanation", sentence);
    say(sentence, 0);
  },
  pointed(sentence: string): void {
    window.clearTimeout(resting);
    resting = window.setTimeout(() => setText("explanation", sentence), REST);
  },
  clear(): void {
    window.clearTimeout(resting);
    setText("explanation", "");
  },
} satisfies Listener & { clear(): void };

/** Has a sentence read out, once nothing else has been said for a while. */
function say(sentence: string, after = QUIET): void {
  window.clearTimeout(quiet);
  quiet = window.setTimeout(() => setText("spoken", sentence), after);
}

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

/** Marks what is shown as older than the form. */
export function showStale(isStale: boolean): void {
  byId("steps").classList.toggle("stale", isStale);
  byId("steps").setAttribute("aria-busy", String(isStale));
  byId("stale").hidden = !isStale;
}

export function showPicture(picture: Picture): void {
  const { question, answer } = picture;
  const steps: Step[] = stepsOf(picture);
  const parts = steps.map((step) => renderStep(step, explanation));
  const result = renderResult(picture);
  // The result stands behind the losses that it comes from, before the gradient.
  if (result !== undefined) parts.splice(steps.findIndex(({ id }) => id === "losses") + 1, 0, result);
  byId("problem").hidden = true;
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
  if (place !== undefined) showFault(place.field, detail);
  if (problem.status === 401) (byId("token-box") as HTMLDetailsElement).open = true;
  const isBusy = problem.status === 503;
  showProblem(isBusy ? "The server is busy." : `Refused: ${problem.code}`, detail, isBusy);
  setText("answer", printed(problem));
  const fault = (field: string): Fault | undefined =>
    place?.field === field ? { at: place.at, detail } : undefined;
  const parts: HTMLElement[] = [];
  if (isTable(question.input)) parts.push(renderStep(inputStep(question), explanation, fault("input")));
  const { target } = question;
  if (place?.field === "target" && target !== undefined && isTable(target))
    parts.push(renderStep(targetStep(target), explanation, fault("target")));
  replaceSteps(parts);
}

/** Whether all lists of a level have one length. */
function isTable(value: Nested): boolean {
  if (!Array.isArray(value)) return true;
  const shape = shapeOf(value[0] ?? 0).join();
  return value.every((inner: Nested) => shapeOf(inner).join() === shape && isTable(inner));
}

/** What keeps the server from an answer; what was shown before is marked as old. */
export function showProblem(title: string, detail: string, canRetry: boolean): void {
  setText("problem-title", title);
  setText("problem-detail", detail);
  byId("retry").hidden = !canRetry;
  byId("problem").hidden = false;
  setText("answer", "");
}

/** What is wrong at a control, before anything is asked. */
export function showFieldError(field: string, message: string): void {
  showFault(field, message);
  byId("problem").hidden = true;
  setText("answer", "");
  say(`${field}: ${message}`);
}
