/** From the socket into the Arena: the body of a JSON request, scanned as it arrives. */
import type { IncomingMessage } from "node:http";
import type { FastifyRequest } from "fastify";
import { Problem, refuseAt } from "../problems.ts";
import type { JsonBody, JsonMode } from "../wire/json.ts";
import { JsonReader } from "../wire/json.ts";
import { JsonOperands } from "../wire/operands.ts";
import type { Engine } from "./admission.ts";
import { bodyLimitOf, SHORT } from "./admission.ts";
import { bodyProblem, endedEarly, freeChunk, openBody } from "./content-coding.ts";
import { askForBody } from "./held.ts";
import type { Job } from "./job.ts";
import type { SizeLimit } from "./preflight.ts";
import { tooLarge } from "./preflight.ts";
import { jobOf } from "./request.ts";
import { BodySource } from "./source.ts";
import { whenTooSlow } from "./watch.ts";

/** Bodies of at most so many bytes, announced by Content-Length, are taken in one piece. */
const SHORT_BODY_BYTES = 64 * 1024;

/**
 * The content-type parser: gives the rest of a JSON body, in which tensors are placeholders, to the validator. A short body is scanned and
 * handed on in the turn of the event loop in which its last byte arrives, a longer one chunk by chunk.
 */
export function readJson(
  engine: Engine,
  request: FastifyRequest,
  payload: IncomingMessage,
  done: (error: Error | null, body?: unknown) => void,
): void {
  const job = jobOf(request);
  const take = (body: JsonBody): void => {
    job.operands = new JsonOperands(body);
    done(null, body.value);
  };
  const { "content-length": length } = request.headers;
  const isShort = job.coding === undefined && length !== undefined && Number(length) <= SHORT_BODY_BYTES;
  if (isShort) scanShortJson(job, payload, Number(length), take, done);
  else scanJson(engine, request, payload, "contract").then(take, done);
}

/** Takes a body of `length` bytes in one piece and scans it. */
function scanShortJson(
  job: Job,
  payload: IncomingMessage,
  length: number,
  take: (body: JsonBody) => void,
  fail: (error: Error) => void,
): void {
  let chunks: Buffer[] = [];
  let isOver = false;
  const end = (error: Error): void => {
    if (isOver) return;
    isOver = true;
    chunks = [];
    fail(error);
  };
  const scan = (): JsonBody | undefined => {
    job.stages.enter("decode");
    try {
      const { kernel, region } = job.work;
      const reader = new JsonReader(kernel, region, "contract");
      for (const chunk of chunks) reader.push(chunk);
      return reader.end();
    } catch (error) {
      end(nameElement(error, job.operation) as Error);
      return undefined;
    }
  };
  const onData = (chunk: Buffer): void => {
    if (isOver) return;
    job.bytes += chunk.length;
    chunks.push(chunk);
    if (job.bytes === length) onWhole();
    else reserve();
  };
  // A body that comes in parts waits for the next one: its memory is reserved from its first byte on, as that of a long one.
  const reserve = (): void => {
    try {
      job.work.region.open();
    } catch (error) {
      end(error as Error);
    }
  };
  const onWhole = (): void => {
    const body = scan();
    if (body === undefined) return;
    isOver = true;
    chunks = [];
    take(body);
  };
  job.stages.enter("read");
  whenTooSlow(payload, end);
  askForBody(payload);
  payload.on("data", onData).once("close", () => end(endedEarly()));
  if (length === 0) onWhole();
}

/** A body of at most `limit` that is read piece by piece; what is left of it when the answer has gone passes unread. */
export function openSource(job: Job, payload: IncomingMessage, limit: SizeLimit): BodySource {
  const { coding, work } = job;
  // The decoder's memory lies elsewhere, but it counts.
  if (coding !== undefined) work.region.alloc(Math.min(coding.decoderBytes, limit.bytes));
  const source = new BodySource(payload, { limit, coding }, (count) => {
    job.bytes += count;
  });
  job.source = source;
  job.stages.enter("read");
  return source;
}

