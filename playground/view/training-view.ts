/** The training part of the page: its buttons, and the two curves of the loss. */

import type { LossRequest } from "../request/request.ts";
import { dimOf, positionHead } from "../request/request.ts";
import type { Results } from "../request/results.ts";
import { scoreCurve, trainedScores } from "../request/training.ts";
import { elementName, shortNumber } from "../tensors/arithmetic.ts";
import type { Indices, Nested } from "../tensors/slices.ts";
import { numberAt, shapeOf, toNumber } from "../tensors/slices.ts";
import { Refusal } from "../tensors/typed-arrays.ts";
import { drawCurve } from "./curves.ts";
import { announce, byId, describeBy, setText } from "./dom.ts";
import { morph } from "./morph.ts";

/** Buttons with their number of steps. */
const RUNS = { "train-1": 1, "train-10": 10, "train-100": 100 } as const;
/** Steps that the curve has room for before its axis grows. */
const MIN_SHOWN_STEPS = 10;

export interface TrainingActions {
  /** Shows other scores. */
  setScores(scores: Nested): void;
  /** Returns the results that are shown. */
  current(): Results | undefined;
}

/** The scores before the first step, and the loss before and after each step. */
interface History {
  readonly scores: Nested;
  readonly losses: number[];
}

/** Follows the buttons, and draws the curves. A run takes a step in each frame, so that everything is seen to move. */
export class TrainingView {
  readonly #actions: TrainingActions;
  #history: History | undefined;
  /** True while the change of the scores is a step. */
  #isStepping = false;
  #remaining = 0;
  #frame = 0;
  /** False if the request has no single loss. */
  #isTrainable = false;
  #isStale = false;

  constructor(actions: TrainingActions) {
    this.#actions = actions;
    for (const [id, steps] of Object.entries(RUNS))
      byId(id).addEventListener("click", () => this.#start(steps));
    byId("train-reset").addEventListener("click", () => {
      if (this.#history !== undefined) actions.setScores(this.#history.scores);
    });
  }

  /** Draws the curves of new results. Forgets the steps before a change that is not a step. */
  redraw(results: Results, chosen: Indices): void {
    if (this.#isStepping) this.#history?.losses.push(lossOf(results));
    else {
      this.#stop();
      this.#history = undefined;
    }
    this.#isStale = false;
    drawSteps(this.#history?.losses ?? [lossOf(results)]);
    this.redrawScore(results, chosen);
  }

  /** Draws the loss over another score. */
  redrawScore({ request }: Results, chosen: Indices): void {
    this.#isTrainable = drawScore(request, chosen);
    this.#enableButtons();
  }

  /** Stops until the next results, because a step from these would write over the form. */
  pause(): void {
    this.#stop();
    this.#isStale = true;
    this.#enableButtons();
  }

  #enableButtons(): void {
    const enable = (id: string, isEnabled: boolean): void => {
      (byId(id) as HTMLButtonElement).disabled = this.#isStale || !isEnabled;
      describeBy(byId(id), this.#isStale ? "problem" : undefined);
    };
    for (const id of Object.keys(RUNS)) enable(id, this.#isTrainable);
    enable("train-reset", this.#history !== undefined);
  }

  #start(steps: number): void {
    this.#stop();
    this.#remaining = steps;
    if (window.matchMedia("(prefers-reduced-motion: reduce)").matches)
      while (this.#remaining > 1) this.#step();
    this.#run();
  }

  #run(): void {
    this.#step();
    if (this.#remaining > 0) this.#frame = window.requestAnimationFrame(() => this.#run());
    else if (this.#history !== undefined) announce(stepsSentence(this.#history.losses), 0);
  }

  #step(): void {
    const results = this.#actions.current();
    if (results === undefined) return;
    try {
      const scores = trainedScores(results.request, readRate());
      this.#history ??= { scores: results.request.input, losses: [lossOf(results)] };
      this.#isStepping = true;
      this.#actions.setScores(scores);
      this.#remaining -= 1;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#stop();
      setText("training-note", error.message);
    } finally {
      this.#isStepping = false;
    }
  }

  #stop(): void {
    window.cancelAnimationFrame(this.#frame);
    this.#remaining = 0;
  }
}

/** Returns the learning rate. Throws a {@link Refusal} for a text that is no number. */
function readRate(): number {
  const { valueAsNumber } = byId("learning_rate") as HTMLInputElement;
  if (!Number.isNaN(valueAsNumber)) return valueAsNumber;
  throw new Refusal("no_rate", "learning_rate", [], "Type a learning rate, such as 1.");
}

function lossOf({ response }: Results): number {
  return toNumber(response.loss ?? "NaN");
}

function stepsSentence(losses: readonly number[]): string {
  const count = losses.length - 1;
  const last = shortNumber(losses.at(-1)!);
  if (count === 0) return `No step yet: the loss is ${last}.`;
  return `${count === 1 ? "1 step" : `${count} steps`}: the loss went from ${shortNumber(losses[0]!)} to ${last}.`;
}

function drawSteps(losses: readonly number[]): void {
  const points = losses.map((y, x) => ({ x, y }));
  const label = stepsSentence(losses);
  setText("steps-sentence", label);
  const { x, y } = points.at(-1)!;
  replacePicture(
    "steps-curve",
    drawCurve({ label, xTitle: "training steps", points, mark: { x, y }, minSpan: MIN_SHOWN_STEPS }),
  );
}

/** Draws the loss over the chosen score, or says why there is none. Returns false if the request has no single loss. */
function drawScore(request: LossRequest, chosen: Indices): boolean {
  const name = scoreName(request, chosen);
  setText("score-title", `Loss over ${name}`);
  setText("training-note", "");
  let isTrainable = true;
  try {
    const { points, mark, slope } = scoreCurve(request, chosen);
    const words = `At ${shortNumber(numberAt(request.input, chosen))}, the loss is ${shortNumber(mark.y)} and its slope, the gradient, ${shortNumber(slope)}.`;
    setText("score-sentence", words);
    replacePicture("score-curve", drawCurve({ label: words, xTitle: name, points, mark, slope }));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    isTrainable = error.code === "too_large";
    byId("score-curve").replaceChildren();
    setText(isTrainable ? "score-sentence" : "training-note", error.message);
  }
  byId("curves").hidden = !isTrainable;
  return isTrainable;
}

/** Names a score by its row and class, and by its indices in a table of more dimensions. */
function scoreName(request: LossRequest, at: Indices): string {
  const word = request.operation === "nll_loss" ? "input" : "score";
  const shape = shapeOf(request.input);
  if (shape.length > 2) return elementName(word, at);
  const dim = dimOf(request);
  const c = at[dim] ?? 0;
  const position = at.toSpliced(dim, 1).map((index) => `${positionHead(request)} ${index}`);
  return `the ${word} of ${[...position, request.classNames[c] ?? `class ${c}`].join(", ")}`;
}

function replacePicture(id: string, picture: SVGElement): void {
  const [present] = byId(id).children;
  if (present === undefined) byId(id).append(picture);
  else morph(present, picture);
}
