/** Uploads a file while the response arrives on the same connection. */
import { createReadStream } from "node:fs";
import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from "node:http";
import type { Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../user-error.ts";
import type { InputFile } from "./files.ts";
import { begin, NoResponse, networkFault, responseOf } from "./http-client.ts";

/** Longest wait for the last request bytes after the response is complete, because the server has read them by then. */
const FLUSH_TIMEOUT_MS = 1000;

/** Options of an upload. */
export interface UploadOptions {
  readonly headers: OutgoingHttpHeaders;
  /** Longest time without a byte in either direction, in milliseconds. */
  readonly timeout: number;
  readonly signal: AbortSignal;
  /** Unix socket to connect to instead of the URL's host and port. */
  readonly socketPath: string | undefined;
  onProgress(sent: number): void;
}

/** One upload. */
export class Upload {
  readonly #url: URL;
  readonly #size: number;
  readonly #request: ClientRequest;
  readonly #done: Promise<void>;
  readonly #response: Promise<IncomingMessage>;
  #received: IncomingMessage | undefined;
  #fault: UserError | undefined;
  #sent = 0;

  constructor(url: URL, { path, stats: { size } }: InputFile, options: UploadOptions) {
    const { timeout, signal, socketPath } = options;
    this.#url = url;
    this.#size = size;
    const headers = { ...options.headers, "content-length": size };
    this.#request = begin(url, { method: "POST", headers, signal, socketPath });
    this.#request.once("socket", (socket) => {
      socket.setTimeout(timeout).on("timeout", () => this.#onTimeout(socket, timeout));
    });
    this.#response = responseOf(this.#request, url);
    this.#done = this.#write(path, options.onProgress);
    // Avoids unhandled rejections because a caller awaits only one of the two at a time.
    this.#response.catch(() => {});
    this.#done.catch(() => {});
  }

  /** Waits for the response, which may start before the upload has ended. */
  async response(): Promise<IncomingMessage> {
    this.#received = await this.#response;
    return this.#received;
  }

  /** Called once the response is complete. Rejects if the server responded before it had read the whole file. */
  async end(): Promise<void> {
    const isDone = await Promise.race([
      this.#done.then(
        () => true,
        () => false,
      ),
      sleep(FLUSH_TIMEOUT_MS, false, { ref: false }),
    ]);
    if (isDone) return;
    const part = `${this.#sent} of ${this.#size} bytes`;
    throw this.#fault ?? new UserError(`the server ended its response after ${part}`);
  }

  /** Aborts the request. */
  close(): void {
    this.#request.destroy();
  }

  /** Explains why the upload or its response failed. */
  faultOf(error: unknown): Error {
    if (this.#fault !== undefined) return this.#fault;
    const { code } = error as NodeJS.ErrnoException;
    if (this.#received !== undefined && code === "ECONNRESET")
      return new UserError("the response was cut off");
    const fault = networkFault(error as Error, this.#url);
    // A server that rejects the request early may close the connection before this side has read its response.
    if (!(fault instanceof NoResponse) || this.#sent === this.#size) return fault;
    return new UserError(`${fault.message} that could be read, after ${this.#sent} of ${this.#size} bytes`);
  }

  async #write(path: string, onProgress: (sent: number) => void): Promise<void> {
    await pipeline(this.#pieces(path, onProgress), this.#request);
  }

  /** Reads the announced length even if the file grows meanwhile. */
  async *#pieces(path: string, onProgress: (sent: number) => void): AsyncGenerator<Buffer> {
    try {
      for await (const piece of createReadStream(path, { highWaterMark: 256 * 1024, end: this.#size - 1 })) {
        yield piece;
        this.#sent += piece.length;
        onProgress(this.#sent);
        // Ends with the last byte instead of the closed file, because the server may close the connection before.
        if (this.#sent === this.#size) return;
      }
    } catch (error) {
      this.#fail(`the file cannot be read: ${(error as Error).message}`);
      return;
    }
    this.#fail(`the file became shorter than ${this.#size} bytes`);
  }

  #onTimeout(socket: Socket, timeout: number): void {
    const received = this.#received;
    // Restarts the timer if response bytes wait here, because the server is not the cause.
    const isOurs = received !== undefined && (received.readableLength > 0 || received.complete);
    if (isOurs) socket.setTimeout(timeout);
    else this.#fail(`timeout: no byte moved for ${timeout / 1000} s; --timeout SECONDS waits longer`);
  }

  #fail(text: string): void {
    this.#fault ??= new UserError(text);
    this.#request.destroy(this.#fault);
  }
}
