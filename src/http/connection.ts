/** Record of a connection: its requests in order, the exchange in progress for the timeouts, and its closing in stages. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Problem } from "../problems.ts";
import type { Region } from "../tensor/arena.ts";
import { discard } from "./chunks.ts";
import { sendNow } from "./turns.ts";

/** Requests that a client may pipeline ahead of their responses on one connection. */
const MAX_PIPELINED = 64;

/** Progress of a body or a response while it waits for its client. */
export class Progress {
  /** Bytes that have moved, and milliseconds of waiting for them. */
  bytes = 0;
  waitedMs = 0;
  /** Milliseconds of waiting since the last byte. */
  stalledMs = 0;
  #total: number | undefined;

  /** Counts from `total` bytes on (default: from those of the first wait). */
  constructor(total?: number) {
    this.#total = total;
  }

  /** Adds a time of waiting. `total` is the number of all bytes up to now. */
  wait(ms: number, total: number): void {
    const before = this.#total;
    this.#total = total;
    if (before === undefined) return;
    this.bytes += total - before;
    this.waitedMs += ms;
    this.stalledMs = total > before ? 0 : this.stalledMs + ms;
  }
}

/** Request and response, from its turn on the connection until both have ended. */
export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Bytes that the socket had read when the exchange began. */
  readonly bytesBefore: number;
  /** Whether the client may hold its body back until 100 Continue (RFC 9110, section 10.1.1). HTTP/1.0 has no expectations. */
  holdsBody: boolean;
  /** Rejects a slow body. Undefined while no body is read. */
  onSlowBody: ((problem: Problem) => void) | undefined;
  /** Whether the request waits for bytes of its body. Nothing else uses its memory meanwhile. */
  waitsForBody = false;
  /** Memory of the request's tensors, if it has any. */
  region: Region | undefined;
  /** Progress since the first sweep that found the exchange waiting. */
  bodyProgress: Progress | undefined;
  responseProgress: Progress | undefined;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.request = request;
    this.response = response;
    this.bytesBefore = request.socket.bytesRead;
    this.holdsBody = request.headers.expect !== undefined && request.httpVersionMinor === 1;
  }

  /** Whether the client is due to send more of the body, so the time is the client's. */
  get isBodyDue(): boolean {
    return this.waitsForBody && !this.request.complete;
  }

  /** Asks for the body, if the client holds it back, and begins the wait for it, which is bounded. */
  expectBody(onSlow: (problem: Problem) => void): void {
    this.onSlowBody = onSlow;
    this.waitsForBody = true;
    if (!this.holdsBody) return;
    this.holdsBody = false;
    this.response.writeContinue();
  }
}

/** Starts a request at its turn. */
type Start = (exchange: Exchange) => void;

/** Request that waits for the responses to the requests before it. */
interface Waiting {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly start: Start;
}

