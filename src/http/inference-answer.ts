/** From an operation's result to the outputs that an inference request asks for. */
import type { FastifyReply } from "fastify";
import { refuseAt } from "../problems.ts";
import type { InferenceOutput } from "../wire/inference-write.ts";
import { binaryLength, binaryPages, inferencePages } from "../wire/inference-write.ts";
import { inTurns, pageStream } from "./answer.ts";
import { BINARY } from "./inference-check.ts";
import type { InferenceBody } from "./inference-request.ts";
import type { Answer, Job } from "./job.ts";
import { ClientGone } from "./steps.ts";

/** Sends the outputs that were asked for, or all. The length of JSON that bytes follow comes first, so that is printed before it leaves. */
export async function sendInference(
  reply: FastifyReply,
  job: Job,
  model: string,
  body: InferenceBody,
  answer: Answer,
): Promise<FastifyReply> {
  const { kernel } = job.work;
  job.stages.enter("encode");
  const outputs = chooseOutputs(body, answer);
  const warnings = (answer.warnings ?? []) as readonly string[];
  const json = inferencePages(kernel, { model, id: body.id, warnings }, outputs);
  if (!outputs.some(({ binary }) => binary)) {
    return reply.header("content-type", "application/json").send(pageStream(job, json));
  }
  const begin: Buffer[] = [];
  for await (const page of inTurns(job, json)) {
    if (reply.raw.destroyed) throw new ClientGone("the client has left");
    begin.push(page);
  }
  const length = begin.reduce((sum, page) => sum + page.length, 0);
  reply
    .header("content-type", "application/octet-stream")
    .header("inference-header-content-length", length)
    .header("content-length", length + binaryLength(outputs));
  return reply.send(pageStream(job, begin, binaryPages(kernel, outputs)));
}

function chooseOutputs({ outputs, parameters }: InferenceBody, answer: Answer): InferenceOutput[] {
  const binary = parameters?.[BINARY] === true;
  const there = Object.entries(answer).flatMap(([name, member]) =>
    member !== undefined && "dtype" in member ? [{ name, member, binary }] : [],
  );
  // None are asked for: all are, as with Triton.
  if (outputs === undefined || outputs.length === 0) return there;
  return outputs.map((wanted, at) => {
    const found = there.find(({ name }) => name === wanted.name);
    if (found !== undefined) return { ...found, binary: wanted.parameters?.binary_data ?? binary };
    const names = there.map(({ name }) => name).join(", ");
    throw refuseAt(
      "invalid_request",
      `/outputs/${at}/name`,
      `with these inputs and parameters there are ${names}, but no ${wanted.name}`,
    );
  });
}
