/** Scores that are edited in their cells: typed, stepped by the keyboard, or dragged. */
import { fullNumber, shortNumber } from "../tensors/arithmetic.ts";
import type { Indices, Nested } from "../tensors/slices.ts";
import { parseTensor, TextError } from "../tensors/tensor-text.ts";
import { cellOf } from "./heat-map.ts";
import { enableDragging } from "./score-drag.ts";

/** Steps of the keys, after the ARIA spinbutton pattern. */
const KEY_STEPS: Readonly<Record<string, number>> = {
  ArrowUp: 0.1,
  ArrowDown: -0.1,
  PageUp: 1,
  PageDown: -1,
};
const SHIFT_FACTOR = 10;
/** Operands whose cells edit them. Their steps have the same names. */
type Operand = "input" | "target";

export interface ScoreListener {
  /** Returns a number of an operand. */
  read(field: Operand, at: Indices): number;
  changed(field: Operand, at: Indices, value: Nested): void;
  /** Tells what is wrong with a typed text. */
  rejected(name: string, message: string): void;
  /** Tells that the last number is shown again instead of a rejected text. */
  restored(): void;
}

/** Follows all scores in the steps. */
export class ScoreCells {
  readonly #listener: ScoreListener;

  constructor(steps: HTMLElement, listener: ScoreListener) {
    this.#listener = listener;
    const follow = <Name extends keyof HTMLElementEventMap>(
      name: Name,
      handle: (input: HTMLInputElement, event: HTMLElementEventMap[Name]) => void,
    ): void =>
      steps.addEventListener(name, (event) => {
        const { target } = event;
        if (target instanceof HTMLInputElement && target.matches(".score")) handle(target, event);
      });
    follow("focusin", (input) => this.#showFull(input));
    follow("focusout", (input) => this.#leave(input));
    follow("input", (input, event) => {
      event.stopPropagation();
      this.#type(input);
    });
    follow("keydown", (input, event) => this.#step(input, event));
    enableDragging(steps, {
      read: (input) => this.#read(input),
      add: (input, start, by) => this.#change(input, moved(start, by)),
    });
  }

  #read(input: HTMLInputElement): number {
    const { step, at } = cellOf(input)!;
    return this.#listener.read(step as Operand, at);
  }

  /** Changes a number unless it is locked, and shows it with all of its digits. */
  #change(input: HTMLInputElement, value: number): void {
    if (input.readOnly) return;
    this.#tell(input, value);
    this.#showFull(input);
  }

  #tell(input: HTMLInputElement, value: Nested): void {
    const { step, at } = cellOf(input)!;
    this.#listener.changed(step as Operand, at, value);
  }

  /** Shows all digits, which the cell shortens without the focus. */
  #showFull(input: HTMLInputElement): void {
    input.value = fullNumber(this.#read(input));
    input.select();
  }

  #leave(input: HTMLInputElement): void {
    input.inputMode = "none";
    input.value = shortNumber(this.#read(input));
    // A text that is no number leaves the last one in place.
    if (input.hasAttribute("aria-invalid")) this.#listener.restored();
  }

  #type(input: HTMLInputElement): void {
    try {
      this.#tell(input, parseScore(input.value));
    } catch (error) {
      if (!(error instanceof TextError)) throw error;
      input.setAttribute("aria-invalid", "true");
      this.#listener.rejected(input.getAttribute("aria-label")!, error.message);
    }
  }

  #step(input: HTMLInputElement, event: KeyboardEvent): void {
    const { key, shiftKey, ctrlKey, altKey, metaKey, isComposing } = event;
    // An input method has the keys while it composes a number.
    if (isComposing) return;
    if (key === "Enter") this.#showFull(input);
    const size = KEY_STEPS[key];
    if (size === undefined || ctrlKey || altKey || metaKey) return;
    event.preventDefault();
    this.#change(input, moved(this.#read(input), size * (shiftKey ? SHIFT_FACTOR : 1)));
  }
}

/** Adds to a score without the digits that the addition of doubles leaves behind. */
function moved(value: number, by: number): number {
  return Number(((Number.isFinite(value) ? value : 0) + by).toPrecision(12));
}

function parseScore(text: string): Nested {
  const value = parseTensor(text)?.value;
  if (value === undefined) throw new TextError("Type a number.");
  if (Array.isArray(value)) throw new TextError("Type one number.");
  return value;
}
