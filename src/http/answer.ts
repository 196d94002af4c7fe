/** From a result to the socket: in one piece with its length where it fits a page, otherwise page by page with back-pressure. */
import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import type { Kernel } from "../kernel/kernel.ts";
import { refuseAt } from "../problems.ts";
import type { Region } from "../tensor/arena.ts";
import { ArenaFull } from "../tensor/arena.ts";
import type { JsonPages, NonFinite } from "../wire/json-pages.ts";
import { writeJson } from "../wire/json-write.ts";
import { writeFile } from "../wire/safetensors-write.ts";
import type { Form } from "../wire/tensors.ts";
import { openEncoder } from "./answer-coding.ts";
import { JSON_OPTIONS } from "./contract/options.ts";
import type { Answer, Job } from "./job.ts";
import { MEDIA_TYPES } from "./media.ts";
import { turn } from "./steps.ts";

const JSON_TYPE = "application/json; charset=utf-8";

/** The options of a request that say how JSON is written. */
export interface JsonOptions {
  readonly format?: Form;
  readonly non_finite?: NonFinite;
}

/** Refuses options of JSON for an answer in safetensors. */
export function checkJsonOptions({ answer }: Job, options: JsonOptions): void {
  if (answer === "json") return;
  for (const name of JSON_OPTIONS) {
    if (options[name] === undefined) continue;
    throw refuseAt("option_without_effect", `/${name}`, `${name} has no effect on an answer in safetensors`);
  }
}

/** Sends an answer; its tensors are read until the last page has been written, so the region stays reserved until then. */
export function sendAnswer(
  reply: FastifyReply,
  job: Job,
  answer: Answer,
  { format, non_finite }: JsonOptions,
): FastifyReply | Promise<FastifyReply> {
  const { kernel } = job.work;
  job.stages.enter("encode");
  if (job.answer === "safetensors") {
    const { length, pages } = writeFile(kernel, answer);
    reply.header("content-type", MEDIA_TYPES.safetensors).header("content-length", length);
    const first = nextPage(pages)!;
    return reply.send(first.length === length ? first : pageStream(job, [first], pages));
  }
  return sendJson(reply, job, writeJson(kernel, answer, format ?? job.operands!.form("input"), non_finite));
}

/** Sends JSON: at once with its length where it fits a page, otherwise page by page. */
export function sendJson(
  reply: FastifyReply,
  job: Job,
  pages: JsonPages,
): FastifyReply | Promise<FastifyReply> {
  const { run, u8 } = job.work.kernel;
  const end = pages.print(run.paperAt, run.paperAt + run.paperBytes);
  const printed = Buffer.from(u8.buffer, run.paperAt, end - run.paperAt);
  reply.header("content-type", JSON_TYPE);
  if (!pages.isDone) return sendPages(reply, job, Buffer.from(printed), pages);
  job.stages.enter("write");
  // As text, Node writes a short answer and its headers in one piece; bytes would take a second.
  return reply.send(printed.toString());
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
  job: Job,
  first: Uint8Array,
  pages: JsonPages,
): Promise<FastifyReply> {
  const { kernel, region } = job.work;
  const start = allocPage(region);
  const encoder = openEncoder(reply, job.compressAnswers);
  const response = reply.hijack().raw.writeHead(200, reply.getHeaders() as OutgoingHttpHeaders);
  encoder?.pipeTo(response);
  const send = (page: Uint8Array) => encoder?.write(page) ?? write(response, page);
  try {
    job.stages.enter("write");
    await send(first);
    for (let since = performance.now(); !pages.isDone; ) {
      if (performance.now() - since > TURN_MS) {
        await turn();
        since = performance.now();
      }
      job.stages.enter("encode");
      const page = printPage(kernel, pages, start);
      job.stages.enter("write");
      await send(page);
    }
    (encoder ?? response).end();
  } catch (error) {
    if (!response.destroyed) reply.log.error({ err: error }, "answer failed");
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
  return u8.slice(run.paperAt, pages.print(run.paperAt, run.paperAt + run.paperBytes));
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
export function pageStream(job: Job, ...parts: readonly Iterable<Buffer>[]): Readable {
  return Readable.from(inTurns(job, ...parts), { objectMode: false, highWaterMark: 0 });
}

async function* inTurns(job: Job, ...parts: readonly Iterable<Buffer>[]): AsyncGenerator<Buffer, void> {
  let isFirst = true;
  for (const pages of parts) {
    for (const page of pages) {
      job.stages.enter("write");
      if (!isFirst) await turn();
      isFirst = false;
      yield page;
      job.stages.enter("encode");
    }
  }
}
