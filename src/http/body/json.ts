/** Reads JSON bodies, scanning a short body when its last byte arrives and a longer body chunk by chunk. */
import type { IncomingMessage } from "node:http";
import type { FastifyRequest } from "fastify";
import { Problem, rejectAt } from "../../problems.ts";
import type { JsonBody, JsonMode } from "../../wire/json/reader.ts";
import { JsonReader } from "../../wire/json/reader.ts";
import { tooLarge } from "../content/content-headers.ts";
import type { LossContext } from "../context.ts";
import { ClientGone } from "../turns.ts";
import { ONE_PIECE_BYTES, SHORT_BYTES } from "./admission.ts";
import { bodyProblem, endedEarly, freeChunk, openBody } from "./inflate.ts";

/** Size of a chunk below which the following ones are joined. Joining copies, and leaves the copied chunks to the garbage collector. */
const TINY_BYTES = 1024;

/** The callback of Fastify's content-type parsers. */
export type ParserDone = (error: Error | null, body?: unknown) => void;

/** Reads a JSON body, without a promise if it is short. */
export function readJson(
  request: FastifyRequest,
  payload: IncomingMessage,
  mode: JsonMode,
  done: ParserDone,
): void {
  const { coding } = request.context.loss!;
  const length = Number(request.headers["content-length"] ?? Number.POSITIVE_INFINITY);
  if (coding === undefined && length <= ONE_PIECE_BYTES) readInOnePiece(request, payload, mode, length, done);
  else scanChunks(request, payload, mode).then((body) => done(null, body), done);
}

/** Collects a body of `length` bytes and scans it. */
function readInOnePiece(
  request: FastifyRequest,
  payload: IncomingMessage,
  mode: JsonMode,
  length: number,
  done: ParserDone,
): void {
  const loss = request.context.loss!;
  const { timings } = loss;
  let chunks: Buffer[] = [];
  let isOver = false;
  const end = (error: Error | null, body?: JsonBody): void => {
    isOver = true;
    chunks = [];
    done(error, body);
  };
  const scan = (): void => {
    timings.enter("decode");
    let body: JsonBody;
    try {
      const reader = new JsonReader(loss.kernel, loss.region, mode);
      for (const chunk of chunks) reader.push(chunk);
      body = reader.end();
    } catch (error) {
      end(describeTarget(error, loss) as Error);
      return;
    }
    end(null, body);
  };
  const onData = (chunk: Buffer): void => {
    if (isOver) return;
    loss.bytes += chunk.length;
    chunks.push(chunk);
    if (loss.bytes === length) {
      scan();
      return;
    }
    try {
      // Reserves memory with the first part of a body, as for a long body.
      loss.region.open();
    } catch (error) {
      end(error as Error);
    }
  };
  timings.enter("read");
  request.context.exchange.expectBody((problem) => {
    if (!isOver) end(problem);
  });
  payload.on("data", onData).once("close", () => {
    if (!isOver) end(endedEarly());
  });
  if (length === 0) scan();
}

/** Pushes each chunk of a body through the scanner. The body is never held as a whole. */
function scanChunks(request: FastifyRequest, payload: IncomingMessage, mode: JsonMode): Promise<JsonBody> {
  const loss = request.context.loss!;
  const { coding, limit, timings } = loss;
  const body = openBody(payload, coding);
  const scan = new ChunkScan(loss, mode);
  return new Promise((resolve, reject) => {
    let isOver = false;
    /** Scan of a chunk that waits for its turn, meanwhile the body is paused. */
    let later: Promise<void> | undefined;
    const onData = (chunk: Buffer<ArrayBuffer>): void => {
      loss.bytes += chunk.length;
      if (loss.bytes > limit.bytes) {
        onError(tooLarge("more", limit));
        return;
      }
      const { length } = chunk;
      later = loss.turnIfBusy(loss.bytes > length ? "begun" : "later")?.then(() => {
        if (!isOver) scanChunk(chunk);
        later = undefined;
        // Emits the chunks that have arrived meanwhile as one, because a client may send them byte by byte.
        if (length < TINY_BYTES) body.read();
        if (later === undefined) body.resume();
      }, onError);
      if (later === undefined) scanChunk(chunk);
      else body.pause();
    };
    const scanChunk = (chunk: Buffer<ArrayBuffer>): void => {
      timings.enter("decode");
      attempt(() => scan.push(chunk));
      freeChunk(chunk, coding);
      timings.enter("read");
    };
    const onEnd = (): void => {
      if (isOver) return;
      body.off("close", onFailure);
      // A stream emits its end although its last chunk has paused it.
      if (later === undefined) finish();
      else later.then(onEnd);
    };
    const finish = (): void => {
      timings.enter("decode");
      attempt(() => {
        const read = scan.end();
        detach();
        resolve(read);
      });
    };
    const onFailure = (error?: unknown): void => onError(bodyProblem(error, coding));
    const onError = (error: unknown): void => {
      detach();
      if (body !== payload) body.destroy();
      reject(describeTarget(error, loss));
    };
    const detach = (): void => {
      isOver = true;
      body.off("data", onData).off("end", onEnd).off("close", onFailure);
      // A destroyed decoder may still fail.
      if (body === payload) body.off("error", onFailure);
    };
    const attempt = (read: () => void): void => {
      try {
        read();
      } catch (error) {
        onError(error);
      }
    };
    timings.enter("read");
    request.context.exchange.expectBody(onError);
    // A decoder may have bytes left when the client leaves, and the memory is another request's then.
    loss.onEnd(() => {
      if (!isOver) onError(new ClientGone("the client has left"));
    });
    body.on("data", onData).once("end", onEnd).once("error", onFailure).once("close", onFailure);
  });
}

/** Scans chunks as they arrive. Keeps a body of unknown length as text while it is short, so that it takes no more memory than it needs. */
class ChunkScan {
  readonly #loss: LossContext;
  readonly #mode: JsonMode;
  #reader: JsonReader | undefined;
  #text: number | undefined;
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
      this.#text ??= region.alloc(SHORT_BYTES);
      kernel.u8.set(chunk, this.#text + this.#keptBytes);
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
    const start = this.#text ?? 0;
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
function describeTarget(error: unknown, { targetElement }: LossContext): unknown {
  if (targetElement === undefined || !(error instanceof Problem) || error.code !== "invalid_element")
    return error;
  const [first] = error.errors;
  if (first === undefined || !first.pointer.startsWith("/target/")) return error;
  return rejectAt(error.code, first.pointer, `expected ${targetElement}`);
}
