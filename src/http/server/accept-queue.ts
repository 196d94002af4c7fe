/** Connections that the system has accepted for the listener, and Node has not. Closing the listener would reset them. */
import type { Server } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Turns of the event loop without a new connection, and their time, after which the queue is empty. Node accepts one
 * connection in each turn, and a turn may take longer than the time.
 */
const QUIET_TURNS = 5;
const QUIET_MS = 10;

/** Longest time for which the queue is emptied, because clients may connect without end. */
const EMPTY_LIMIT_MS = 1000;

/** Time after which the other workers and the primary have closed the listener that they share with this one. */
const CLOSE_MARGIN_MS = 50;

export class AcceptQueue {
  /**
   * Resolves when the listener has closed. Requests that begin while the queue is emptied wait for it, because their
   * clients would connect again.
   */
  closed: Promise<void> | undefined;

  /** Accepts the connections that wait. The caller then closes the listener at once. */
  async empty(server: Server): Promise<void> {
    if (!server.listening) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    const start = performance.now();
    let last = start;
    let turns = 0;
    const onConnection = (): void => {
      last = performance.now();
      turns = 0;
    };
    server.on("connection", onConnection);
    const isQuiet = (): boolean => turns >= QUIET_TURNS && performance.now() >= last + QUIET_MS;
    for (; !isQuiet() && performance.now() < start + EMPTY_LIMIT_MS; turns++) await sleep(1);
    server.off("connection", onConnection);
    sleep(CLOSE_MARGIN_MS).then(() => {
      this.closed = undefined;
      resolve();
    });
  }
}
