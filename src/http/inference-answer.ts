/** From an operation's result to the outputs that an inference request asks for. */
import type { FastifyReply } from "fastify";
import { refuseAt } from "../problems.ts";
import type { InferenceOutput } from "../wire/inference-write.ts";
import { binaryLength, binaryPages, inferencePages } from "../wire/inference-write.ts";
import { pageStream, sendJson } from "./answer.ts";
import type { ModelName } from "./contract/inference.ts";
import { MODEL_TENSORS } from "./contract/inference.ts";
import { BINARY } from "./inference-check.ts";
import type { InferenceBody } from "./inference-request.ts";
import type { Answer, Job } from "./job.ts";
import { ClientGone, turn } from "./steps.ts";

/** The JSON before bytes is kept up to this length: it is printed once for its length, and again where it is longer. */
const KEPT = 256 * 1024;

/** Sends the outputs that were asked for, or all. */
export async function sendInference(
  reply: FastifyReply,
  job: Job,
  model: ModelName,
  body: InferenceBody,
  answer: Answer,
): Promise<FastifyReply> {
  const { kernel } = job.work;
  job.stages.enter("encode");
  const outputs = chooseOutputs(MODEL_TENSORS[model].outputs.length, body, answer);
  const warnings = (answer.warnings ?? []) as readonly string[];
  const json = () => inferencePages(kernel, { model, id: body.id, warnings }, outputs);
  if (!outputs.some(({ binary }) => binary)) return sendJson(reply, job, json());
  const { length, pages } = await measure(json(), () => reply.raw.destroyed);
  const whole = length + binaryLength(outputs);
  reply
    .header("content-type", "application/octet-stream")
    .header("inference-header-content-length", length)
    .header("content-length", whole);
  const bytes = binaryPages(kernel, outputs);
  if (pages !== undefined && whole <= KEPT) return reply.send(Buffer.concat([...pages, ...bytes]));
  return reply.send(pageStream(job, pages ?? json(), bytes));
}

/** The length of the JSON that bytes follow, which leaves before it; and its pages, if they are few. */
async function measure(
  json: Iterable<Buffer>,
  gone: () => boolean,
): Promise<{ length: number; pages: Buffer[] | undefined }> {
  const pages: Buffer[] = [];
  let length = 0;
  for (const page of json) {
    if (length > 0) await turn();
    if (gone()) throw new ClientGone("the client has left");
    length += page.length;
    if (length <= KEPT) pages.push(page);
  }
  return { length, pages: length <= KEPT ? pages : undefined };
}

/** The outputs that a request names; those that there are, where it names none, or each of the `known` ones of its model. */
function chooseOutputs(
  known: number,
  { outputs, parameters }: InferenceBody,
  answer: Answer,
): InferenceOutput[] {
  const binary = parameters?.[BINARY] === true;
  const there = Object.entries(answer).flatMap(([name, member]) =>
    member !== undefined && "dtype" in member ? [{ name, member, binary }] : [],
  );
  // None are asked for: all are, as with Triton.
  if (outputs === undefined || outputs.length === 0) return there;
  // No request has all of them, as `loss` and `losses` exclude each other; perf_analyzer names all that the metadata list.
  const isAll = outputs.length === known;
  return outputs.flatMap((wanted, at) => {
    const found = there.find(({ name }) => name === wanted.name);
    if (found !== undefined) return [{ ...found, binary: wanted.parameters?.binary_data ?? binary }];
    if (isAll) return [];
    const names = there.map(({ name }) => name).join(", ");
    throw refuseAt(
      "invalid_request",
      `/outputs/${at}/name`,
      `with these inputs and parameters there are ${names}, but no ${wanted.name}`,
    );
  });
}
