/** Queue of large requests for memory, in order, so that many smaller ones do not starve them. */
import { Problem } from "../../problems.ts";
import type { Arena, Region } from "../../tensor/arena.ts";
import { ArenaFull } from "../../tensor/arena.ts";
import { ClientGone } from "../turns.ts";

/** Requests that may wait. Further ones are rejected, because they would wait too long. */
const MAX_WAITING = 64;

/** Interval of attempts for the first in the queue, because stalled requests may be dropped for it. */
const RETRY_MS = 250;

interface Waiting {
  readonly region: Region;
  readonly deadline: number;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

export class MemoryQueue {
  readonly #arena: Arena;
  readonly #limitMs: number;
  readonly #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isDue = false;

  /** Lets requests wait up to `limit` seconds for the memory of `arena`. */
  constructor(arena: Arena, limit: number) {
    this.#arena = arena;
    this.#limitMs = limit * 1000;
  }

  /** Reserves a region at once and returns undefined, or waits for it behind earlier requests. Rejects with `overloaded` after the limit. */
  reserve(region: Region): Promise<void> | undefined {
    if (this.#waiting.length === 0 && commits(region)) return undefined;
    if (this.#waiting.length >= MAX_WAITING) throw overloaded(`${MAX_WAITING} requests wait for memory`);
    if (this.#waiting.length === 0) this.#watch();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ region, deadline: performance.now() + this.#limitMs, resolve, reject });
    });
  }

  /** Serves whenever memory returns, and periodically. */
  #watch(): void {
    this.#arena.returned = () => this.#serveSoon();
    this.#timer = setInterval(() => this.#serve(), RETRY_MS).unref();
  }

  /** Serves after the caller of the Arena, which may be about to reserve again. */
  #serveSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      this.#serve();
    });
  }

  /** Reserves for as many as fit, in order. Drops those whose time is over or whose client has left. */
  #serve(): void {
    const now = performance.now();
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const { region, deadline, resolve, reject } = first;
      if (region.isReleased) reject(new ClientGone("the client has left"));
      else if (now > deadline)
        reject(overloaded(`no memory became free for this request in ${this.#limitMs / 1000} s`));
      else if (commits(region)) resolve();
      else return;
      this.#waiting.shift();
    }
    clearInterval(this.#timer);
    this.#arena.returned = undefined;
  }
}

function commits(region: Region): boolean {
  try {
    region.commit();
    return true;
  } catch (error) {
    if (error instanceof ArenaFull) return false;
    throw error;
  }
}

/** Maximum of the seconds in Retry-After, which are random so that rejected clients do not return together. */
const MAX_RETRY_S = 5;

function overloaded(detail: string): Problem {
  return new Problem("overloaded", detail, { retryAfter: 1 + Math.floor(Math.random() * MAX_RETRY_S) });
}
