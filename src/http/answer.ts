/** From a result to the socket: in one piece with its length where it fits a page, otherwise page by page with back-pressure. */
import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import { writeJson } from "../wire/json-write.ts";
import type { Form } from "../wire/tensors.ts";
import type { Answer, Job } from "./job.ts";
import { turn } from "./steps.ts";

const JSON_TYPE = "application/json; charset=utf-8";

/** Sends an answer; its tensors are read until the last page has been written, so the region stays reserved until then. */
export function sendAnswer(reply: FastifyReply, job: Job, answer: Answer, form: Form): FastifyReply {
  const pages = writeJson(job.work.kernel, answer, form);
  const first = nextPage(pages);
  const second = nextPage(pages);
  reply.header("content-type", JSON_TYPE);
  // As text, Node writes a short answer and its headers in one piece; bytes would take a second.
  if (first === undefined || second === undefined) return reply.send(first?.toString() ?? "");
  return reply.send(Readable.from(follow(first, second, pages), { objectMode: false, highWaterMark: 0 }));
}

function nextPage(pages: Generator<Buffer, void>): Buffer | undefined {
  const next = pages.next();
  return next.done ? undefined : next.value;
}

/** A reader as fast as the writer would never let the event loop turn: other requests run between two pages. */
async function* follow(first: Buffer, second: Buffer, rest: Iterable<Buffer>): AsyncGenerator<Buffer, void> {
  yield first;
  yield second;
  for (const page of rest) {
    await turn();
    yield page;
  }
}
