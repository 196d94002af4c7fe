/** The way of a file to a server, while the answer comes back on the same connection. */
import { createReadStream } from "node:fs";
import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from "node:http";
import type { Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../errors.ts";
import { answerOf, begin, networkFault } from "./exchange.ts";
import type { Input } from "./files.ts";

/** Milliseconds for what has been written to leave when the answer is whole: a server that gave it has read everything. */
const GRACE = 1000;

/** What an upload needs beside its file and address. */
export interface UploadOptions {
  readonly headers: OutgoingHttpHeaders;
  /** Milliseconds in which no byte moves, in either direction, after which it is given up. */
  readonly timeout: number;
  readonly signal: AbortSignal;
  /** The Unix socket to connect to; undefined: the address's host and port. */
  readonly socketPath: string | undefined;
  onProgress(sent: number): void;
}

/** A file on its way. */
export class Upload {
  readonly #url: URL;
  readonly #size: number;
  readonly #request: ClientRequest;
  readonly #done: Promise<void>;
  readonly #answer: Promise<IncomingMessage>;
  #received: IncomingMessage | undefined;
  #fault: UserError | undefined;
  #sent = 0;

  constructor(url: URL, { path, about: { size } }: Input, options: UploadOptions) {
    const { timeout, signal, socketPath } = options;
    this.#url = url;
    this.#size = size;
    const headers = { ...options.headers, "content-length": size };
    this.#request = begin(url, { method: "POST", headers, signal, socketPath });
    this.#request.once("socket", (socket) => {
      socket.setTimeout(timeout).on("timeout", () => this.#standStill(socket, timeout));
    });
    this.#answer = answerOf(this.#request, url);
    this.#done = this.#write(path, options.onProgress);
    // Whoever waits for one of them hears of both.
    this.#answer.catch(() => {});
    this.#done.catch(() => {});
  }

  /** The answer, which may come before the whole file has left: a refusal at once, a gradient while rows are computed. */
  async answer(): Promise<IncomingMessage> {
    this.#received = await this.#answer;
    return this.#received;
  }

  /** To be called when the answer is whole. Refuses where the file is not: the answer is then not one to it. */
  async end(): Promise<void> {
    const isDone = await Promise.race([
      this.#done.then(
        () => true,
        () => false,
      ),
      sleep(GRACE, false, { ref: false }),
    ]);
    if (isDone) return;
    const part = `${this.#sent} of ${this.#size} bytes`;
    throw this.#fault ?? new UserError(`the server ended its answer when it had been sent ${part}`);
  }

  /** Gives up what is still on its way. */
  close(): void {
    this.#request.destroy();
  }

  /** Why the upload or its answer broke off. */
  faultOf(error: unknown): Error {
    if (this.#fault !== undefined) return this.#fault;
    const { code } = error as NodeJS.ErrnoException;
    if (this.#received !== undefined && code === "ECONNRESET") return new UserError("the answer was cut off");
    return networkFault(error as Error, this.#url);
  }

  async #write(path: string, onProgress: (sent: number) => void): Promise<void> {
    // A file that grows meanwhile is sent as long as it was announced.
    const body = createReadStream(path, { highWaterMark: 256 * 1024, end: this.#size - 1 });
    body.on("error", (error) => this.#fail(`the file cannot be read: ${error.message}`));
    const count = async function* (this: Upload, pieces: AsyncIterable<Buffer>) {
      for await (const piece of pieces) {
        yield piece;
        this.#sent += piece.length;
        onProgress(this.#sent);
      }
      if (this.#sent < this.#size) this.#fail(`the file became shorter than ${this.#size} bytes`);
    };
    await pipeline(body, count.bind(this), this.#request);
  }

  #standStill(socket: Socket, timeout: number): void {
    const received = this.#received;
    // Where bytes wait here, it is not the server that keeps somebody waiting.
    const isOurs = received !== undefined && (received.readableLength > 0 || received.complete);
    if (isOurs) socket.setTimeout(timeout);
    else this.#fail(`given up: no byte moved for ${timeout / 1000} s; --timeout SECONDS waits longer`);
  }

  #fail(text: string): void {
    this.#fault ??= new UserError(text);
    this.#request.destroy(this.#fault);
  }
}
