/** The page: what is typed becomes a question, its answers a picture; a newer question drops an older one. */
import { EXAMPLES } from "./examples.ts";
import {
  clearFaults,
  FieldError,
  fillIn,
  operationNow,
  placeOf,
  readForm,
  showFault,
  showFields,
} from "./form.ts";
import type { Picture, Question } from "./picture.ts";
import { paintPicture } from "./picture.ts";
import { positionPlanes } from "./planes.ts";
import type { Language } from "./samples.ts";
import { sampleOf } from "./samples.ts";
import type { Problem } from "./server.ts";
import { addressOf, Refused } from "./server.ts";
import type { Step } from "./steps.ts";
import { inputStep, stepsOf } from "./steps.ts";
import type { Fault } from "./table.ts";
import { element, renderStep } from "./table.ts";
import type { Nested } from "./text.ts";
import { shapeOf, shortNumber, toNumber } from "./text.ts";

/** Milliseconds without a key before a question is asked. */
const PAUSE = 250;

const byId = (id: string): HTMLElement => document.getElementById(id)!;
const textOf = (id: string): string => (byId(id) as HTMLInputElement).value;

let example: number | undefined = 0;
let pause: number | undefined;
let running = new AbortController();
let shown: Question | undefined;

function tell(text: string): void {
  byId("explanation").textContent = text;
}

function soon(): void {
  window.clearTimeout(pause);
  pause = window.setTimeout(() => void update(), PAUSE);
}

async function update(): Promise<void> {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  clearFaults();
  byId("problem").hidden = true;
  let question: Question;
  try {
    question = readForm(example !== undefined && EXAMPLES[example]!.threeWays === true);
  } catch (error) {
    if (error instanceof FieldError) showFault(error.field, error.message);
    return;
  }
  shown = question;
  showSample();
  try {
    const picture = await paintPicture(question, textOf("token").trim(), signal);
    if (!signal.aborted) showPicture(picture);
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof Refused) showRefusal(question, error.problem);
    else showProblem("The server cannot be reached.", (error as Error).message);
  }
}

function showPicture(picture: Picture): void {
  const { question, answer } = picture;
  const steps: Step[] = [inputStep(question.input, question.operation === "nll_loss"), ...stepsOf(picture)];
  const parts = steps.map((step) => renderStep(step, tell));
  const result = renderResult(picture);
  // The result stands behind the losses that it comes from, before the gradient.
  if (result !== undefined) parts.splice(steps.findIndex(({ id }) => id === "losses") + 1, 0, result);
  keepFocus(() => byId("steps").replaceChildren(...parts));
  byId("answer").textContent = JSON.stringify(answer, null, 1).slice(0, 20_000);
}

/** The loss, and how it comes from the losses. */
function renderResult({ question, answer, ways }: Picture): HTMLElement | undefined {
  if (question.operation === "log_softmax") return undefined;
  const reduction = String(question.body.reduction ?? "mean");
  const section = element("section", { class: "step", id: "step-result" });
  section.append(element("h3", {}, `Reduction: ${reduction}`));
  const says: Record<string, string> = {
    none: "The losses stay as they are.",
    sum: "All losses added up.",
    mean:
      answer.total_weight === undefined
        ? "All losses added up, divided by the number of positions."
        : `All losses added up, divided by total_weight, the weights of the targets that count: ${shortNumber(toNumber(answer.total_weight))}.`,
  };
  section.append(element("p", { class: "note" }, says[reduction] ?? ""));
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
function showRefusal(question: Question, problem: Problem): void {
  const place = placeOf(problem);
  const detail = problem.errors?.[0]?.detail ?? problem.detail;
  if (place !== undefined) showFault(place.field, detail);
  if (problem.status === 401) (byId("token-box") as HTMLDetailsElement).open = true;
  showProblem(`Refused: ${problem.code}`, problem.detail);
  const faults = (field: string): Fault | undefined =>
    place?.field === field ? { at: place.at, detail } : undefined;
  const parts: HTMLElement[] = [];
  if (isTable(question.input))
    parts.push(
      renderStep(inputStep(question.input, question.operation === "nll_loss"), tell, faults("input")),
    );
  const { target } = question;
  if (place?.field === "target" && target !== undefined && isTable(target))
    parts.push(renderStep(targetStep(target), tell, faults("target")));
  keepFocus(() => byId("steps").replaceChildren(...parts));
}

function targetStep(target: Nested): Step {
  return {
    id: "target",
    title: "Target",
    note: "What the request says.",
    heat: "signed",
    planes: positionPlanes(target),
    explain: (at) => `target[${at.join(", ")}]`,
  };
}

/** Whether all lists of a level have one length. */
function isTable(value: Nested): boolean {
  if (!Array.isArray(value)) return true;
  const shape = shapeOf(value[0] ?? 0).join();
  return value.every((inner: Nested) => shapeOf(inner).join() === shape && isTable(inner));
}

function showProblem(title: string, detail: string): void {
  byId("problem-title").textContent = title;
  byId("problem-detail").textContent = detail;
  byId("problem").hidden = false;
  byId("answer").textContent = "";
}

function showSample(): void {
  if (shown === undefined) return;
  const language = document.querySelector<HTMLInputElement>("input[name=language]:checked")!
    .value as Language;
  const hasToken = textOf("token").trim() !== "";
  byId("sample").textContent = sampleOf(language, addressOf(shown.operation), shown.body, hasToken);
}

async function copySample(): Promise<void> {
  const text = byId("sample").textContent ?? "";
  try {
    await navigator.clipboard.writeText(text);
    byId("copied").textContent = "Copied.";
  } catch {
    window.getSelection()?.selectAllChildren(byId("sample"));
    byId("copied").textContent = "Selected: copy it with the keyboard.";
  }
}

/** Changes the steps, and keeps the focus at the same cell of the same table. */
function keepFocus(change: () => void): void {
  const cells = (): HTMLElement[] => [...byId("steps").querySelectorAll<HTMLElement>(".cell")];
  const at = cells().indexOf(document.activeElement as HTMLElement);
  change();
  if (at >= 0) cells()[at]?.focus();
}

function choose(at: number): void {
  example = at;
  fillIn(EXAMPLES[at]!);
  byId("example-note").textContent = EXAMPLES[at]!.note;
  tell("");
  void update();
}

/** Light, dark, or as the system has it; the choice is kept. */
function setTheme(theme: string): void {
  if (theme === "") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  localStorage.setItem("theme", theme);
}

function begin(): void {
  const examples = byId("example") as HTMLSelectElement;
  for (const [at, { title }] of EXAMPLES.entries()) examples.append(new Option(title, String(at)));
  examples.addEventListener("change", () => choose(Number(examples.value)));
  byId("form").addEventListener("input", (event) => {
    if (event.target === examples) return;
    example = undefined;
    soon();
  });
  byId("operation").addEventListener("change", () => showFields(operationNow()));
  byId("form").addEventListener("submit", (event) => {
    event.preventDefault();
    void update();
  });
  byId("token").addEventListener("input", soon);
  for (const radio of document.querySelectorAll("input[name=language]"))
    radio.addEventListener("change", showSample);
  byId("copy").addEventListener("click", () => void copySample());
  const theme = byId("theme") as HTMLSelectElement;
  theme.value = localStorage.getItem("theme") ?? "";
  setTheme(theme.value);
  theme.addEventListener("change", () => setTheme(theme.value));
  choose(0);
}

begin();
