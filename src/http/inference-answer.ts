/** From an operation's result to the outputs that an inference request asks for. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { echo, refuseAt } from "../problems.ts";
import type { InferenceOutput } from "../wire/inference-write.ts";
import { binaryLength, binaryPages, inferencePages } from "../wire/inference-write.ts";
import { inTurns, pageStream } from "./answer.ts";
import type { InferenceBody } from "./inference-request.ts";
import type { Answer, Job } from "./job.ts";
import { OPERANDS } from "./job.ts";
import { ClientGone } from "./steps.ts";
import { describeValidation } from "./validation.ts";

/** The protocol's own parameter: whether outputs come as bytes. */
const BINARY = "binary_data_output";

type Validate = ReturnType<FastifyRequest["compileValidationSchema"]>;

/** The operation's options, with a number in the place of each tensor, as `validate` has accepted them for the JSON contract. */
export function optionsOf(
  { inputs, parameters = {} }: InferenceBody,
  validate: Validate,
): Record<string, unknown> {
  // Not assigned: a member called __proto__ would vanish.
  const fields = new Map<string, unknown>();
  for (const [name, value] of Object.entries(parameters)) {
    if (name === BINARY) {
      if (typeof value !== "boolean")
        throw refuseAt("invalid_request", `/parameters/${BINARY}`, "expected true or false");
    } else if (name === "format" || (OPERANDS as readonly string[]).includes(name)) {
      throw refuseAt("invalid_request", `/parameters/${name}`, "unknown field");
    } else fields.set(name, value);
  }
  for (const { name } of inputs) fields.set(name, 0);
  const body = Object.fromEntries(fields);
  if (!validate(body)) throw describeValidation(validate.errors ?? []);
  return body;
}

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
  if (outputs === undefined || outputs.length === 0) return there;
  const asked = new Set<string>();
  return outputs.map((wanted, at) => {
    if (asked.has(wanted.name)) {
      throw refuseAt("duplicate_key", `/outputs/${at}/name`, "this output stands twice");
    }
    asked.add(wanted.name);
    const found = there.find(({ name }) => name === wanted.name);
    if (found !== undefined) return { ...found, binary: wanted.parameters?.binary_data ?? binary };
    const names = there.map(({ name }) => name).join(", ");
    throw refuseAt(
      "invalid_request",
      `/outputs/${at}/name`,
      `expected one of ${names}, got ${echo(wanted.name)}`,
    );
  });
}
