/**
 * Clients that hold on to what others need: bodies that trickle, refused bodies that go on, answers that nobody reads. One sweep looks at
 * all requests that are under way; a request itself pays for being put on the list.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { Problem } from "../problems.ts";

/** The figures behind the limits. */
export interface WatchLimits {
  /** Milliseconds that a body may keep its reader waiting, beside those that its bytes pay for. */
  readonly grace: number;
  /** Milliseconds after which one that has sent nothing at all is given up. */
  readonly silence: number;
  /** Bytes a second that pay for waiting. */
  readonly rate: number;
  /** What still comes of a refused body is taken for so long, and so many bytes: a client that writes before it reads sees the refusal. */
  readonly linger: number;
  readonly lingerBytes: number;
  /** Milliseconds after which an answer that does not move is cut. */
  readonly stall: number;
}

export const LIMITS: WatchLimits = {
  grace: 10_000,
  silence: 5000,
  rate: 1024 * 1024,
  linger: 10_000,
  lingerBytes: 64 * 1024 * 1024,
  stall: 10_000,
};

interface Watched {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly bytesBefore: number;
  /** Milliseconds spent waiting for the body, or for the rest of a refused one. */
  waited: number;
  lingered: number;
  /** What the socket had taken at the last sweep, and for how long it has not moved. */
  progress: number;
  stalled: number;
}

/** Milliseconds between two sweeps. */
const SWEEP = 500;

/** On the request itself: a WeakMap of every request costs the garbage collector more than the rest of this file. */
const TELL = Symbol("whom to tell");

interface Told extends IncomingMessage {
  [TELL]?: (problem: Problem) => void;
}

/** Names whom to tell when the body of `request` is too slow. */
export function whenTooSlow(request: IncomingMessage, tell: (problem: Problem) => void): void {
  (request as Told)[TELL] = tell;
}

export class Watch {
  readonly #limits: WatchLimits;
  readonly #watched = new Map<IncomingMessage, Watched>();
  #timer: NodeJS.Timeout | undefined;

  constructor(limits: WatchLimits = LIMITS) {
    this.#limits = limits;
  }

  /** Puts a request on the list, until its body and its answer are through or its connection is gone. */
  add(request: IncomingMessage, response: ServerResponse): void {
    this.#timer ??= setInterval(() => this.#sweep(), SWEEP).unref();
    const bytesBefore = request.socket.bytesRead;
    const watched = { request, response, bytesBefore, waited: 0, lingered: 0, progress: -1, stalled: 0 };
    this.#watched.set(request, watched);
  }

  /** Takes a request whose answer is through off the list, unless its body still comes. */
  remove(request: IncomingMessage): void {
    if (request.complete) this.#watched.delete(request);
  }

  #sweep(): void {
    for (const watched of this.#watched.values()) {
      const { request, response } = watched;
      const { socket } = request;
      if (socket.destroyed || (request.complete && response.writableFinished)) this.#watched.delete(request);
      else if (response.writableFinished) this.#sweepRefused(watched);
      else if (response.writableLength > 0) this.#sweepAnswer(watched);
      else if (!request.complete && !request.isPaused()) this.#sweepBody(watched);
    }
  }

  #sweepBody(watched: Watched): void {
    const { request, bytesBefore } = watched;
    const { grace, silence, rate } = this.#limits;
    const tell = (request as Told)[TELL];
    // One that waits behind another on its connection is not read yet.
    if (tell === undefined) return;
    watched.waited += SWEEP;
    const bytes = request.socket.bytesRead - bytesBefore;
    // What came with the head is not among those bytes.
    const patience = bytes === 0 && !request.readableDidRead ? Math.min(silence, grace) : grace;
    if (watched.waited <= patience + (bytes / rate) * 1000) return;
    const detail = `the body came slower than ${rate} bytes a second: ${bytes} bytes in ${watched.waited / 1000} s of waiting`;
    tell(new Problem("request_timeout", detail));
  }

  #sweepRefused(watched: Watched): void {
    const { request, bytesBefore } = watched;
    watched.lingered += SWEEP;
    const bytes = request.socket.bytesRead - bytesBefore;
    if (watched.lingered > this.#limits.linger || bytes > this.#limits.lingerBytes) request.socket.destroy();
  }

  #sweepAnswer(watched: Watched): void {
    const { request, response } = watched;
    const progress = request.socket.bytesWritten - response.writableLength;
    watched.stalled = progress === watched.progress ? watched.stalled + SWEEP : 0;
    watched.progress = progress;
    if (watched.stalled >= this.#limits.stall) request.socket.destroy();
  }
}
