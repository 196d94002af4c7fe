/** From the socket into the Arena: the body of a JSON request, scanned as it arrives. */
import type { IncomingMessage } from "node:http";
import type { FastifyRequest } from "fastify";
import { Problem, refuseAt } from "../problems.ts";
import type { JsonBody, JsonMode } from "../wire/json.ts";
import { JsonReader } from "../wire/json.ts";
import { JsonOperands } from "../wire/operands.ts";
import type { Engine } from "./admission.ts";
import { bodyLimitOf, SHORT } from "./admission.ts";
import { askForBody } from "./held.ts";
import type { Job } from "./job.ts";
import type { SizeLimit } from "./preflight.ts";
import { tooLarge } from "./preflight.ts";
import { jobOf } from "./request.ts";
import { BodySource, releaseChunk } from "./source.ts";
import { whenTooSlow } from "./watch.ts";

/**
 * The content-type parser: gives the rest of a JSON body, in which tensors are placeholders, to the validator.
 */
export async function readJson(
  engine: Engine,
  request: FastifyRequest,
  payload: IncomingMessage,
): Promise<unknown> {
  const body = await scanJson(engine, request, payload, "contract");
  jobOf(request).operands = new JsonOperands(body);
  return body.value;
}

/** A body within `limit` that is read piece by piece; what is left of it when the answer has gone passes unread. */
export function openSource(job: Job, payload: IncomingMessage, limit: SizeLimit): BodySource {
  const source = new BodySource(payload, limit, (count) => {
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
  const limit = job.limit ?? bodyLimitOf(engine);
  const scan = new BodyScan(job, mode);
  return new Promise((resolve, reject) => {
    const onData = (chunk: Buffer<ArrayBuffer>): void => {
      job.bytes += chunk.length;
      if (job.bytes > limit.bytes) onError(tooLarge("more", limit));
      else {
        job.stages.enter("decode");
        attempt(() => scan.push(chunk));
        releaseChunk(chunk);
        job.stages.enter("read");
      }
    };
    const onEnd = (): void => {
      job.stages.enter("decode");
      attempt(() => {
        const body = scan.end();
        detach();
        resolve(body);
      });
    };
    const onClose = (): void => onError(new Problem("malformed_request", "the body ended early"));
    const onError = (error: unknown): void => {
      detach();
      reject(nameElement(error, job.operation));
    };
    const detach = (): void => {
      payload.off("data", onData).off("end", onEnd).off("error", onClose).off("close", onClose);
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
    payload.on("data", onData).once("end", onEnd).once("error", onClose).once("close", onClose);
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
