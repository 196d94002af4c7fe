/** The page's entry: connects the form, the results, the training and the link. Every change is computed and drawn at once. */

import type { Example } from "./request/examples.ts";
import { bodyOf, EXAMPLES } from "./request/examples.ts";
import type { Lesson } from "./request/link.ts";
import { LinkError } from "./request/link.ts";
import type { LossRequest } from "./request/request.ts";
import { dimOf, isTarget } from "./request/request.ts";
import type { Results } from "./request/results.ts";
import { computeResults } from "./request/results.ts";
import { replaceElement } from "./request/training.ts";
import { stepsOf } from "./steps/steps.ts";
import { elementName } from "./tensors/arithmetic.ts";
import { loadLibrary } from "./tensors/library.ts";
import type { Indices, Nested } from "./tensors/slices.ts";
import { lineIndices, numberAt, shapeOf } from "./tensors/slices.ts";
import { Refusal } from "./tensors/typed-arrays.ts";
import { Address } from "./view/address.ts";
import { copyCode, showCode } from "./view/code-view.ts";
import { byId, setText } from "./view/dom.ts";
import {
  clearErrors,
  FieldError,
  fillForm,
  fillTexts,
  markField,
  readClassNames,
  readForm,
  setOperand,
  updateControls,
} from "./view/form.ts";
import { enableGridNavigation } from "./view/grid-navigation.ts";
import { Highlight } from "./view/highlight.ts";
import { drawOptions } from "./view/option-controls.ts";
import { ScoreCells } from "./view/score-cells.ts";
import { checkWithServer, clearServerCheck } from "./view/server-check.ts";
import { TrainingView } from "./view/training-view.ts";
import { showProblem, showResults } from "./view/view.ts";

const DEFAULT_RATE = "1";

/** The example whose note is shown. */
let example: Example | undefined;
/** True until a number or an option of the example changes. */
let isUnchanged = false;
/** The request of the form, undefined while it cannot be read. */
let request: LossRequest | undefined;
/** The last results, and why there are none of `request`. */
let results: Results | undefined;
let refusal: Refusal | undefined;
/** The score of the curve, which the focus chooses. */
let chosen: Indices | undefined;
let textTimer: number | undefined;

const exampleSelect = byId("example") as HTMLSelectElement;
const rateInput = byId("learning_rate") as HTMLInputElement;
const steps = byId("steps");

const address = new Address({
  current: currentLesson,
  open: openLesson,
  openFirst: () => openExample(EXAMPLES[0]!),
  restore: (texts) => {
    leaveExample();
    showExample(undefined);
    fillTexts(texts);
    update();
  },
});
const training = new TrainingView({
  setScores: (scores) => editOperand("input", scores),
  current: () => results,
});
const highlight = new Highlight(steps, ({ at }) => {
  if (results === undefined || !isScore(results.request, at)) return;
  chosen = at;
  training.redrawScore(results, at);
  address.schedule();
});

/** Computes the form's request and draws it, or says what is wrong and keeps the last results. */
function update(): void {
  clearErrors();
  clearServerCheck();
  setText("copied", "");
  setText("link-copied", "");
  request = undefined;
  refusal = undefined;
  try {
    request = readForm(example?.threeWays === true);
    results = computeResults(request);
    draw(results);
  } catch (error) {
    showError(error);
  }
  showCode(request);
  address.schedule();
}

function draw(next: Results): void {
  if (chosen === undefined || !isScore(next.request, chosen)) chosen = defaultScore(next.request);
  const drawn = stepsOf(next);
  showResults(next, drawn);
  highlight.redraw(drawn);
  training.redraw(next, chosen);
}

function showError(error: unknown): void {
  training.pause();
  if (error instanceof FieldError) {
    markField(error.field, error.message);
    showProblem(`${error.field}: ${error.message}`);
  } else if (error instanceof Refusal) {
    refusal = error;
    // Names the element, because a large tensor is not drawn to its end.
    const message =
      error.at.length === 0 ? error.message : `${elementName(error.field, error.at)}: ${error.message}`;
    markField(error.field, message);
    showProblem(`${message} (${error.code})`);
  } else {
    showProblem((error as Error).message);
    throw error;
  }
}

/** Returns true if there is a score with these indices. */
function isScore({ input }: LossRequest, at: Indices): boolean {
  const shape = shapeOf(input);
  return at.length === shape.length && at.every((index, axis) => index < shape[axis]!);
}

