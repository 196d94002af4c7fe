/** A server at an address, for `lossd check`. */
import type { IncomingHttpHeaders, IncomingMessage, RequestOptions } from "node:http";
import { withoutUser } from "../errors.ts";
import { below } from "./address.ts";
import { ACCEPT } from "./answers.ts";
import { answerOf, authorization, begin, networkFault } from "./exchange.ts";
import { shown } from "./text.ts";

/** Bytes of an answer that are read: the largest, the contract, has 140 KiB. */
const MAX_BYTES = 1024 * 1024;

/** Thrown for what the other checks would fail of, too. */
export class Hopeless extends Error {
  override readonly name = "Hopeless";
}

/** What a server answered, read to its end. */
export interface RemoteAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  // biome-ignore lint/suspicious/noExplicitAny: what a server answers is looked at member by member
  json(): any;
}

/** How a server is asked. */
export interface RemoteOptions {
  readonly token: string | undefined;
  /** Milliseconds that an answer may take. */
  readonly timeout: number;
  readonly stopped: AbortSignal;
  /** The Unix socket to connect to; undefined: the address's host and port. */
  readonly socketPath: string | undefined;
}

/** A server at an address. */
export class Remote {
  readonly #base: URL;
  readonly #options: RemoteOptions;

  constructor(base: URL, options: RemoteOptions) {
    this.#base = base;
    this.#options = options;
  }

  get(path: string, headers: Record<string, string> = {}): Promise<RemoteAnswer> {
    return this.#ask(path, { method: "GET", headers }, "");
  }

  send(path: string, body: unknown): Promise<RemoteAnswer> {
    const headers = { "content-type": "application/json" };
    return this.#ask(path, { method: "POST", headers }, JSON.stringify(body));
  }

  sendFile(path: string, body: Buffer): Promise<RemoteAnswer> {
    const headers = { "content-type": ACCEPT.safetensors[0] };
    return this.#ask(path, { method: "POST", headers }, body);
  }

  /** The JSON of an answer with status 200. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  async post(path: string, body: unknown): Promise<any> {
    const { status, json, bytes } = await this.send(path, body);
    if (status !== 200) throw new Error(`expected status 200, got ${status}: ${shown(bytes.toString())}`);
    return json();
  }

  async #ask(path: string, options: RequestOptions, body: string | Buffer): Promise<RemoteAnswer> {
    const { timeout, stopped, token, socketPath } = this.#options;
    const url = below(this.#base, path);
    const limit = AbortSignal.timeout(timeout);
    const length = { "content-length": Buffer.byteLength(body) };
    const headers = { ...options.headers, ...length, ...authorization(token) };
    const signal = AbortSignal.any([limit, stopped]);
    const request = begin(url, { ...options, headers, signal, socketPath });
    request.end(body);
    const late = new Hopeless(`no answer within ${timeout / 1000} s`);
    const answer = await answerOf(request, url).catch((error: Error) => {
      throw limit.aborted ? late : new Hopeless(error.message);
    });
    this.#refuseStatus(answer);
    const bytes = await readAll(answer).catch((error: NodeJS.ErrnoException) => {
      if (limit.aborted) throw late;
      throw error.code === "ECONNRESET" ? new Error("the answer was cut off") : networkFault(error, url);
    });
    // A body without a length ends where it is given up, too.
    if (limit.aborted) throw late;
    stopped.throwIfAborted();
    return { status: answer.statusCode!, headers: answer.headers, bytes, json: () => jsonOf(answer, bytes) };
  }

  /** Refuses what every other request would be answered with, too. */
  #refuseStatus(answer: IncomingMessage): void {
    const { statusCode = 0, headers } = answer;
    const isKnown = this.#options.token !== undefined;
    let fault: string | undefined;
    if (statusCode === 401)
      fault = isKnown
        ? "the server does not take the token of --token-file"
        : "the server asks for a token: --token-file FILE";
    else if (statusCode >= 300 && statusCode < 400) {
      const place = headers.location === undefined ? "elsewhere" : withoutUser(headers.location);
      fault = `the server sends to ${shown(place)}: that address may be the right one`;
    }
    if (fault === undefined) return;
    answer.destroy();
    throw new Hopeless(fault);
  }
}

async function readAll(answer: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of answer) {
    pieces.push(piece);
    length += piece.length;
    if (length > MAX_BYTES) throw new Error(`expected an answer of at most ${MAX_BYTES} bytes, got more`);
  }
  return Buffer.concat(pieces);
}

function jsonOf({ statusCode }: IncomingMessage, bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    throw new Error(`expected JSON, got status ${statusCode}: ${shown(bytes.toString())}`);
  }
}
