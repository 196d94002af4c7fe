/** Admission control: estimates memory and CPU time from the headers, before the body is read. */
import type { FastifyRequest } from "fastify";
import type { Kernel } from "../../kernel/load.ts";
import type { LossName } from "../../loss/names.ts";
import type { Arena, Region } from "../../tensor/arena.ts";
import { SMALL_BYTES } from "../../tensor/arena.ts";
import type { Coding } from "../content/content-coding.ts";
import type { BodyFormat, SizeLimit } from "../content/content-headers.ts";
import {
  checkBodyHeaders,
  inflatedSizeLimit,
  isLengthKnown,
  rejectQuery,
  responseFormatOf,
  tooLarge,
} from "../content/content-headers.ts";
import { LossContext } from "../context.ts";
import type { LoadEstimate } from "../limits/load-estimate.ts";
import { secondsFor } from "../limits/load-estimate.ts";
import type { MemoryQueue } from "../limits/memory-queue.ts";

/** Kernel, memory and limits that every loss uses. */
export interface Engine {
  readonly kernel: Kernel;
  readonly arena: Arena;
  readonly load: LoadEstimate;
  readonly queue: MemoryQueue;
  /** Maximum size of a body, or of tensors, in memory at once. */
  readonly bodyLimit: number;
  /** Maximum size of a body that is computed as it arrives. */
  readonly streamLimit: number;
  /** Whether to compress long JSON responses for every client that offers a coding (default: only for clients that reject identity). */
  readonly compressResponses?: boolean;
}

/** Returns the limit of a body in memory. */
export function bodyLimitOf({ bodyLimit }: Engine): SizeLimit {
  return { bytes: bodyLimit, setting: "BODY_LIMIT" };
}

/** Bytes that every reservation adds to its cost for the scanner's tables and a loss's scratch memory. */
const FIXED_BYTES = 64 * 1024;

/** Longest body that is read in one piece, and then computed in the turn of the event loop in which its last byte arrives. */
export const ONE_PIECE_BYTES = 64 * 1024;

/** Returns the limit of a body that is read in one piece. */
export function onePieceLimit({ bodyLimit }: Engine): number {
  return Math.min(ONE_PIECE_BYTES, bodyLimit);
}

/** Initial reservation of a JSON body of unknown length, which is kept as text meanwhile. A longer body takes the largest reservation. */
export const SHORT_BYTES = 768 * 1024;

/** Estimated cost of a request. */
export interface Cost {
  /** Bytes of memory for its tensors. */
  readonly memory: number;
  /** Bytes of its body, as announced. */
  readonly length: number;
  /** Bytes of binary numbers among them. */
  readonly binary: number;
}

/** Estimates the cost of a body with so many bytes of JSON and of binary numbers. */
export function costOf(json: number, binary: number): Cost {
  return { memory: 4 * json + binary, length: json + binary, binary };
}

/** Estimates the seconds of one core. */
function secondsOf({ length, binary }: Cost): number {
  return secondsFor(length - binary, binary);
}

/** Returns the bytes that a request with this cost reserves. */
function bytesOf({ memory }: Cost): number {
  return memory + FIXED_BYTES;
}

/** Initial cost of a JSON body of unknown length, for its text and its numbers. */
const SHORT_COST: Cost = { ...costOf(SHORT_BYTES, 0), memory: 5 * SHORT_BYTES };

/** Cost and format of a body, estimated from its headers. */
export interface BodyEstimate {
  readonly cost: Cost;
  readonly responseFormat: BodyFormat;
  readonly coding: Coding | undefined;
  /** The model of an inference request. */
  readonly model?: string;
  /** Whether the body is JSON of unknown length, which first reserves for a short one. */
  readonly mayBeShort: boolean;
}

/**
 * Checks a request's headers and plans its memory, see {@link admitLoss}. Safetensors reserves memory once its header has been read. The end of
 * the request releases it. `checkOptions` checks the query string of a file that the client sends only after 100 Continue, because it may
 * miss a response that comes while it sends.
 */
export function admit(
  engine: Engine,
  operation: LossName,
  request: FastifyRequest,
  checkOptions: (query: unknown) => void,
): Promise<void> | undefined {
  const { headers } = request;
  const { format, length, coding } = checkBodyHeaders(headers, {
    json: bodyLimitOf(engine),
    safetensors: { bytes: engine.streamLimit, setting: "STREAM_LIMIT" },
  });
  const responseFormat = responseFormatOf(headers.accept, format);
  const hasLength = isLengthKnown(headers, coding);
  if (format === "json") {
    rejectQuery(request.query);
    return admitLoss(engine, operation, request, {
      cost: costOf(length, 0),
      responseFormat,
      coding,
      mayBeShort: !hasLength,
    });
  }
  if (request.context.exchange.holdsBody) checkOptions(request.query);
  // A file of unknown length may be short, so it counts with BODY_LIMIT at most.
  const bytes = hasLength ? length : Math.min(length, engine.bodyLimit);
  // A file in one piece is in memory at once, usually with an output of its size.
  const memory = hasLength && length <= onePieceLimit(engine) ? 2 * length : 0;
  const cost = { memory, length: bytes, binary: bytes };
  return admitLoss(engine, operation, request, { cost, responseFormat, coding, mayBeShort: false });
}

/**
 * Creates the context of a loss and plans its memory, which a request reserves with the first byte of its body. Returns a promise for a large
 * request, which waits for that byte and, if there is no room, for memory. A JSON body of unknown length, which .NET's clients always send,
 * first reserves for a short body, because few of the longest would fill the Arena.
 */