/** Returns the score of the first target, or the first score. */
function defaultScore(request: LossRequest): Indices {
  const first = shapeOf(request.input).map(() => 0);
  const dim = dimOf(request);
  if (first.length === 0 || request.operation === "kl_div") return first;
  const line = lineIndices(request.input, first.toSpliced(dim, 1), dim);
  return line.find((at) => isTarget(request, at)) ?? first;
}

/** Follows a change of numbers in the picture, to which the note of an example still applies. */
function editOperand(name: "input" | "target", value: Nested): void {
  leaveExample();
  setOperand(name, value);
  update();
}

function leaveExample(): void {
  isUnchanged = false;
  exampleSelect.value = "";
}

/** Follows an edit in the form, to which the note of an example may not apply. */
function handleInput({ target }: Event): void {
  const { id } = target as HTMLElement;
  leaveExample();
  if (id !== "class_names") showExample(undefined);
  updateControls(id);
  window.clearTimeout(textTimer);
  // A step of a run would write over the text before it is read.
  training.pause();
  // The insertion of a long text sends an event for each of its lines.
  if (target instanceof HTMLTextAreaElement) textTimer = window.setTimeout(update, 0);
  else update();
}

/** Shows the note of an example. Keeps its lines, so that nothing moves. */
function showExample(next: Example | undefined): void {
  example = next;
  if (next !== undefined) setText("example-note", next.note);
  byId("example-note").classList.toggle("gone", next === undefined);
}

function openExample(next: Example, cell?: Indices): void {
  showExample(next);
  isUnchanged = true;
  chosen = cell;
  exampleSelect.value = next.slug;
  fillForm(next.operation, bodyOf(next), next.classNames ?? "");
  update();
}

/** Opens a lesson of a link. Throws a {@link LinkError} if it cannot be computed. */
function openLesson({ example: noted, request, classNames, learningRate, cell }: Lesson): void {
  rateInput.value = learningRate || DEFAULT_RATE;
  if (request === undefined) openExample(noted!, cell);
  else {
    showExample(noted);
    leaveExample();
    chosen = cell;
    fillForm(request.operation, request.body, classNames);
    update();
  }
  const problem = byId("problem").textContent;
  if (problem !== "") throw new LinkError(problem.replace("Not up to date. ", ""));
}

function currentLesson(): Lesson | undefined {
  if (results === undefined || results.request !== request) return undefined;
  const { operation, body } = request;
  return {
    example,
    request: isUnchanged ? undefined : { operation, body },
    classNames: readClassNames(),
    learningRate: rateInput.value === DEFAULT_RATE ? "" : rateInput.value,
    cell: chosen?.join() === defaultScore(request).join() ? undefined : chosen,
  };
}

function start(): void {
  drawOptions();
  exampleSelect.append(...EXAMPLES.map(({ title, slug }) => new Option(title, slug)));
  exampleSelect.addEventListener("change", () => {
    openExample(EXAMPLES.find(({ slug }) => slug === exampleSelect.value)!);
    address.write();
  });
  for (const form of [byId("lesson"), byId("form")]) {
    form.addEventListener("input", (event) => {
      if (event.target !== exampleSelect) handleInput(event);
    });
    form.addEventListener("submit", (event) => event.preventDefault());
  }
  rateInput.addEventListener("input", () => address.schedule());
  enableGridNavigation(steps);
  new ScoreCells(steps, {
    read: (field, at) => numberAt(operandOf(field), at),
    changed: (field, at, value) => editOperand(field, replaceElement(operandOf(field), at, value)),
    rejected: (name, message) => {
      training.pause();
      showProblem(`${name}: ${message}`);
    },
    restored: update,
  });
  for (const radio of document.querySelectorAll("input[name=language]"))
    radio.addEventListener("change", () => showCode(request));
  byId("copy").addEventListener("click", () => void copyCode(request));
  byId("token").addEventListener("input", () => showCode(request));
  byId("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    if (request !== undefined) void checkWithServer(request, refusal ?? results!.response);
  });
  // Before this, a text would be lost, and the Enter key would send the form, which stops the loading of the page.
  for (const part of document.querySelectorAll<HTMLElement>("main > [inert]")) part.inert = false;
  address.start();
}

function operandOf(field: "input" | "target"): Nested {
  return results!.request[field]!;
}

const failure = await loadLibrary().catch((error: Error) => error);
if (failure === undefined) start();
else {
  setText("steps", "");
  setText("problem", `The kernels, which compute, cannot be loaded: ${failure.message}`);
}
