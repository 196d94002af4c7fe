/** From a result to the socket: in one piece with its length where it fits a page, otherwise page by page with back-pressure. */
import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import { refuseAt } from "../problems.ts";
import type { NonFinite } from "../wire/json-write.ts";
import { writeJson } from "../wire/json-write.ts";
import { writeFile } from "../wire/safetensors-write.ts";
import type { Form } from "../wire/tensors.ts";
import { encodePages } from "./answer-coding.ts";
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
): FastifyReply {
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

/** Sends JSON that is printed page by page. */
export function sendJson(reply: FastifyReply, job: Job, pages: Generator<Buffer, void>): FastifyReply {
  const first = nextPage(pages);
  const second = nextPage(pages);
  reply.header("content-type", JSON_TYPE);
  // As text, Node writes a short answer and its headers in one piece; bytes would take a second.
  if (first === undefined || second === undefined) {
    const text = first?.toString() ?? "";
    job.stages.enter("write");
    return reply.send(text);
  }
  return reply.send(encodePages(reply, pageStream(job, [first, second], pages), job.compressAnswers));
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
