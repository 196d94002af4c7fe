/** Sends a result in one write if it fits a page, otherwise page by page with back-pressure. */
import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import type { Kernel } from "../kernel/load.ts";
import { Problem } from "../problems.ts";
import type { Region } from "../tensor/arena.ts";
import { ArenaFull } from "../tensor/arena.ts";
import type { TensorFormat } from "../wire/json/tensors.ts";
import type { JsonPages, Members, NonFinite } from "../wire/json/writer.ts";
import { writeJson } from "../wire/json/writer.ts";
import { writeFile } from "../wire/safetensors/writer.ts";
import { MEDIA_TYPES } from "./content/content-headers.ts";
import { openEncoder } from "./content/encoder.ts";
import type { LossContext } from "./context.ts";
import { atEndOfTurn, ClientGone } from "./turns.ts";

const JSON_TYPE = "application/json; charset=utf-8";

/** Undefined after a response in one write, because Fastify attaches listeners to every reply that a handler returns. */
export type Sending = Promise<FastifyReply> | undefined;

/** Sends a result. Its region stays reserved until the last page has been written, because pages read its tensors. */
export function sendMembers(
  reply: FastifyReply,
  loss: LossContext,
  members: Members,
  format: TensorFormat,
  nonFinite: NonFinite | undefined,
): Sending {
  const { kernel, timings } = loss;
  timings.enter("encode");
  if (loss.responseFormat === "json")
    return sendJson(reply, loss, writeJson(kernel, members, format, nonFinite));
  const { length, pages } = writeFile(kernel, members);
  reply.header("content-type", MEDIA_TYPES.safetensors).header("content-length", length);
  const first = nextPage(pages)!;
  if (first.length === length) sendAtOnce(reply, loss, first);
  else reply.send(pageStream(loss, [first], pages));
  return undefined;
}

/** Sends JSON in one write with Content-Length if it fits a page, otherwise page by page. */
export function sendJson(reply: FastifyReply, loss: LossContext, pages: JsonPages): Sending {
  const printed = pages.printShared();
  reply.header("content-type", JSON_TYPE);
  if (!pages.isDone) return sendPages(reply, loss, Buffer.from(printed), pages);
  // Sent as text because Node writes a short text together with its headers, but bytes separately.
  sendAtOnce(reply, loss, printed.toString());
  return undefined;
}

/** Sends a result that nothing but `payload` holds any more. Releases the memory now, so that the next request of this turn finds memory at the same addresses. */
export function sendAtOnce(reply: FastifyReply, loss: LossContext, payload: string | Buffer): void {
  loss.timings.enter("write");
  loss.region.release();
  atEndOfTurn(() => reply.send(payload));
}

/** Size of a page in a request's own memory. */
const PAGE_BYTES = 256 * 1024;

/**
 * Sends the first page, then prints each further page when the socket has accepted the previous one, so a client that stops reading stops
 * the printing. Pages are printed into the request's own memory, or copied out of the kernels' output buffer if there is none.
 */
async function sendPages(
  reply: FastifyReply,
  loss: LossContext,
  first: Uint8Array,
  pages: JsonPages,
): Promise<FastifyReply> {
  const { kernel, region } = loss;
  const start = allocPage(region);
  const encoder = openEncoder(reply, loss.compressResponses);
  const response = reply.hijack().raw.writeHead(200, reply.getHeaders() as OutgoingHttpHeaders);
  encoder?.pipeTo(response);
  const send = (page: Uint8Array) => encoder?.write(page) ?? write(response, page);
  try {
    loss.timings.enter("write");
    await send(first);
    while (!pages.isDone) {
      await loss.turnIfBusy("begun");
      // A compressor may call back after the socket is closed.
      loss.checkHeld();
      loss.timings.enter("encode");
      const page = printPage(kernel, pages, start);
      loss.timings.enter("write");
      await send(page);
    }
    (encoder ?? response).end();
  } catch (error) {
    noteAbort(reply, error);
    response.destroy();
  }
  return reply;
}

/** Codes of writes to a closed connection. */
const CLOSED = new Set(["EPIPE", "ECONNRESET", "ERR_STREAM_DESTROYED"]);

/** Records the reason for aborting a response that has begun. */
export function noteAbort({ raw, request, log }: FastifyReply, error: unknown): void {
  const { context } = request;
  const isProblem = error instanceof Problem;
  if (isProblem) context.problem = error.code;
  const isClosed =
    error instanceof ClientGone ||
    raw.destroyed ||
    request.raw.socket.destroyed ||
    CLOSED.has((error as NodeJS.ErrnoException).code ?? "");
  if (isClosed && !request.raw.complete)
    log.warn({ reqId: request.id, operation: context.loss?.operation, bytes: context.loss?.bytes }, ABORTED);
  else if (!isClosed && !isProblem) {
    context.problem = "internal_error";
    log.error({ reqId: request.id, err: error }, "response failed");
  }
}

const ABORTED =
  "the connection closed while the request was still sent and its response had begun: a client that left, or a proxy that does not send both at once, such as nginx";

function allocPage(region: Region): number | undefined {
  try {
    return region.alloc(PAGE_BYTES);
  } catch (error) {
    if (error instanceof ArenaFull) return undefined;
    throw error;
  }
}

function printPage(kernel: Kernel, pages: JsonPages, start: number | undefined): Uint8Array {
  if (start === undefined) return Buffer.from(pages.printShared());
  return kernel.u8.subarray(start, pages.print(start, start + PAGE_BYTES - SLACK_BYTES));
}

/** Bytes that the printers may write beyond the last character. */
const SLACK_BYTES = 64;

/** Writes bytes, which may be overwritten once the promise resolves. */
export function write(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    response.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

function nextPage(pages: Generator<Buffer, void>): Buffer | undefined {
  const next = pages.next();
  return next.done ? undefined : next.value;
}

/**
 * Streams pages. Yields between two pages because a fast reader would starve other requests. The request is in its encoding stage while a
 * part produces its next page.
 */
export function pageStream(loss: LossContext, ...parts: readonly Iterable<Buffer>[]): Readable {
  return Readable.from(inTurns(loss, ...parts), { objectMode: false, highWaterMark: 0 });
}

async function* inTurns(
  loss: LossContext,
  ...parts: readonly Iterable<Buffer>[]
): AsyncGenerator<Buffer, void> {
  let isFirst = true;
  for (const pages of parts) {
    for (const page of pages) {
      loss.timings.enter("write");
      if (!isFirst) await loss.turnIfBusy("begun");
      isFirst = false;
      yield page;
      loss.checkHeld();
      loss.timings.enter("encode");
    }
  }
}
