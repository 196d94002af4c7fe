/** Admission by time: how long the larger requests that are under way would make another one wait, estimated from announced bytes. */
import { performance } from "node:perf_hooks";
import { Problem } from "../../problems.ts";

/** Seconds for a byte of body, its gradient among the answer, as bench/RESULTS.md has them; numbers as text cost the most. */
const SECONDS_A_BYTE = { json: 25e-9, binary: 1.5e-9 };

/** Requests of at most so many seconds (1 MiB of JSON) are let in without a look: large ones never starve them. */
const SMALL_SECONDS = 2 ** 20 * SECONDS_A_BYTE.json;

/** Milliseconds between two looks at how busy the event loop is, and how many looks without a work end them. */
const POLL_MS = 1000;
const QUIET_POLLS = 10;

/** Milliseconds in which a body that has been let in counts for what it announced: the first bytes of an honest one come within them. */
const FRESH_MS = 500;

/** Later it counts for no more than so many times what has come of it: one that only announces counts for nothing. */
const MAX_ADVANCE = 8;

/** The weight of one body in {@link LoadEstimate}'s trust. */
const TRUST_WEIGHT = 1 / 8;

/** Seconds for a body of so many bytes of JSON, and of numbers as they are in memory. */
export function secondsFor(json: number, binary: number): number {
  return json * SECONDS_A_BYTE.json + binary * SECONDS_A_BYTE.binary;
}

interface Work {
  readonly seconds: number;
  readonly arrived: () => number;
  readonly since: number;
}

export class LoadEstimate {
  readonly #limit: number;
  readonly #now: () => number;
  readonly #works = new Set<Work>();
  /** The part of the time in which the event loop works: estimates count in full until it is known that senders are slower. */
  #busy = 1;
  /** What part of their announced bytes the last works have sent: the weight of announcements. */
  #trust = 1;
  #look: NodeJS.Timeout | undefined;
  #quiet = 0;

  /** Requests may wait `limit` seconds for others. `now` gives milliseconds. */
  constructor(limit: number, now: () => number = () => performance.now()) {
    this.#limit = limit;
    this.#now = now;
  }

  /** Seconds of work under way, as estimated. */
  get seconds(): number {
    return this.#wait(Infinity);
  }

  /** Refuses a request of so many seconds with `overloaded` if it would wait too long for those under way. */
  check(seconds: number): void {
    if (seconds <= SMALL_SECONDS) return;
    const wait = this.#wait(seconds);
    if (wait <= this.#limit) return;
    const detail = `the requests under way would make this one wait ${wait.toFixed(1)} s, expected at most ${this.#limit}`;
    throw new Problem("overloaded", detail, { retryAfter: Math.ceil(wait - this.#limit) });
  }

  /** Counts a request among those in progress until the returned function is called; `arrived` gives the part of its body that has arrived. Undefined for small ones, which do not count. */
  add(seconds: number, arrived: () => number): (() => void) | undefined {
    if (seconds <= SMALL_SECONDS) return undefined;
    const work = { seconds, arrived, since: this.#now() };
    this.#works.add(work);
    this.#look ??= this.#watchLoop();
    return () => {
      if (this.#works.delete(work)) this.#trust += (Math.min(arrived(), 1) - this.#trust) * TRUST_WEIGHT;
    };
  }

  /** Requests take turns: one under way costs another what is left of it, but no more than the other's own time. */
  #wait(seconds: number): number {
    const now = this.#now();
    let wait = 0;
    for (const work of this.#works) wait += this.#cost(work, now, seconds);
    return wait;
  }

  /** Seconds that a work costs a request of so many seconds. */
  #cost({ seconds, arrived, since }: Work, now: number, own: number): number {
    const part = arrived();
    const announced = now - since <= FRESH_MS ? this.#trust : 0;
    // Half of the time goes with the body's arriving; the other half is over when the answer has left.
    const left = seconds * (1 - part / 2);
    // How busy the loop is tells of senders that have begun, and nothing of those that are announced.
    const begun = Math.min(own, left, seconds * MAX_ADVANCE * part) * this.#busy;
    return Math.max(announced * Math.min(own, left), begun);
  }

  /** Looks on for a while when nothing is under way: known as busy again at once, the loop would be so to clients that come and go. */
  #watchLoop(): NodeJS.Timeout {
    let last = performance.eventLoopUtilization();
    return setInterval(() => {
      const now = performance.eventLoopUtilization();
      this.#busy = performance.eventLoopUtilization(now, last).utilization;
      last = now;
      this.#quiet = this.#works.size > 0 ? 0 : this.#quiet + 1;
      if (this.#quiet >= QUIET_POLLS) this.#rest();
    }, POLL_MS).unref();
  }

  #rest(): void {
    clearInterval(this.#look);
    this.#look = undefined;
    this.#quiet = 0;
    this.#busy = 1;
    this.#trust = 1;
  }
}
