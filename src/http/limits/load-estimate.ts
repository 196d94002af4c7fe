/** Load estimate: waiting time behind the larger requests in progress, estimated from announced bytes. */
import { performance } from "node:perf_hooks";
import { Problem } from "../../problems.ts";

/**
 * CPU seconds per byte of body. JSON costs 1.3 ns a byte for a loss of numbers with 6 decimals, 2.1 with a gradient, and up to 7 for
 * integers of one digit with a gradient in float32.
 */
const SECONDS_PER_BYTE = { json: 4e-9, binary: 1.5e-9 };

/** Requests up to this cost (1 MiB of JSON) are always admitted, so large requests never starve them. */
const SMALL_REQUEST_S = 2 ** 20 * SECONDS_PER_BYTE.json;

/** Interval of measuring the event loop's utilization, and the number of idle intervals after which measuring stops. */
const POLL_MS = 1000;
const MAX_IDLE_POLLS = 10;

/** Milliseconds for which an admitted body counts with its announced size, because first bytes usually arrive within them. */
const FRESH_MS = 500;

/** Maximum ratio of a later body's weight to its received part, so a body without bytes has no weight. */
const MAX_ADVANCE = 8;

/** Weight of one body in the moving average of trust. */
const TRUST_WEIGHT = 1 / 8;

/** Estimates the seconds for so many bytes of JSON and of binary numbers. */
export function secondsFor(json: number, binary: number): number {
  return json * SECONDS_PER_BYTE.json + binary * SECONDS_PER_BYTE.binary;
}

interface RequestInProgress {
  readonly seconds: number;
  readonly arrived: () => number;
  readonly since: number;
}

export class LoadEstimate {
  readonly #limit: number;
  readonly #now: () => number;
  readonly #requests = new Set<RequestInProgress>();
  /** Utilization of the event loop. Starts at 1, so estimates count in full until senders prove slower. */
  #busy = 1;
  /** Received share of the announced bytes of recent requests, which weights announcements. */
  #trust = 1;
  #timer: NodeJS.Timeout | undefined;
  #quiet = 0;

  /** Lets requests wait `limit` seconds for others. `now` returns milliseconds. */
  constructor(limit: number, now: () => number = () => performance.now()) {
    this.#limit = limit;
    this.#now = now;
  }

  /** Estimated seconds of work in progress. */
  get seconds(): number {
    return this.#wait(Infinity);
  }

  /** Rejects a request with `overloaded` if it would wait too long for requests in progress. */
  check(seconds: number): void {
    if (seconds <= SMALL_REQUEST_S) return;
    const wait = this.#wait(seconds);
    if (wait <= this.#limit) return;
    // Rounded up, because a wait of 0.1001 s is not within 0.1 s. The sum has errors of about 1e-16.
    const shown = Math.ceil((wait - 1e-6) * 100) / 100;
    const detail = `requests in progress would make this request wait ${shown} s, expected at most ${this.#limit} s (WAIT_LIMIT_MS)`;
    throw new Problem("overloaded", detail, { retryAfter: Math.ceil(wait - this.#limit) });
  }

  /** Counts a request as in progress until the returned function is called. `arrived` returns the received part of its body. Returns undefined for small requests, which do not count. */
  add(seconds: number, arrived: () => number): (() => void) | undefined {
    if (seconds <= SMALL_REQUEST_S) return undefined;
    // A file of unknown length may exceed its estimate.
    const part = (): number => Math.min(arrived(), 1);
    const request = { seconds, arrived: part, since: this.#now() };
    this.#requests.add(request);
    this.#timer ??= this.#watchLoop();
    return () => {
      if (this.#requests.delete(request)) this.#trust += (part() - this.#trust) * TRUST_WEIGHT;
    };
  }

  /** Sums the remaining cost of each request in progress, up to the waiting request's own time because requests take turns. */
  #wait(seconds: number): number {
    const now = this.#now();
    let wait = 0;
    for (const request of this.#requests) wait += this.#cost(request, now, seconds);
    return wait;
  }

  /** Seconds by which a request in progress delays a request of `own` seconds. */
  #cost({ seconds, arrived, since }: RequestInProgress, now: number, own: number): number {
    const part = arrived();
    const announced = now - since <= FRESH_MS ? this.#trust : 0;
    // Half of the time passes as the body arrives, the other half until the response is sent.
    const left = seconds * (1 - part / 2);
    // Applies utilization only to bodies that have begun to arrive, because announced bodies do not affect it.
    const begun = Math.min(own, left, seconds * MAX_ADVANCE * part) * this.#busy;
    return Math.max(announced * Math.min(own, left), begun);
  }

  /** Keeps measuring for a while without requests, because a reset would assume full utilization again for clients that come and go. */
  #watchLoop(): NodeJS.Timeout {
    let last = performance.eventLoopUtilization();
    return setInterval(() => {
      const now = performance.eventLoopUtilization();
      this.#busy = performance.eventLoopUtilization(now, last).utilization;
      last = now;
      this.#quiet = this.#requests.size > 0 ? 0 : this.#quiet + 1;
      if (this.#quiet >= MAX_IDLE_POLLS) this.#rest();
    }, POLL_MS).unref();
  }

  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#quiet = 0;
    this.#busy = 1;
    this.#trust = 1;
  }
}
