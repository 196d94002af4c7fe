/** From a result to the socket: one piece with its length where it fits a page, otherwise page by page with back-pressure. */
import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import { writeJson } from "../wire/json-write.ts";
import type { Form } from "../wire/tensors.ts";
import type { Answer, Job } from "./job.ts";

const JSON_TYPE = "application/json";

/** Sends an answer; its tensors are read until the last page has been written, so the region stays reserved until then. */
export function sendAnswer(reply: FastifyReply, job: Job, answer: Answer, form: Form): FastifyReply {
  const pages = writeJson(job.work.kernel, answer, form);
  const first = pages.next();
  const second = pages.next();
  reply.header("content-type", JSON_TYPE);
  if (first.done || second.done) return reply.send(first.value ?? Buffer.alloc(0));
  return reply.send(
    Readable.from(follow(first.value, second.value, pages), { objectMode: false, highWaterMark: 0 }),
  );
}

function* follow(first: Buffer, second: Buffer, rest: Iterable<Buffer>): Generator<Buffer, void> {
  yield first;
  yield second;
  yield* rest;
}
