/** Common interface of the kernels' peers. */
import type { Contender } from "../measure.ts";

/** A computation on float32 with the class dimension at 1. */
export interface Task {
  readonly operation: "log_softmax" | "cross_entropy";
  readonly shape: readonly number[];
  readonly backward: boolean;
}

export interface KernelPeer {
  readonly name: string;
  readonly version: string;
  /** Prepares a computation and discards the previous one; undefined if the peer has no such operation. */
  prepare(task: Task): Promise<Contender | undefined>;
  close(): void;
}

/** Milliseconds of the fastest run of asynchronous work among those that fit into `time` milliseconds. */
export async function fastestAsync(work: () => Promise<unknown>, time: number): Promise<number> {
  const end = performance.now() + time;
  let best = Number.POSITIVE_INFINITY;
  do {
    const start = performance.now();
    await work();
    best = Math.min(best, performance.now() - start);
  } while (performance.now() < end);
  return best;
}

/** Imports an npm package of bench/package.json; undefined if absent. */
export async function importPeer<Module>(name: string): Promise<Module | undefined> {
  try {
    return (await import(name)) as Module;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}