export function admitLoss(
  engine: Engine,
  operation: LossName,
  request: FastifyRequest,
  estimate: BodyEstimate,
): Promise<void> | undefined {
  const { arena, queue } = engine;
  const { cost, coding, mayBeShort } = estimate;
  if (coding === undefined && !mayBeShort && cost.length <= ONE_PIECE_BYTES) {
    // Neither waits for other requests nor makes them wait.
    checkMemory(arena, cost);
    addContext(engine, operation, request, estimate, arena.reserveLazily(bytesOf(cost)), bodyLimitOf(engine));
    return undefined;
  }
  const reservation = reservationOf(engine, estimate);
  checkCost(engine, reservation.first);
  const bytes = bytesOf(reservation.first);
  const isSmall = bytes <= SMALL_BYTES;
  const region = isSmall ? arena.reserveLazily(bytes) : arena.reserveLazilyUnchecked(bytes);
  const loss = addContext(engine, operation, request, estimate, region, reservation.limit);
  if (isSmall) {
    trackLoad(engine, loss, reservation);
    return undefined;
  }
  const begin = (): Promise<void> | undefined => {
    loss.checkHeld();
    trackLoad(engine, loss, reservation);
    return queue.reserve(region);
  };
  const silence = firstByte(request);
  return silence === undefined ? begin() : silence.then(begin);
}

/** Calls `done` once the request has its memory, at once if it need not wait. */
export function whenAdmitted(wait: Promise<void> | undefined, done: (error?: Error) => void): void {
  if (wait === undefined) done();
  else wait.then(() => done(), done);
}

/** Adds the context of a loss to its request. */
function addContext(
  { kernel, compressResponses = false }: Engine,
  operation: LossName,
  { context }: FastifyRequest,
  { model, responseFormat, coding }: BodyEstimate,
  region: Region,
  limit: SizeLimit,
): LossContext {
  const loss = new LossContext({
    operation,
    model,
    kernel,
    region,
    responseFormat,
    coding,
    limit,
    compressResponses,
  });
  context.loss = loss;
  context.exchange.region = region;
  return loss;
}

/** Memory and time that are reserved for a body, in two steps if its length is unknown. */
interface Reservation {
  readonly first: Cost;
  /** Replaces `first` once the body is long. */
  readonly longest: Cost | undefined;
  /** Maximum size of the inflated body. */
  readonly limit: SizeLimit;
}

/** Plans the reservation of a body that is not read in one piece. */
function reservationOf(engine: Engine, { cost, coding, mayBeShort }: BodyEstimate): Reservation {
  const limit = limitOf(engine, cost, coding);
  if (!mayBeShort || cost.memory <= SHORT_COST.memory)
    return { first: withDecoder(cost, coding), longest: undefined, limit };
  // The longest body that fits the Arena. Alignment may add up to 16 bytes.
  const room = engine.arena.largest - FIXED_BYTES - (coding?.decoderBytes ?? 0);
  const bytes = Math.min(cost.length, Math.floor(room / 4) - 16);
  return {
    first: withDecoder(SHORT_COST, coding),
    longest: withDecoder(costOf(bytes, 0), coding),
    limit: bytes < cost.length ? { bytes, setting: "MEMORY_BUDGET" } : limit,
  };
}

/** Returns the maximum size of the inflated body. */
function limitOf(engine: Engine, { length }: Cost, coding: Coding | undefined): SizeLimit {
  const limit = bodyLimitOf(engine);
  return coding === undefined ? limit : inflatedSizeLimit(length, limit);
}

/** Adds the memory of a decoder, which uses no more of its window than the inflated body. */
function withDecoder(cost: Cost, coding: Coding | undefined): Cost {
  if (coding === undefined) return cost;
  return { ...cost, memory: cost.memory + Math.min(coding.decoderBytes, cost.length) };
}

/** Counts the request as in progress until it ends, first with the short cost and then, if its body is long, with the longest. */
function trackLoad(engine: Engine, loss: LossContext, { first, longest }: Reservation): void {
  let leave = engine.load.add(secondsOf(first), () => loss.bytes / first.length);
  if (longest !== undefined) {
    loss.reserveLongest = () => {
      leave?.();
      checkCost(engine, longest);
      loss.region.replaceLazily(bytesOf(longest));
      leave = engine.load.add(secondsOf(longest), () => loss.bytes / longest.length);
    };
  }
  if (leave !== undefined || longest !== undefined) loss.onEnd(() => leave?.());
}

/** Rejects a request that can never fit the Arena, or that would wait too long. */
function checkCost({ arena, load }: Engine, cost: Cost): void {
  checkMemory(arena, cost);
  load.check(secondsOf(cost));
}

function checkMemory(arena: Arena, { memory, length }: Cost): void {
  const room = arena.largest - FIXED_BYTES;
  if (memory > room) {
    throw tooLarge(`${memory} bytes that the numbers of a body of ${length} bytes may take`, {
      bytes: room,
      setting: "MEMORY_BUDGET",
    });
  }
}

/**
 * Waits for the first byte of a large body, so that an announced body that never arrives takes neither memory nor a place in the queue. Rejects
 * one that is too slow. Undefined if it has begun.
 */
function firstByte({ raw, context }: FastifyRequest): Promise<void> | undefined {
  if (raw.readableLength > 0 || raw.complete) return undefined;
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      raw.off("readable", onByte).off("close", onByte);
      // The time in the queue is not the client's.
      context.exchange.onSlowBody = undefined;
      context.exchange.waitsForBody = false;
      settle();
    };
    // A body that ends without a byte fails later.
    const onByte = (): void => end(resolve);
    context.exchange.expectBody((problem) => end(() => reject(problem)));
    raw.once("readable", onByte).once("close", onByte);
  });
}
