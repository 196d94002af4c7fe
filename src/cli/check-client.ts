/** HTTP client of `lossd check`. */
import type { IncomingHttpHeaders, IncomingMessage, RequestOptions } from "node:http";
import { withoutUser } from "../user-error.ts";
import { below } from "./address.ts";
import { escapeText } from "./escape.ts";
import { authorization, begin, networkFault, responseOf } from "./http-client.ts";
import { ACCEPT } from "./responses.ts";

/** Longest response body that is read. The largest document, the contract, has 140 KiB. */
const MAX_BODY_BYTES = 1024 * 1024;

/** Thrown for a failure that all later checks would repeat. */
export class FatalCheckError extends Error {
  override readonly name = "FatalCheckError";
}

/** Complete response of a server. */
export interface ClientResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  // biome-ignore lint/suspicious/noExplicitAny: what a server answers is looked at member by member
  json(): any;
}

/** Connection settings of a {@link Client}. */
export interface ClientOptions {
  readonly token: string | undefined;
  /** Longest time for one response, in milliseconds. */
  readonly timeout: number;
  readonly stopped: AbortSignal;
  /** Unix socket to connect to instead of the URL's host and port. */
  readonly socketPath: string | undefined;
}

/** Client for one server. */
export class Client {
  readonly #base: URL;
  readonly #options: ClientOptions;

  constructor(base: URL, options: ClientOptions) {
    this.#base = base;
    this.#options = options;
  }

  get(path: string, headers: Record<string, string> = {}): Promise<ClientResponse> {
    return this.#ask(path, { method: "GET", headers }, "");
  }

  send(path: string, body: unknown): Promise<ClientResponse> {
    const headers = { "content-type": "application/json" };
    return this.#ask(path, { method: "POST", headers }, JSON.stringify(body));
  }

  sendFile(path: string, body: Buffer): Promise<ClientResponse> {
    const headers = { "content-type": ACCEPT.safetensors[0] };
    return this.#ask(path, { method: "POST", headers }, body);
  }

  /** Returns the JSON of a response with status 200. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  async post(path: string, body: unknown): Promise<any> {
    const { status, json, bytes } = await this.send(path, body);
    if (status !== 200)
      throw new Error(`expected status 200, got ${status}: ${escapeText(bytes.toString())}`);
    return json();
  }

  async #ask(path: string, options: RequestOptions, body: string | Buffer): Promise<ClientResponse> {
    const { timeout, stopped, token, socketPath } = this.#options;
    const url = below(this.#base, path);
    const limit = AbortSignal.timeout(timeout);
    const length = { "content-length": Buffer.byteLength(body) };
    const headers = { ...options.headers, ...length, ...authorization(token) };
    const signal = AbortSignal.any([limit, stopped]);
    const request = begin(url, { ...options, headers, signal, socketPath });
    request.end(body);
    const late = new FatalCheckError(`no response within ${timeout / 1000} s`);
    const response = await responseOf(request, url).catch((error: Error) => {
      throw limit.aborted ? late : new FatalCheckError(error.message);
    });
    this.#rejectStatus(response);
    const bytes = await readAll(response).catch((error: NodeJS.ErrnoException) => {
      if (limit.aborted) throw late;
      throw error.code === "ECONNRESET" ? new Error("the response was cut off") : networkFault(error, url);
    });
    // Checks the timeout again because an aborted body without a length ends without an error.
    if (limit.aborted) throw late;
    stopped.throwIfAborted();
    return {
      status: response.statusCode!,
      headers: response.headers,
      bytes,
      json: () => jsonOf(response, bytes),
    };
  }

  /** Rejects statuses that every other request would get, too. */
  #rejectStatus(response: IncomingMessage): void {
    const { statusCode = 0, headers } = response;
    const isKnown = this.#options.token !== undefined;
    let fault: string | undefined;
    if (statusCode === 401)
      fault = isKnown
        ? "the server rejected the token of --token-file"
        : "the server requires a token: --token-file FILE";
    else if (statusCode >= 300 && statusCode < 400) {
      const place = headers.location === undefined ? "elsewhere" : withoutUser(headers.location);
      fault = `the server redirects to ${escapeText(place)}: that address may be the right one`;
    }
    if (fault === undefined) return;
    response.destroy();
    throw new FatalCheckError(fault);
  }
}

async function readAll(response: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of response) {
    pieces.push(piece);
    length += piece.length;
    if (length > MAX_BODY_BYTES)
      throw new Error(`expected a response of at most ${MAX_BODY_BYTES} bytes, got more`);
  }
  return Buffer.concat(pieces);
}

function jsonOf({ statusCode }: IncomingMessage, bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    throw new Error(`expected JSON, got status ${statusCode}: ${escapeText(bytes.toString())}`);
  }
}