/** Pushes each chunk of a JSON body through the scanner. The body is never held as a whole. */
export function scanJson(
  engine: Engine,
  request: FastifyRequest,
  payload: IncomingMessage,
  mode: JsonMode,
): Promise<JsonBody> {
  const job = jobOf(request);
  const { coding, limit = bodyLimitOf(engine) } = job;
  const body = openBody(payload, coding);
  const scan = new BodyScan(job, mode);
  return new Promise((resolve, reject) => {
    const onData = (chunk: Buffer<ArrayBuffer>): void => {
      job.bytes += chunk.length;
      if (job.bytes > limit.bytes) onError(tooLarge("more", limit));
      else {
        job.stages.enter("decode");
        attempt(() => scan.push(chunk));
        freeChunk(chunk, coding);
        job.stages.enter("read");
      }
    };
    const onEnd = (): void => {
      job.stages.enter("decode");
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
      reject(nameElement(error, job.operation));
    };
    const detach = (): void => {
      body.off("data", onData).off("end", onEnd).off("close", onFailure);
      // A decoder that is destroyed may still fail.
      if (body === payload) body.off("error", onFailure);
    };
    const attempt = (read: () => void): void => {
      try {
        read();
      } catch (error) {
        onError(error);
      }
    };
    job.stages.enter("read");
    whenTooSlow(payload, onError);
    askForBody(payload);
    body.on("data", onData).once("end", onEnd).once("error", onFailure).once("close", onFailure);
  });
}

/** The scanner behind a body; of one in chunks, the text is kept while it is short, so that it takes no more than it needs. */
class BodyScan {
  readonly #job: Job;
  readonly #mode: JsonMode;
  #reader: JsonReader | undefined;
  #text: number | undefined;
  #kept = 0;

  constructor(job: Job, mode: JsonMode) {
    this.#job = job;
    this.#mode = mode;
  }

  push(chunk: Uint8Array): void {
    if (this.#job.lengthen === undefined) {
      this.#scan(chunk);
      return;
    }
    const { kernel, region } = this.#job.work;
    if (this.#kept + chunk.length <= SHORT) {
      this.#text ??= region.alloc(SHORT);
      kernel.u8.set(chunk, this.#text + this.#kept);
      this.#kept += chunk.length;
      return;
    }
    // Copied, since the longer reservation may lie in the same place.
    const text = this.#keptText().slice();
    this.#job.lengthen();
    this.#job.lengthen = undefined;
    this.#scan(text);
    this.#scan(chunk);
  }

  end(): JsonBody {
    if (this.#job.lengthen !== undefined) this.#scan(this.#keptText());
    return this.#open().end();
  }

  #keptText(): Uint8Array {
    const start = this.#text ?? 0;
    return this.#job.work.kernel.u8.subarray(start, start + this.#kept);
  }

  #scan(bytes: Uint8Array): void {
    this.#open().push(bytes);
  }

  #open(): JsonReader {
    const { kernel, region } = this.#job.work;
    this.#reader ??= new JsonReader(kernel, region, this.#mode);
    return this.#reader;
  }
}

const INDEX = "a class index, an integer";

/** What the elements of an operation's target are. */
const TARGETS: Readonly<Record<string, string>> = {
  nllLoss: INDEX,
  crossEntropy: `${INDEX}, or a probability, a number`,
};

/** The scanner takes every field for numbers; who wrote a class by its name is told what stands for it. */
function nameElement(error: unknown, operation: string): unknown {
  const target = TARGETS[operation];
  if (target === undefined || !(error instanceof Problem) || error.code !== "invalid_element") return error;
  const [place] = error.errors;
  if (place === undefined || !place.pointer.startsWith("/target/")) return error;
  return refuseAt(error.code, place.pointer, `expected ${target}`);
}
