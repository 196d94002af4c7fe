/** From the socket into the Arena: the body of a JSON request, scanned as it arrives. */
import type { IncomingMessage } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Kernel } from "../kernel/kernel.ts";
import { Problem } from "../problems.ts";
import type { Arena } from "../tensor/arena.ts";
import { JsonReader } from "../wire/json.ts";
import { JsonOperands } from "../wire/operands.ts";
import { Job } from "./job.ts";
import { answerMedia } from "./media.ts";
import { checkBodyHeaders, refuseQuery, tooLarge } from "./preflight.ts";

/** What every request computes with. */
export interface Engine {
  readonly kernel: Kernel;
  readonly arena: Arena;
  /** Bytes of a body, or of tensors, that have to be in memory at once. */
  readonly bodyLimit: number;
  /** Bytes of a body that is computed as it arrives. */
  readonly streamLimit: number;
}

/** Beside 4 bytes for each byte of body (a double for every 2 characters): the scanner's state and a little work space. */
const FIXED_BYTES = 64 * 1024;

/**
 * Checks a request's headers, reserves its memory and returns it when the answer has left. A JSON body's memory is reserved all or nothing;
 * that of a safetensors file is taken once its header has been read.
 */
export function admit(engine: Engine, operation: string, request: FastifyRequest, reply: FastifyReply): void {
  const { headers } = request;
  const { arena, bodyLimit, streamLimit } = engine;
  const { media, length } = checkBodyHeaders(headers, { json: bodyLimit, safetensors: streamLimit });
  const answer = answerMedia(headers.accept, media);
  if (media === "json") refuseQuery(request.query);
  const price = (media === "json" ? 4 * length : 0) + FIXED_BYTES;
  if (price > arena.capacity) {
    throw tooLarge(`${length} bytes, for which the memory budget has no room`, bodyLimit);
  }
  const region = arena.reserve(price);
  const job = new Job(operation, { kernel: engine.kernel, region }, answer);
  reply.raw.once("finish", () => job.source?.discard());
  reply.raw.once("close", () => region.release());
  request.job = job;
}

/**
 * The content-type parser: pushes each chunk through the scanner and gives the rest of the body, in which tensors are placeholders,
 * to the validator. The body is never held as a whole.
 */
export function readJson(
  engine: Engine,
  request: FastifyRequest,
  payload: IncomingMessage,
): Promise<unknown> {
  const { job } = request;
  const reader = new JsonReader(job.work.kernel, job.work.region, "contract");
  return new Promise((resolve, reject) => {
    const onData = (chunk: Buffer): void => {
      job.bytes += chunk.length;
      if (job.bytes > engine.bodyLimit) onError(tooLarge("more", engine.bodyLimit));
      else attempt(() => reader.push(chunk));
    };
    const onEnd = (): void => {
      attempt(() => {
        const body = reader.end();
        job.operands = new JsonOperands(body);
        detach();
        resolve(body.value);
      });
    };
    const onClose = (): void => onError(new Problem("malformed_request", "the body ended early"));
    const onError = (error: unknown): void => {
      detach();
      reject(error);
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
    payload.on("data", onData).once("end", onEnd).once("error", onClose).once("close", onClose);
  });
}
