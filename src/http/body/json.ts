/** Reads JSON bodies, scanning a short body when its last byte arrives and a longer body chunk by chunk. */
import type { IncomingMessage } from "node:http";
import type { FastifyRequest } from "fastify";
import { Problem, rejectAt } from "../../problems.ts";
import type { JsonBody, JsonMode } from "../../wire/json/reader.ts";
import { JsonReader } from "../../wire/json/reader.ts";
import { freeChunk } from "../chunks.ts";
import type { LossContext } from "../context.ts";
import { SHORT_BYTES } from "./admission.ts";
import type { ParserDone } from "./one-piece.ts";
import { onePieceLength, readInOnePiece } from "./one-piece.ts";
import { BodyReader } from "./reader.ts";

/** Reads a JSON body, without a promise if it is short. */
export function readJson(
  request: FastifyRequest,
  payload: IncomingMessage,
  mode: JsonMode,
  done: ParserDone,
): void {
  const length = onePieceLength(request);
  if (length === undefined) readInChunks(request, payload, mode).then((body) => done(null, body), done);
  else readInOnePiece(request, payload, length, (chunks) => scanChunks(request, mode, chunks), done);
}

/** Scans JSON of which all chunks have arrived. */
export function scanChunks(request: FastifyRequest, mode: JsonMode, chunks: readonly Uint8Array[]): JsonBody {
  const { kernel, region } = request.context.loss!;
  try {
    const reader = new JsonReader(kernel, region, mode);
    for (const chunk of chunks) reader.push(chunk);
    return reader.end();
  } catch (error) {
    throw describeTarget(error, request);
  }
}

/** Scans a body chunk by chunk. It is never held as a whole. */
async function readInChunks(
  request: FastifyRequest,
  payload: IncomingMessage,
  mode: JsonMode,
): Promise<JsonBody> {
  const { context } = request;
  const loss = context.loss!;
  const { coding, limit, timings } = loss;
  const body = new BodyReader(context, payload, limit);
  const scan = new ChunkScan(loss, mode);
  try {
    for (;;) {
      const chunk = await body.next(loss.bytes === 0 ? "later" : "begun");
      timings.enter("decode");
      if (chunk === undefined) return scan.end();
      scan.push(chunk);
      freeChunk(chunk, coding);
      timings.enter("read");
    }
  } catch (error) {
    throw describeTarget(error, request);
  }
}

/** Scans chunks as they arrive. Keeps a body of unknown length as text while it is short, so that it takes no more memory than it needs. */
class ChunkScan {
  readonly #loss: LossContext;
  readonly #mode: JsonMode;
  #reader: JsonReader | undefined;
  /** Address and length of the text that is kept. */
  #keptAt: number | undefined;
  #keptBytes = 0;

  constructor(loss: LossContext, mode: JsonMode) {
    this.#loss = loss;
    this.#mode = mode;
  }

  push(chunk: Uint8Array): void {
    const { kernel, region, reserveLongest } = this.#loss;
    if (reserveLongest === undefined) {
      this.#scan(chunk);
      return;
    }
    if (this.#keptBytes + chunk.length <= SHORT_BYTES) {
      this.#keptAt ??= region.alloc(SHORT_BYTES);
      kernel.u8.set(chunk, this.#keptAt + this.#keptBytes);
      this.#keptBytes += chunk.length;
      return;
    }
    // Copied because the longer reservation may have the same address.
    const text = this.#keptText().slice();
    reserveLongest();
    this.#loss.reserveLongest = undefined;
    this.#scan(text);
    this.#scan(chunk);
  }

  end(): JsonBody {
    if (this.#loss.reserveLongest !== undefined) this.#scan(this.#keptText());
    return this.#open().end();
  }

  #keptText(): Uint8Array {
    const start = this.#keptAt ?? 0;
    return this.#loss.kernel.u8.subarray(start, start + this.#keptBytes);
  }

  #scan(bytes: Uint8Array): void {
    this.#open().push(bytes);
  }

  #open(): JsonReader {
    this.#reader ??= new JsonReader(this.#loss.kernel, this.#loss.region, this.#mode);
    return this.#reader;
  }
}

/** Describes an invalid element of the target for clients that send class names, because the scanner does not know the field's meaning. */
function describeTarget(error: unknown, { routeOptions }: FastifyRequest): unknown {
  const { targetElement } = routeOptions.config;
  if (targetElement === undefined || !(error instanceof Problem) || error.code !== "invalid_element")
    return error;
  const [first] = error.errors;
  if (first === undefined || !first.pointer.startsWith("/target/")) return error;
  return rejectAt(error.code, first.pointer, `expected ${targetElement}`);
}