/** Starts the requests of a connection one after another, so a client that pipelines 20,000 has one running. */
export class Connection {
  readonly socket: Socket;
  /** The exchange that runs, or the last one while its body still arrives. */
  exchange: Exchange | undefined;
  /** Bytes that the socket had read at the end of the last response, and milliseconds since then. */
  bytesAtEnd = 0;
  lingeredMs = 0;
  /** Whether a request has ever arrived before the response to the one before it. */
  hasPipelined = false;
  #isResponding = false;
  #isClosing = false;
  /** Called when every request has its response, instead of reading another one. */
  #onIdle: (() => void) | undefined;
  /** Bytes written at the end of the last response. */
  #written = 0;
  /** Requests behind the one in progress. */
  readonly #waiting: Waiting[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    // Replaced because Node calls it after the last response, and would reset a client that still writes.
    socket.destroySoon = () => this.close();
  }

  /** Whether a response is in progress or due, so nothing else may be written. */
  get isResponding(): boolean {
    return this.#isResponding;
  }

  /** Whether the last response has been sent, so that everything else is discarded. */
  get isClosing(): boolean {
    return this.#isClosing;
  }

  /** Whether the rest of a body arrives after its response. */
  get isLingering(): boolean {
    return !this.#isResponding && this.exchange?.request.complete === false;
  }

  /** Starts a request once those before it have their responses. Discards a request behind the last response. */
  begin(request: IncomingMessage, response: ServerResponse, start: Start): void {
    if (this.#isClosing) {
      discard(request);
      return;
    }
    // A pipelining client has its responses in the order of its requests, so the next one starts when this one is sent.
    if (this.#isResponding) {
      this.hasPipelined = true;
      sendNow();
    }
    const waiting = { request, response, start };
    if (!this.#isResponding) this.#start(waiting);
    else if (this.#waiting.push(waiting) > MAX_PIPELINED) this.socket.destroy();
  }

  #start({ request, response, start }: Waiting): void {
    this.#isResponding = true;
    this.exchange = new Exchange(request, response);
    start(this.exchange);
  }

  /**
   * Rejects the body that is being read, after which no request can be read. Returns false if there is none. Aborts a response that has begun,
   * because it needs the rest of the body.
   */
  rejectBody(problem: Problem): boolean {
    const { request, response, onSlowBody } = this.exchange ?? {};
    if (!this.#isResponding || request === undefined || request.complete) return false;
    if (onSlowBody === undefined || response!.headersSent) this.socket.destroy();
    else {
      response!.shouldKeepAlive = false;
      onSlowBody(problem);
    }
    return true;
  }

  /** Calls `then` once every request has its response, at once if that is so. Ignores further calls. */
  whenIdle(then: () => void): void {
    if (this.#onIdle !== undefined) return;
    this.#onIdle = then;
    sendNow();
    if (!this.#isResponding) then();
  }

  /** Returns the bytes written since the last call, which are those of one response, because the next one has not begun. */
  takeWritten(): number {
    const written = this.socket.bytesWritten;
    const bytes = written - this.#written;
    this.#written = written;
    return bytes;
  }

  /** Ends the exchange, unless its body still arrives, and starts the next one. */
  endExchange(): void {
    this.#isResponding = false;
    if (this.exchange?.request.complete) this.exchange = undefined;
    else {
      this.#linger();
      // Node discards only bodies of which nothing has been read, and the wait for the first byte is a read.
      if (this.exchange !== undefined) discard(this.exchange.request);
    }
    if (this.socket.destroyed) this.#waiting.length = 0;
    const next = this.#waiting.shift();
    // Behind malformed bytes, the body of the last request will not end.
    const isReadable = this.#onIdle === undefined || next?.request.complete;
    if (next !== undefined && isReadable) this.#start(next);
    else if (this.#onIdle !== undefined && !this.#isClosing) this.#onIdle();
  }

  /**
   * Closes in stages (RFC 9112, section 9.6). Sends FIN after `last` and everything written before, then discards further bytes until
   * the client closes, because closing with unread bytes resets the connection, and the reset deletes the response that the client has not read
   * yet. The timeouts limit the wait.
   */
  close(last?: string): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#linger();
    if (last === undefined) this.socket.end();
    else this.socket.end(last);
    // Bodies of requests that will not start would fill their buffers and stop the reading.
    for (const { request } of this.#waiting.splice(0)) discard(request);
  }

  #linger(): void {
    this.bytesAtEnd = this.socket.bytesRead;
    this.lingeredMs = 0;
  }
}

/** The connections of one server. */
export class Connections implements Iterable<Connection> {
  readonly #bySocket = new Map<Socket, Connection>();

  /** Returns the record of a socket, created when it connects and dropped when it closes. */
  of(socket: Socket): Connection {
    let connection = this.#bySocket.get(socket);
    if (connection === undefined) {
      connection = new Connection(socket);
      this.#bySocket.set(socket, connection);
      socket.once("close", () => this.#bySocket.delete(socket));
    }
    return connection;
  }

  [Symbol.iterator](): Iterator<Connection> {
    return this.#bySocket.values();
  }
}
