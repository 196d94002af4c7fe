/** By what a request is let in: what it takes of memory and time, told from its headers, before a byte of its body is read. */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Kernel } from "../kernel/kernel.ts";
import type { Arena } from "../tensor/arena.ts";
import type { Backlog } from "./backlog.ts";
import { estimate } from "./backlog.ts";
import type { Coding } from "./content-coding.ts";
import { Job } from "./job.ts";
import { answerMedia } from "./media.ts";
import type { SizeLimit } from "./preflight.ts";
import { checkBodyHeaders, inflatedSizeLimit, refuseQuery, tellsLength, tooLarge } from "./preflight.ts";

/** What every request computes with. */
export interface Engine {
  readonly kernel: Kernel;
  readonly arena: Arena;
  readonly backlog: Backlog;
  /** Bytes of a body, or of tensors, that have to be in memory at once. */
  readonly bodyLimit: number;
  /** Bytes of a body that is computed as it arrives. */
  readonly streamLimit: number;
  /** Whether long JSON responses are compressed for every client that offers a coding; default: for clients that refuse identity. */
  readonly compressAnswers?: boolean;
}

/** The limit of a body that has to be in memory at once. */
export function bodyLimitOf({ bodyLimit }: Engine): SizeLimit {
  return { bytes: bodyLimit, setting: "BODY_LIMIT" };
}

/** Beside 4 bytes for each byte of body (a double for every 2 characters): the scanner's state and a little work space. */
const FIXED_BYTES = 64 * 1024;

/** Bytes of JSON that come in chunks and are short: their text is kept until they end. Longer ones take what the longest needs. */
export const SHORT = 768 * 1024;

/** What a request takes. */
export interface Price {
  /** Bytes for its tensors. */
  readonly memory: number;
  /** What it will take of one core. */
  readonly seconds: number;
  /** The bytes of its body, as far as they are announced. */
  readonly length: number;
}

/** The price of a body with so many bytes of JSON, and of numbers behind it. */
export function priceOf(json: number, binary: number): Price {
  return { memory: 4 * json + binary, seconds: estimate(json, binary), length: json + binary };
}

/** Of a short body in chunks: its text and its numbers. */
const SHORT_PRICE: Price = { ...priceOf(SHORT, 0), memory: 5 * SHORT };

/**
 * Checks a request's headers and plans its memory. That of a JSON body is reserved with its first byte, all or nothing;
 * that of a safetensors file is taken once its header has been read. It comes back when the answer has left.
 */
export function admit(engine: Engine, operation: string, request: FastifyRequest, reply: FastifyReply): void {
  const { headers } = request;
  const { bodyLimit, streamLimit } = engine;
  const { media, length, coding } = checkBodyHeaders(headers, {
    json: bodyLimitOf(engine),
    safetensors: { bytes: streamLimit, setting: "STREAM_LIMIT" },
  });
  const answer = answerMedia(headers.accept, media);
  const mayBeShort = !tellsLength(headers, coding);
  if (media === "json") {
    refuseQuery(request.query);
    openJob(engine, operation, request, reply, priceOf(length, 0), { mayBeShort, coding }).answer = answer;
  } else {
    // An upload of an unknown size may be short.
    const upload = mayBeShort ? Math.min(length, bodyLimit) : length;
    const price = { memory: 0, seconds: estimate(0, upload), length: upload };
    openJob(engine, operation, request, reply, price, { coding }).answer = answer;
  }
}

/** What the headers say of a body beside its price. */
interface Sent {
  /** Whether it is all JSON, of an unknown length. */
  readonly mayBeShort?: boolean;
  readonly coding?: Coding | undefined;
}

/**
 * The job of a request, whose memory is taken with the first byte of its body, all or nothing; it ends when the answer has left. A body that is
 * all JSON and chunked, as .NET's clients send every one, or compressed pays for a short one first: few of the longest would fill the Arena.
 */
export function openJob(
  engine: Engine,
  operation: string,
  request: FastifyRequest,
  reply: FastifyReply,
  price: Price,
  { mayBeShort = false, coding }: Sent = {},
): Job {
  const { arena, backlog, kernel } = engine;
  const paysShort = mayBeShort && price.memory > SHORT_PRICE.memory;
  const first = withDecoder(paysShort ? SHORT_PRICE : price, coding);
  checkPrice(engine, first);
  // Taken with the first byte: memory that is only announced would let clients that send nothing shut out all others.
  const region = arena.plan(first.memory + FIXED_BYTES);
  const job = new Job(operation, { kernel, region });
  job.coding = coding;
  job.compressAnswers = engine.compressAnswers ?? false;
  if (coding !== undefined) job.limit = inflatedSizeLimit(price.length, bodyLimitOf(engine));
  let leave = backlog.add(first.seconds, () => job.bytes / first.length);
  if (paysShort) {
    const room = arena.largest - FIXED_BYTES - (coding?.decoderBytes ?? 0);
    // Less what alignment may add.
    const most = Math.min(price.length, Math.floor(room / 4) - 16);
    const long = withDecoder(priceOf(most, 0), coding);
    if (most < price.length) job.limit = { bytes: most, setting: "MEMORY_BUDGET" };
    job.lengthen = () => {
      leave();
      checkPrice(engine, long);
      region.replan(long.memory + FIXED_BYTES);
      leave = backlog.add(long.seconds, () => job.bytes / long.length);
    };
  }
  reply.raw.once("finish", () => job.source?.discard());
  reply.raw.once("close", () => {
    region.release();
    leave();
  });
  request.job = job;
  return job;
}

/** A price with the memory of a decoder, which touches no more of its window than the body inflates to. */
function withDecoder(price: Price, coding: Coding | undefined): Price {
  if (coding === undefined) return price;
  return { ...price, memory: price.memory + Math.min(coding.decoderBytes, price.length) };
}

/** Refuses what there can never be room for, and what would wait too long. */
function checkPrice({ arena, backlog }: Engine, { memory, seconds, length }: Price): void {
  const room: SizeLimit = { bytes: arena.largest - FIXED_BYTES, setting: "MEMORY_BUDGET" };
  if (memory > room.bytes)
    throw tooLarge(`${memory} bytes that the numbers of a body of ${length} bytes may take`, room);
  backlog.check(seconds);
}
