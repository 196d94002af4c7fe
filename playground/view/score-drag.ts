/** Drags of a score: to the right and up for more. A finger drags sideways, because up and down scroll the page. */

/** A pointer that moves less is a click. */
const DRAG_PIXELS = 4;
const SCORE_PER_PIXEL = 0.05;
/** A drag changes a score by multiples of this part of 1. */
const STEPS_PER_UNIT = 10;
/** Bit of the left button, a finger or a pen in `buttons`. */
const PRIMARY_BUTTON = 1;

export interface DragListener {
  /** Returns the score of an input. */
  read(input: HTMLInputElement): number;
  /** Changes the score of an input to `start` plus `by`. */
  add(input: HTMLInputElement, start: number, by: number): void;
}

interface Drag {
  readonly pointerId: number;
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
  steps.addEventListener("pointerdown", ({ target, button, isPrimary, pointerId, clientX, clientY }) => {
    const input = scoreOf(target);
    if (input !== undefined && button === 0 && isPrimary)
      drag = { pointerId, input, start: read(input), x: clientX, y: clientY, isMoved: false };
  });
  // The browser would select text during the drag.
  steps.addEventListener("mousedown", (event) => {
    if (scoreOf(event.target) !== undefined && event.button === 0) event.preventDefault();
  });
  // The window hears a pointer that leaves the steps before the drag captures it.
  window.addEventListener("pointermove", (event) => {
    if (drag !== undefined && !isHolding(event, drag)) drag = undefined;
    if (drag === undefined) return;
    const [right, up] = [event.clientX - drag.x, drag.y - event.clientY];
    if (!drag.isMoved && Math.hypot(right, up) < DRAG_PIXELS) return;
    if (!drag.isMoved) beginDrag(drag);
    const pixels = event.pointerType === "touch" ? right : right + up;
    add(drag.input, drag.start, Math.round(pixels * SCORE_PER_PIXEL * STEPS_PER_UNIT) / STEPS_PER_UNIT);
  });
  window.addEventListener("pointerup", ({ pointerId, pointerType }) => {
    if (drag?.pointerId === pointerId && !drag.isMoved) click(drag.input, pointerType);
    drag = undefined;
  });
  window.addEventListener("pointercancel", () => {
    drag = undefined;
  });
}

/** Returns false for another pointer, and for a button that was released where the page hears nothing. */
function isHolding({ pointerId, buttons }: PointerEvent, drag: Drag): boolean {
  return pointerId === drag.pointerId && (buttons & PRIMARY_BUTTON) !== 0;
}

function scoreOf(target: EventTarget | null): HTMLInputElement | undefined {
  return target instanceof HTMLInputElement && target.matches(".score") ? target : undefined;
}

function beginDrag(drag: Drag): void {
  drag.isMoved = true;
  drag.input.setPointerCapture(drag.pointerId);
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
