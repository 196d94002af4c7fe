/** Sends an operation's result as the outputs that an inference request asks for. */
import type { FastifyReply } from "fastify";
import { rejectAt } from "../../problems.ts";
import type { InferenceOutput } from "../../wire/inference/writer.ts";
import { binaryLength, binaryPages, inferencePages } from "../../wire/inference/writer.ts";
import type { JsonPages, Members } from "../../wire/json/writer.ts";
import type { LossContext } from "../context.ts";
import type { Operation } from "../losses/operation.ts";
import type { Sending } from "../send-result.ts";
import { pageStream, sendAtOnce, sendJson } from "../send-result.ts";
import { BINARY } from "./parameters.ts";
import type { InferenceBody } from "./request.ts";

/** Longest response with binary outputs that is sent at once. */
const KEPT_BYTES = 256 * 1024;

/** Sends the requested outputs, or all. */
export function sendInference(
  reply: FastifyReply,
  loss: LossContext,
  { name, model }: Operation,
  body: InferenceBody,
  members: Members,
): Sending {
  const { kernel } = loss;
  loss.timings.enter("encode");
  const outputs = chooseOutputs(model.outputs.length, body, members);
  const warnings = (members.warnings ?? []) as readonly string[];
  const json = () => inferencePages(kernel, { model: name, id: body.id, warnings }, outputs);
  if (!outputs.some(({ binary }) => binary)) return sendJson(reply, loss, json());
  return sendBinary(reply, loss, json, outputs);
}

/** Sends JSON, with its length in a header, and then the binary outputs. */
function sendBinary(
  reply: FastifyReply,
  loss: LossContext,
  json: () => JsonPages,
  outputs: readonly InferenceOutput[],
): Sending {
  const { kernel } = loss;
  const pages = json();
  const printed = Buffer.from(pages.printShared());
  if (pages.isDone && printed.length + binaryLength(outputs) <= KEPT_BYTES) {
    describeBinary(reply, printed.length, outputs);
    sendAtOnce(reply, loss, Buffer.concat([printed, ...binaryPages(kernel, outputs)]));
    return undefined;
  }
  return measure(loss, printed.length, pages).then((length) => {
    describeBinary(reply, length, outputs);
    return reply.send(pageStream(loss, json(), binaryPages(kernel, outputs)));
  });
}

/** Returns the length of JSON of which `printed` bytes have been printed. It precedes the JSON in a header, so long JSON is printed twice. */
async function measure(loss: LossContext, printed: number, pages: JsonPages): Promise<number> {
  let length = printed;
  for (const page of pages) {
    await loss.turnIfBusy("begun");
    length += page.length;
  }
  return length;
}

/** Sets the headers of a response with `length` bytes of JSON. */
function describeBinary(reply: FastifyReply, length: number, outputs: readonly InferenceOutput[]): void {
  reply
    .header("content-type", "application/octet-stream")
    .header("inference-header-content-length", length)
    .header("content-length", length + binaryLength(outputs));
}

/** Returns the requested outputs, or all results if the request names none or all of the model's `known` outputs. */
function chooseOutputs(
  known: number,
  { outputs, parameters }: InferenceBody,
  members: Members,
): InferenceOutput[] {
  const binary = parameters?.[BINARY] === true;
  const there = Object.entries(members).flatMap(([name, member]) =>
    member !== undefined && "dtype" in member ? [{ name, member, binary }] : [],
  );
  // Returns all if none are requested, as Triton does.
  if (outputs === undefined || outputs.length === 0) return there;
  // Skips missing outputs because perf_analyzer requests all outputs in the metadata, but `loss` and `losses` exclude each other.
  const isAll = outputs.length === known;
  return outputs.flatMap((wanted, at) => {
    const found = there.find(({ name }) => name === wanted.name);
    if (found !== undefined) return [{ ...found, binary: wanted.parameters?.binary_data ?? binary }];
    if (isAll) return [];
    const names = there.map(({ name }) => name).join(", ");
    throw rejectAt(
      "invalid_request",
      `/outputs/${at}/name`,
      `with these inputs and parameters there are ${names}, but no ${wanted.name}`,
    );
  });
}
