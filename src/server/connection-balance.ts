/**
 * Balances kept-alive connections over the workers. The kernel gives a new connection to any idle worker, so one may get
 * all of them. A worker with more than its share asks some clients to reconnect (RFC 9112, section 9.6), and loses no
 * request.
 */

/** Connection as the balance sees it. */
export interface BalancedConnection {
  readonly socket: { readonly destroyed: boolean };
  /** Whether a response is in progress or due. */
  readonly isResponding: boolean;
  /** Whether a request has ever arrived before the response to the one before it. */
  readonly hasPipelined: boolean;
}

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
  #current = new Set<BalancedConnection>();
  #previous: ReadonlySet<BalancedConnection> = new Set();
  #surplus = 0;

  /** Counts a request that arrives on a connection. Returns whether its client must reconnect after the response. */
  begin(connection: BalancedConnection): boolean {
    // Keeps a pipelining client because the requests behind this one would be lost, and a new client because it may
    // pipeline.
    const pipelines = connection.isResponding || connection.hasPipelined;
    if (this.#surplus > 0 && this.#previous.has(connection) && !pipelines) {
      this.#surplus--;
      this.#current.delete(connection);
      return true;
    }
    this.#current.add(connection);
    return false;
  }

  /** Lets `surplus` clients reconnect until the interval ends. */
  giveAway(surplus: number): void {
    this.#surplus = surplus;
  }

  /** Begins the next interval. Returns the number of busy connections of the last one. */
  next(): number {
    const open = [...this.#current].filter(({ socket }) => !socket.destroyed);
    this.#previous = new Set(open);
    this.#current = new Set(open.filter(({ isResponding }) => isResponding));
    this.#surplus = 0;
    return open.length;
  }
}
