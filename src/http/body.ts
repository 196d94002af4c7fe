/** From the socket into the Arena: the body of a JSON request, scanned as it arrives. */
import type { IncomingMessage } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Kernel } from "../kernel/kernel.ts";
import { Problem, refuseAt } from "../problems.ts";
import type { Arena } from "../tensor/arena.ts";
import type { JsonBody, JsonMode } from "../wire/json.ts";
import { JsonReader } from "../wire/json.ts";
import { JsonOperands } from "../wire/operands.ts";
import type { Backlog } from "./backlog.ts";
import { estimate } from "./backlog.ts";
import { askForBody } from "./held.ts";
import { Job } from "./job.ts";
import { answerMedia } from "./media.ts";
import { checkBodyHeaders, refuseQuery, tooLarge } from "./preflight.ts";
import { jobOf } from "./request.ts";
import { BodySource } from "./source.ts";
import { whenTooSlow } from "./watch.ts";

/** What every request computes with. */
export interface Engine {
  readonly kernel: Kernel;
  readonly arena: Arena;
  readonly backlog: Backlog;
  /** Bytes of a body, or of tensors, that have to be in memory at once. */
  readonly bodyLimit: number;
  /** Bytes of a body that is computed as it arrives. */
  readonly streamLimit: number;
}

/** Beside 4 bytes for each byte of body (a double for every 2 characters): the scanner's state and a little work space. */
const FIXED_BYTES = 64 * 1024;

/** By what a request is admitted, before a byte of its body is read. */
export interface Price {
  /** Bytes for its tensors. */
  readonly memory: number;
  /** What it will take of one core. */
  readonly seconds: number;
  /** The bytes of its body, as far as they are announced. */
  readonly length: number;
}

/**
 * Checks a request's headers and plans its memory. That of a JSON body is reserved with its first byte, all or nothing;
 * that of a safetensors file is taken once its header has been read. It comes back when the answer has left.
 */
export function admit(engine: Engine, operation: string, request: FastifyRequest, reply: FastifyReply): void {
  const { headers } = request;
  const { bodyLimit, streamLimit } = engine;
  const { media, length } = checkBodyHeaders(headers, { json: bodyLimit, safetensors: streamLimit });
  const answer = answerMedia(headers.accept, media);
  if (media === "json") refuseQuery(request.query);
  // A chunked upload of any size may be short.
  const upload = headers["content-length"] === undefined ? bodyLimit : length;
  const price =
    media === "json"
      ? { memory: 4 * length, seconds: estimate(length, 0), length }
      : { memory: 0, seconds: estimate(0, upload), length: upload };
  openJob(engine, operation, request, reply, price).answer = answer;
}

/** The job of a request, whose memory is taken with the first byte of its body, all or nothing; it ends when the answer has left. */
export function openJob(
  engine: Engine,
  operation: string,
  request: FastifyRequest,
  reply: FastifyReply,
  { memory, seconds, length }: Price,
): Job {
  const { arena, backlog, kernel, bodyLimit } = engine;
  if (memory + FIXED_BYTES > arena.largest) {
    throw tooLarge(`${memory} bytes of numbers, for which the memory budget has no room`, bodyLimit);
  }
  backlog.check(seconds);
  // Taken with the first byte: memory that is only announced would let clients that send nothing shut out all others.
  const region = arena.plan(memory + FIXED_BYTES);
  const job = new Job(operation, { kernel, region });
  const leave = backlog.add(seconds, () => job.bytes / length);
  reply.raw.once("finish", () => job.source?.discard());
  reply.raw.once("close", () => {
    region.release();
    leave();
  });
  request.job = job;
  return job;
}

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

/** A body of at most `limit` bytes that is read piece by piece; what is left of it when the answer has gone passes unread. */
export function openSource(job: Job, payload: IncomingMessage, limit: number): BodySource {
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
  let reader: JsonReader | undefined;
  const open = (): JsonReader => {
    reader ??= new JsonReader(job.work.kernel, job.work.region, mode);
    return reader;
  };
  return new Promise((resolve, reject) => {
    const onData = (chunk: Buffer): void => {
      job.bytes += chunk.length;
      if (job.bytes > engine.bodyLimit) onError(tooLarge("more", engine.bodyLimit));
      else {
        job.stages.enter("decode");
        attempt(() => open().push(chunk));
        job.stages.enter("read");
      }
    };
    const onEnd = (): void => {
      job.stages.enter("decode");
      attempt(() => {
        const body = open().end();
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
