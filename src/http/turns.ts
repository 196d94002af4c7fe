/** Runs long work in slices that take turns, so that the event loop serves other requests between them. */
import { nextTick } from "node:process";
import type { Step } from "../kernel/step.ts";
import { SLICE_ELEMENTS } from "../kernel/step.ts";

/** Thrown by a computation whose client has disconnected. */
export class ClientGone extends Error {
  override readonly name = "ClientGone";
}

/** Request whose memory is computed in. */
interface Holder {
  /** Throws {@link ClientGone} if the memory has been released. */
  checkHeld(): void;
}

/**
 * Runs all steps in order. Returns undefined if the work ends in its first slice, in this turn of the event loop. Longer work yields to
 * the loop after each slice and stops with {@link ClientGone} once the memory has been released.
 */
export function runSlices(steps: Iterable<Step>, holder: Holder): Promise<void> | undefined {
  holder.checkHeld();
  const left = steps[Symbol.iterator]();
  for (let next = left.next(); !next.done; next = left.next()) {
    if (!next.value(SLICE_ELEMENTS)) return runRest(next.value, left, holder);
  }
  return undefined;
}

async function runRest(step: Step, left: Iterator<Step>, holder: Holder): Promise<void> {
  let isDone = false;
  for (let current = step; ; ) {
    while (!isDone) {
      await turn("begun");
      holder.checkHeld();
      isDone = current(SLICE_ELEMENTS);
    }
    const next = left.next();
    if (next.done) return;
    current = next.value;
    isDone = current(SLICE_ELEMENTS);
  }
}

/**
 * Milliseconds of long work in one turn of the event loop. The rest waits, so that short requests and probes run between. Larger turns interleave
 * more bodies, whose chunks then leave the processor's caches before they are scanned.
 */
const TURN_MS = 2;

/** `begun` is work of a request whose size is limited and that has begun. `later` is a new request, or the next rows of a stream. */
export type Urgency = "begun" | "later";

/** Work that waits for its turn, in order. */
const waiting: Readonly<Record<Urgency, (() => void)[]>> = { begun: [], later: [] };
/** Start of the long work in this turn. */
let turnStart: number | undefined;
let isScheduled = false;

/** Waits for a later turn of the event loop. Requests that have begun go first, so that few are in memory at a time. */
export function turn(urgency: Urgency): Promise<void> {
  return new Promise((resolve) => {
    waiting[urgency].push(resolve);
    schedule();
  });
}

/** Waits only if other long work waits or has used up this turn. Otherwise returns undefined, and the caller works now. */
export function turnIfBusy(urgency: Urgency): Promise<void> | undefined {
  return waiting.begun.length + waiting.later.length > 0 || isUsedUp() ? turn(urgency) : undefined;
}

function isUsedUp(): boolean {
  turnStart ??= performance.now();
  schedule();
  return performance.now() - turnStart >= TURN_MS;
}

function schedule(): void {
  if (isScheduled) return;
  isScheduled = true;
  setImmediate(() => {
    isScheduled = false;
    turnStart = undefined;
    resumeNext();
  });
}

/** Resumes of begun work in a row for which later work waits at most, because short requests can keep some waiting without end. */
const MAX_BEGUN_IN_A_ROW = 8;
let begunInARow = 0;

/** Takes the next waiting work: what has begun, or later work when it is due. */
function takeNext(): (() => void) | undefined {
  const { begun, later } = waiting;
  const isLaterDue = later.length > 0 && (begun.length === 0 || begunInARow === MAX_BEGUN_IN_A_ROW);
  begunInARow = isLaterDue || later.length === 0 ? 0 : begunInARow + 1;
  return (isLaterDue ? later : begun).shift();
}

/** Resumes waiting work until the turn is used up. The tick behind a microtask runs once the callbacks of the resumed work's promises have run. */
function resumeNext(): void {
  const resume = takeNext();
  if (resume === undefined) return;
  turnStart ??= performance.now();
  resume();
  queueMicrotask(() =>
    nextTick(() => {
      if (!isUsedUp()) resumeNext();
    }),
  );
}

/** Responses that wait for the end of this turn of the event loop. */
const sends: (() => void)[] = [];

/**
 * Sends a response at the end of this turn of the event loop, together with others, because a write that wakes a sleeping client costs up to
 * 24 µs and clients are awake after the first one. Saves 35 of 77 µs of a small request on one core.
 */
export function atEndOfTurn(send: () => void): void {
  if (sends.push(send) === 1) setImmediate(sendNow);
}

/** Sends all waiting responses. */
export function sendNow(): void {
  for (const send of sends.splice(0)) send();
}
