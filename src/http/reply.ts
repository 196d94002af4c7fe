/** From a result to the socket: in one piece with its length where it fits a page, otherwise page by page with back-pressure. */
import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import type { Kernel } from "../kernel/kernel.ts";
import type { Region } from "../tensor/arena.ts";
import { ArenaFull } from "../tensor/arena.ts";
import type { JsonPages, NonFinite } from "../wire/json/pages.ts";
import type { TensorFormat } from "../wire/json/tensors.ts";
import type { Members } from "../wire/json/writer.ts";
import { writeJson } from "../wire/json/writer.ts";
import { writeFile } from "../wire/safetensors/writer.ts";
import type { LossContext } from "./context.ts";
import { openEncoder } from "./encoder.ts";
import { MEDIA_TYPES } from "./limits/content-headers.ts";
import { atEndOfTurn, turn } from "./slices.ts";

const JSON_TYPE = "application/json; charset=utf-8";

/** Nothing for a response in one piece, which a handler may return at once: Fastify attaches listeners to every reply that a handler returns. */
export type Sending = Promise<FastifyReply> | undefined;

/** Sends a result; its tensors are read until the last page has been written, so the region stays reserved until then. */
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
  reply.send(first.length === length ? first : pageStream(loss, [first], pages));
  return undefined;
}

/** Sends JSON: in one piece with its length where it fits a page, otherwise page by page. */
export function sendJson(reply: FastifyReply, loss: LossContext, pages: JsonPages): Sending {
  const { run, u8 } = loss.kernel;
  const end = pages.print(run.outputAt, run.outputAt + run.outputBytes);
  const printed = Buffer.from(u8.buffer, run.outputAt, end - run.outputAt);
  reply.header("content-type", JSON_TYPE);
  if (!pages.isDone) return sendPages(reply, loss, Buffer.from(printed), pages);
  loss.timings.enter("write");
  // As text, Node writes a short answer and its headers in one piece; bytes would take a second.
  const text = printed.toString();
  atEndOfTurn(() => reply.send(text));
  return undefined;
}

/** Bytes that are printed at once into a request's own memory. */
const PAGE_BYTES = 256 * 1024;

/** Milliseconds of printing and writing after which other requests run. */
const TURN_MS = 5;

/**
 * Sends the first page, then prints and writes the others, each when the socket has taken the one before: a reader that stops holds the
 * printing up. They are printed into the request's own memory and written from there, or copied out of the kernels' buffer if there is none.
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
    for (let since = performance.now(); !pages.isDone; ) {
      if (performance.now() - since > TURN_MS) {
        await turn();
        since = performance.now();
      }
      loss.timings.enter("encode");
      const page = printPage(kernel, pages, start);
      loss.timings.enter("write");
      await send(page);
    }
    (encoder ?? response).end();
  } catch (error) {
    if (!response.destroyed) reply.log.error({ reqId: reply.request.id, err: error }, "response failed");
    response.destroy();
  }
  return reply;
}

function allocPage(region: Region): number | undefined {
  try {
    return region.alloc(PAGE_BYTES);
  } catch (error) {
    if (error instanceof ArenaFull) return undefined;
    throw error;
  }
}

function printPage({ run, u8 }: Kernel, pages: JsonPages, start: number | undefined): Uint8Array {
  if (start !== undefined) return u8.subarray(start, pages.print(start, start + PAGE_BYTES - SLACK_BYTES));
  return u8.slice(run.outputAt, pages.print(run.outputAt, run.outputAt + run.outputBytes));
}

/** Bytes that the printers may write beyond the last character. */
const SLACK_BYTES = 64;

/** Writes bytes that may be overwritten once the promise is kept. */
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
 * Pages as a stream. A reader as fast as the writer would never let the event loop turn: other requests run between two pages. While a
 * part is asked for its next page, the request is in its encoding stage.
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
      if (!isFirst) await turn();
      isFirst = false;
      yield page;
      loss.timings.enter("encode");
    }
  }
}
