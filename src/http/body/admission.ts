/** Admission control: estimates memory and CPU time from the headers, before the body is read. */
import type { FastifyRequest } from "fastify";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Arena } from "../../tensor/arena.ts";
import { LossContext } from "../context.ts";
import type { Coding } from "../limits/content-coding.ts";
import type { BodyFormat, SizeLimit } from "../limits/content-headers.ts";
import {
  checkBodyHeaders,
  inflatedSizeLimit,
  rejectQuery,
  responseFormatOf,
  tellsLength,
  tooLarge,
} from "../limits/content-headers.ts";
import type { LoadEstimate } from "../limits/load-estimate.ts";
import { secondsFor } from "../limits/load-estimate.ts";

/** The part of the process that every loss computes with, and its limits. */
export interface Engine {
  readonly kernel: Kernel;
  readonly arena: Arena;
  readonly load: LoadEstimate;
  /** Bytes of a body, or of tensors, that have to be in memory at once. */
  readonly bodyLimit: number;
  /** Bytes of a body that is computed as it arrives. */
  readonly streamLimit: number;
  /** Whether long JSON responses are compressed for every client that offers a coding; default: for clients that refuse identity. */
  readonly compressResponses?: boolean;
}

/** The limit of a body that has to be in memory at once. */
export function bodyLimitOf({ bodyLimit }: Engine): SizeLimit {
  return { bytes: bodyLimit, setting: "BODY_LIMIT" };
}

/** Bytes that every reservation gets beside its price: the scanner's tables, and a loss's scratch memory. */
const FIXED_BYTES = 64 * 1024;

/** JSON bodies of unknown length start with memory for so many bytes, and are kept as text until they end. Longer ones take the largest reservation. */
export const SHORT_BYTES = 768 * 1024;

/** The estimated cost of a request. */
export interface Price {
  /** Bytes of memory for its tensors. */
  readonly memory: number;
  /** Seconds of one core. */
  readonly seconds: number;
  /** Bytes of its body, as announced. */
  readonly length: number;
}

/** The price of a body with so many bytes of JSON, and of numbers behind it. */
export function priceOf(json: number, binary: number): Price {
  return { memory: 4 * json + binary, seconds: secondsFor(json, binary), length: json + binary };
}

/** The first price of a JSON body of unknown length: its text and its numbers. */
const SHORT_PRICE: Price = { ...priceOf(SHORT_BYTES, 0), memory: 5 * SHORT_BYTES };

/** The facts about an operation that its requests need before they are computed. */
export interface AdmittedOperation {
  readonly operationId: string;
  readonly targetElement?: string;
}

/** The facts about a body that its headers tell. */
export interface Announced {
  readonly price: Price;
  readonly responseFormat: BodyFormat;
  readonly coding: Coding | undefined;
  /** The model of an inference request. */
  readonly model?: string;
  /** Whether the body is JSON of unknown length. */
  readonly mayBeShort: boolean;
}

/**
 * Checks a request's headers and plans its memory. JSON reserves all of it with its first byte; safetensors once its header has been read. The
 * memory returns at the end of the request.
 */
export function admit(engine: Engine, operation: AdmittedOperation, request: FastifyRequest): void {
  const { headers } = request;
  const { format, length, coding } = checkBodyHeaders(headers, {
    json: bodyLimitOf(engine),
    safetensors: { bytes: engine.streamLimit, setting: "STREAM_LIMIT" },
  });
  const responseFormat = responseFormatOf(headers.accept, format);
  const isTold = tellsLength(headers, coding);
  if (format === "json") {
    rejectQuery(request.query);
    admitLoss(engine, operation, request, {
      price: priceOf(length, 0),
      responseFormat,
      coding,
      mayBeShort: !isTold,
    });
    return;
  }
  // A file of unknown length may be short.
  const bytes = isTold ? length : Math.min(length, engine.bodyLimit);
  const price = { memory: 0, seconds: secondsFor(0, bytes), length: bytes };
  admitLoss(engine, operation, request, { price, responseFormat, coding, mayBeShort: false });
}

/**
 * Makes the context of a loss. Its memory is taken with the first byte of the body, all or nothing: memory that is only announced would let clients
 * that send nothing shut out all others. A JSON body of unknown length, as .NET's clients send each one, first pays for a short one, because few
 * of the longest would fill the Arena.
 */
export function admitLoss(
  engine: Engine,
  operation: AdmittedOperation,
  request: FastifyRequest,
  { price, responseFormat, coding, model, mayBeShort }: Announced,
): void {
  const { arena, kernel } = engine;
  const paysShort = mayBeShort && price.memory > SHORT_PRICE.memory;
  const first = withDecoder(paysShort ? SHORT_PRICE : price, coding);
  checkPrice(engine, first);
  const region = arena.plan(first.memory + FIXED_BYTES);
  const longest = paysShort ? longestPrice(engine, price, coding) : undefined;
  const loss = new LossContext({
    operation: operation.operationId,
    targetElement: operation.targetElement,
    model,
    kernel,
    region,
    responseFormat,
    coding,
    limit: longest?.limit ?? limitOf(engine, price, coding),
    compressResponses: engine.compressResponses ?? false,
  });
  trackLoad(engine, loss, first, longest?.price);
  request.context.loss = loss;
}

function limitOf(engine: Engine, { length }: Price, coding: Coding | undefined): SizeLimit {
  const limit = bodyLimitOf(engine);
  return coding === undefined ? limit : inflatedSizeLimit(length, limit);
}

/** The price of the longest body that there can ever be room for, and the limit that this sets. */
function longestPrice(
  engine: Engine,
  price: Price,
  coding: Coding | undefined,
): { readonly price: Price; readonly limit: SizeLimit } {
  const room = engine.arena.largest - FIXED_BYTES - (coding?.decoderBytes ?? 0);
  // Alignment may add up to 16 bytes.
  const bytes = Math.min(price.length, Math.floor(room / 4) - 16);
  const limit: SizeLimit =
    bytes < price.length ? { bytes, setting: "MEMORY_BUDGET" } : limitOf(engine, price, coding);
  return { price: withDecoder(priceOf(bytes, 0), coding), limit };
}

/** Counts the request among those in progress until it ends, under its first price and, once it turns out to be long, under the longest. */
function trackLoad(engine: Engine, loss: LossContext, first: Price, longest: Price | undefined): void {
  let leave = engine.load.add(first.seconds, () => loss.bytes / first.length);
  if (longest !== undefined) {
    loss.reserveLongest = () => {
      leave?.();
      checkPrice(engine, longest);
      loss.region.replan(longest.memory + FIXED_BYTES);
      leave = engine.load.add(longest.seconds, () => loss.bytes / longest.length);
    };
  }
  if (leave !== undefined || longest !== undefined) loss.onEnd(() => leave?.());
}

/** A price with the memory of a decoder, which touches no more of its window than the body inflates to. */
function withDecoder(price: Price, coding: Coding | undefined): Price {
  if (coding === undefined) return price;
  return { ...price, memory: price.memory + Math.min(coding.decoderBytes, price.length) };
}

/** Rejects a request that there can never be room for, and one that would wait too long. */
function checkPrice({ arena, load }: Engine, { memory, seconds, length }: Price): void {
  const room = arena.largest - FIXED_BYTES;
  if (memory > room) {
    throw tooLarge(`${memory} bytes that the numbers of a body of ${length} bytes may take`, {
      bytes: room,
      setting: "MEMORY_BUDGET",
    });
  }
  load.check(seconds);
}
