/** Runs a computation in slices, so that the event loop serves others between two of them. */
import type { Steps } from "../loss/workspace.ts";

/** Thrown into a computation whose client has left. */
export class ClientGone extends Error {
  override readonly name = "ClientGone";
}

/**
 * The result of `steps`. Short work ends in its first slice and never leaves this turn of the event loop; long work yields to it
 * after each slice and stops with {@link ClientGone} once `gone()` is true.
 */
export function runSteps<Result>(steps: Steps<Result>, gone: () => boolean): Result | Promise<Result> {
  const first = steps.next();
  return first.done ? first.value : runRest(steps, gone);
}

async function runRest<Result>(steps: Steps<Result>, gone: () => boolean): Promise<Result> {
  for (;;) {
    await turn();
    if (gone()) throw new ClientGone("the client has left");
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** The next turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
