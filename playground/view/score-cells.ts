/** Scores that are edited in their cells: typed, stepped by the keyboard, or dragged. */
import { fullNumber, shortNumber } from "../tensors/arithmetic.ts";
import type { Indices, Nested } from "../tensors/slices.ts";
import { parseTensor, TextError } from "../tensors/tensor-text.ts";
import { cellOf } from "./heat-map.ts";

/** Steps of the keys, after the ARIA spinbutton pattern. */
const KEY_STEPS: Readonly<Record<string, number>> = {
  ArrowUp: 0.1,
  ArrowDown: -0.1,
  PageUp: 1,
  PageDown: -1,
};
const SHIFT_FACTOR = 10;
/** A pointer that moves less is a click. */
const DRAG_PIXELS = 4;
const SCORE_PER_PIXEL = 0.05;
/** A drag rounds to this part of a score. */
const DRAG_STEPS_PER_UNIT = 10;

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

interface Drag {
  readonly input: HTMLInputElement;
  readonly start: number;
  readonly x: number;
  readonly y: number;
  isMoved: boolean;
}

/** Follows all scores in `steps`. */
export function enableScoreEditing(steps: HTMLElement, listener: ScoreListener): void {
  const scoreOf = (target: EventTarget | null): HTMLInputElement | undefined =>
    target instanceof HTMLInputElement && target.matches(".score") ? target : undefined;
  const change = (input: HTMLInputElement, value: Nested): void => {
    const { step, at } = cellOf(input)!;
    listener.changed(step as Operand, at, value);
  };
  const numberOf = (input: HTMLInputElement): number => {
    const { step, at } = cellOf(input)!;
    return listener.read(step as Operand, at);
  };
  /** Shows all digits, which the cell shortens without the focus. */
  const showFull = (input: HTMLInputElement): void => {
    input.value = fullNumber(numberOf(input));
    input.select();
  };

  steps.addEventListener("focusin", ({ target }) => {
    const input = scoreOf(target);
    if (input !== undefined) showFull(input);
  });
  steps.addEventListener("focusout", ({ target }) => {
    const input = scoreOf(target);
    if (input === undefined) return;
    input.inputMode = "none";
    input.value = shortNumber(numberOf(input));
    // A text that is no number leaves the last one in place.
    if (input.hasAttribute("aria-invalid")) listener.restored();
    input.removeAttribute("aria-invalid");
  });
  steps.addEventListener("input", (event) => {
    const input = scoreOf(event.target);
    if (input === undefined) return;
    event.stopPropagation();
    try {
      change(input, parseScore(input.value));
    } catch (error) {
      if (!(error instanceof TextError)) throw error;
      input.setAttribute("aria-invalid", "true");
      listener.rejected(input.getAttribute("aria-label")!, error.message);
    }
  });
  steps.addEventListener("keydown", (event) => {
    const input = scoreOf(event.target);
    const size = KEY_STEPS[event.key];
    if (input === undefined) return;
    if (event.key === "Enter") showFull(input);
    if (size === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    change(input, moved(numberOf(input), size * (event.shiftKey ? SHIFT_FACTOR : 1)));
    showFull(input);
  });
  enableDragging(steps, { scoreOf, numberOf, change, showFull });
}

interface DragActions {
  scoreOf(target: EventTarget | null): HTMLInputElement | undefined;
  numberOf(input: HTMLInputElement): number;
  change(input: HTMLInputElement, value: Nested): void;
  showFull(input: HTMLInputElement): void;
}

/** Changes a score with the distance of a drag, to the right and up for more. A finger that moves up or down scrolls. */
function enableDragging(steps: HTMLElement, { scoreOf, numberOf, change, showFull }: DragActions): void {
  let drag: Drag | undefined;
  steps.addEventListener("pointerdown", (event) => {
    const input = scoreOf(event.target);
    if (input === undefined || event.button !== 0 || !event.isPrimary) return;
    drag = { input, start: numberOf(input), x: event.clientX, y: event.clientY, isMoved: false };
  });
  // The browser would select text during the drag. A click sets the focus below.
  steps.addEventListener("mousedown", (event) => {
    if (scoreOf(event.target) !== undefined && event.button === 0) event.preventDefault();
  });
  steps.addEventListener("pointermove", (event) => {
    if (drag === undefined) return;
    const distance = event.clientX - drag.x - (event.pointerType === "touch" ? 0 : event.clientY - drag.y);
    if (!drag.isMoved && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < DRAG_PIXELS) return;
    if (!drag.isMoved) {
      drag.isMoved = true;
      drag.input.setPointerCapture(event.pointerId);
      drag.input.focus();
    }
    const by = Math.round(distance * SCORE_PER_PIXEL * DRAG_STEPS_PER_UNIT) / DRAG_STEPS_PER_UNIT;
    change(drag.input, moved(drag.start, by));
    showFull(drag.input);
  });
  steps.addEventListener("pointerup", ({ pointerType }) => {
    const { input, isMoved } = drag ?? {};
    drag = undefined;
    if (input === undefined || isMoved === true) return;
    if (pointerType === "touch") openKeyboard(input);
    input.focus();
    showFull(input);
  });
  steps.addEventListener("pointercancel", () => {
    drag = undefined;
  });
}

/** Lets the second tap open the keyboard of a touch screen, because it would cover the formula after the first. */
function openKeyboard(input: HTMLInputElement): void {
  if (document.activeElement !== input) return;
  input.blur();
  input.inputMode = "text";
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
