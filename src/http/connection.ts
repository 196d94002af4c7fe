/** One record per connection: the requests on it in their order, and the exchange in progress for the timeouts. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Problem } from "../problems.ts";
import { sendNow } from "./slices.ts";

/** Requests that a client may pipeline ahead of their responses on one connection. */
const MAX_PIPELINED = 64;

/** The one expectation that is met, recognised as Node does before it emits `checkContinue`. */
export const CONTINUE = /(?:^|\W)100-continue(?:$|\W)/i;

/** A request and its response, from its turn on the connection until both are through. */
export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Bytes that the socket had read when the exchange began. */
  readonly bytesBefore: number;
  /** Whether the client may hold its body back until its expectation is met (RFC 9110, section 10.1.1). HTTP/1.0 has none. */
  holdsBody: boolean;
  /** Rejects a body that is too slow; undefined while nobody reads one. */
  onSlowBody: ((problem: Problem) => void) | undefined;
  /** Milliseconds spent waiting for the body, and for the rest of a rejected one. */
  waitedMs = 0;
  lingeredMs = 0;
  /** Bytes that the socket had taken at the last sweep, and milliseconds since they last changed. */
  takenBytes = -1;
  stalledMs = 0;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.request = request;
    this.response = response;
    this.bytesBefore = request.socket.bytesRead;
    this.holdsBody = request.headers.expect !== undefined && request.httpVersionMinor === 1;
  }

  /** Asks for the body, if the client holds it back, and bounds the wait for it. */
  expectBody(onSlow: (problem: Problem) => void): void {
    this.onSlowBody = onSlow;
    if (!this.holdsBody) return;
    this.holdsBody = false;
    this.response.writeContinue();
  }
}

/** Starts the requests of a connection one after another: a client that pipelines 20,000 has one running. */
export class Connection {
  readonly socket: Socket;
  /** The exchange that runs, or the last one while its body still arrives. */
  exchange: Exchange | undefined;
  #unanswered = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
  }

  /** Whether a response is under way or due; then nothing else may be written. */
  get isAnswering(): boolean {
    return this.#unanswered > 0;
  }

  /** Starts a request once those before it have their responses. */
  begin(request: IncomingMessage, response: ServerResponse, start: (exchange: Exchange) => void): void {
    // A pipelining client has its responses in the order of its requests, so the next one starts when this one is sent.
    if (this.#unanswered > 0) sendNow();
    this.#unanswered++;
    if (this.#unanswered === 1) this.#start(request, response, start);
    else if (this.#waiting.push(() => this.#start(request, response, start)) > MAX_PIPELINED)
      this.socket.destroy();
  }

  #start(request: IncomingMessage, response: ServerResponse, start: (exchange: Exchange) => void): void {
    this.exchange = new Exchange(request, response);
    start(this.exchange);
  }

  /** Ends the exchange, unless its body still arrives, and starts the next one. */
  end(): void {
    this.#unanswered--;
    if (this.exchange?.request.complete) this.exchange = undefined;
    if (this.socket.destroyed) this.#waiting.length = 0;
    this.#waiting.shift()?.();
  }
}

/** The connections of one server. */
export class Connections implements Iterable<Connection> {
  readonly #bySocket = new Map<Socket, Connection>();

  /** The record of a socket, made with its first request and dropped when it closes. */
  of(socket: Socket): Connection {
    let connection = this.#bySocket.get(socket);
    if (connection === undefined) {
      connection = new Connection(socket);
      this.#bySocket.set(socket, connection);
      socket.once("close", () => this.#bySocket.delete(socket));
    }
    return connection;
  }

  /** Whether a response is under way or due on a socket. */
  isAnswering(socket: Socket): boolean {
    return this.#bySocket.get(socket)?.isAnswering ?? false;
  }

  [Symbol.iterator](): Iterator<Connection> {
    return this.#bySocket.values();
  }
}
