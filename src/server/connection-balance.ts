/**
 * Balances kept-alive connections over the workers. The kernel gives a new connection to any idle worker, so one may get
 * all of them. A worker with more than its share asks some clients to reconnect (RFC 9112, section 9.6), and loses no
 * request.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Part of its share by which a worker may exceed it, if that is more than one connection. */
const TOLERANCE = 1 / 8;

/** Returns how many connections each worker must give away, from the numbers of their busy connections. */
export function surplusOf(counts: readonly number[]): number[] {
  const share = Math.ceil(counts.reduce((sum, count) => sum + count, 0) / counts.length);
  const limit = share + Math.max(1, share * TOLERANCE);
  return counts.map((count) => (count > limit ? count - share : 0));
}

/**
 * Busy connections of one worker: those with a running request, or one in the current interval. Idle connections take no
 * processor time, and closing them could lose a request.
 */
export class BusyConnections {
  #current = new Set<Socket>();
  #previous: ReadonlySet<Socket> = new Set();
  #surplus = 0;
  readonly #latest = new WeakMap<Socket, ServerResponse>();
  readonly #pipelining = new WeakSet<Socket>();

  /** Counts a request as it arrives. Returns whether its client must reconnect after the response. */
  begin({ socket }: IncomingMessage, response: ServerResponse): boolean {
    if (this.#isRunning(socket)) this.#pipelining.add(socket);
    this.#latest.set(socket, response);
    // Keeps a pipelining client because the requests behind this one would be lost, and a new client because it may
    // pipeline.
    if (this.#surplus > 0 && this.#previous.has(socket) && !this.#pipelining.has(socket)) {
      this.#surplus--;
      this.#current.delete(socket);
      return true;
    }
    this.#current.add(socket);
    return false;
  }

  /** Lets `surplus` clients reconnect until the interval ends. */
  giveAway(surplus: number): void {
    this.#surplus = surplus;
  }

  /** Begins the next interval. Returns the number of busy connections of the last one. */
  next(): number {
    const open = [...this.#current].filter((socket) => !socket.destroyed);
    this.#previous = new Set(open);
    this.#current = new Set(open.filter((socket) => this.#isRunning(socket)));
    this.#surplus = 0;
    return open.length;
  }

  #isRunning(socket: Socket): boolean {
    return this.#latest.get(socket)?.writableEnded === false;
  }
}
