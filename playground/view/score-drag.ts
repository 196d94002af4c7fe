/** Drags of a score: to the right and up for more. A finger drags sideways, because up and down scroll the page. */

/** A pointer that moves less is a click. */
const DRAG_PIXELS = 4;
const SCORE_PER_PIXEL = 0.05;
/** A drag changes a score by multiples of this part of 1. */
const STEPS_PER_UNIT = 10;

export interface DragListener {
  /** Returns the score of an input. */
  read(input: HTMLInputElement): number;
  /** Changes the score of an input to `start` plus `by`. */
  add(input: HTMLInputElement, start: number, by: number): void;
}

interface Drag {
  readonly input: HTMLInputElement;
  readonly start: number;
  readonly x: number;
  readonly y: number;
  /** False while it may be a click. */
  isMoved: boolean;
}

/** Follows drags and clicks of the scores in `steps`. A click sets the focus. */
export function enableDragging(steps: HTMLElement, { read, add }: DragListener): void {
  let drag: Drag | undefined;
  steps.addEventListener("pointerdown", ({ target, button, isPrimary, clientX, clientY }) => {
    const input = scoreOf(target);
    if (input !== undefined && button === 0 && isPrimary)
      drag = { input, start: read(input), x: clientX, y: clientY, isMoved: false };
  });
  // The browser would select text during the drag.
  steps.addEventListener("mousedown", (event) => {
    if (scoreOf(event.target) !== undefined && event.button === 0) event.preventDefault();
  });
  steps.addEventListener("pointermove", (event) => {
    if (drag === undefined) return;
    const [right, up] = [event.clientX - drag.x, drag.y - event.clientY];
    if (!drag.isMoved && Math.hypot(right, up) < DRAG_PIXELS) return;
    if (!drag.isMoved) beginDrag(drag, event.pointerId);
    const pixels = event.pointerType === "touch" ? right : right + up;
    add(drag.input, drag.start, Math.round(pixels * SCORE_PER_PIXEL * STEPS_PER_UNIT) / STEPS_PER_UNIT);
  });
  steps.addEventListener("pointerup", ({ pointerType }) => {
    if (drag !== undefined && !drag.isMoved) click(drag.input, pointerType);
    drag = undefined;
  });
  steps.addEventListener("pointercancel", () => {
    drag = undefined;
  });
}

function scoreOf(target: EventTarget | null): HTMLInputElement | undefined {
  return target instanceof HTMLInputElement && target.matches(".score") ? target : undefined;
}

function beginDrag(drag: Drag, pointerId: number): void {
  drag.isMoved = true;
  drag.input.setPointerCapture(pointerId);
  drag.input.focus();
}

/** Focuses a score. The second tap opens the keyboard of a touch screen, which would cover the formula after the first. */
function click(input: HTMLInputElement, pointerType: string): void {
  if (document.activeElement !== input) input.focus();
  else if (pointerType === "touch") {
    input.blur();
    input.inputMode = "text";
    input.focus();
  } else input.select();
}
