/** From the socket to the tensors of an inference request. */
import type { IncomingMessage } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import { echo, Problem, refuseAt } from "../problems.ts";
import type { InferenceInput } from "../wire/inference.ts";
import { binarySize, DATATYPES, InferenceOperands } from "../wire/inference.ts";
import { JsonReader } from "../wire/json.ts";
import type { Engine } from "./body.ts";
import { openJob, openSource, scanJson } from "./body.ts";
import type { Job } from "./job.ts";
import { requestMedia } from "./media.ts";
import { announcedLength, checkFraming, refuseQuery, tooLarge } from "./preflight.ts";

/** A request's body that its schema has accepted. */
export interface InferenceBody {
  readonly id?: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly inputs: readonly InferenceInput[];
  readonly outputs?: readonly {
    readonly name: string;
    readonly parameters?: { readonly binary_data?: boolean };
  }[];
}

const JSON_BYTES = "inference-header-content-length";
/** Bytes of JSON that are read at once. */
const PIECE = 64 * 1024;

/**
 * Checks the headers and reserves the memory: 4 bytes for each byte of JSON, one for each byte behind it. With
 * Inference-Header-Content-Length any media type is taken, without it JSON or none, as the protocol's clients send them.
 */
export function admitInference(
  engine: Engine,
  operation: string,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const { headers } = request;
  checkFraming(headers);
  refuseQuery(request.query);
  const length = announcedLength(headers, engine.bodyLimit);
  const json = jsonBytes(request);
  if (json === undefined && headers["content-type"] !== undefined) checkJson(headers["content-type"]);
  if (json !== undefined && json > length) {
    throw malformed(`expected a body of at least ${json} bytes, got ${length}`);
  }
  openJob(engine, operation, request, reply, json === undefined ? 4 * length : 4 * json + (length - json));
}

function checkJson(type: string): void {
  if (requestMedia(type) === "json") return;
  throw new Problem("unsupported_media_type", `expected Content-Type application/json, got ${echo(type)}`);
}

function jsonBytes({ headers }: FastifyRequest): number | undefined {
  const text = headers[JSON_BYTES];
  if (text === undefined) return undefined;
  if (typeof text === "string" && /^\d{1,12}$/.test(text)) return Number(text);
  throw malformed(`expected a number of bytes, got ${echo(String(text))}`);
}

function malformed(detail: string): Problem {
  return new Problem("malformed_request", `Inference-Header-Content-Length: ${detail}`);
}

/** The content-type parser: reads the JSON; the bytes behind it stay in the socket until their inputs have been checked. */
export async function readInference(
  engine: Engine,
  request: FastifyRequest,
  payload: IncomingMessage,
): Promise<unknown> {
  const { job } = request;
  let left = jsonBytes(request);
  if (left === undefined) {
    job.json = await scanJson(engine, request, payload, "inference");
    return job.json.value;
  }
  const source = openSource(job, payload, engine.bodyLimit);
  const reader = new JsonReader(job.work.kernel, job.work.region, "inference");
  const piece = new Uint8Array(Math.min(left, PIECE));
  for (; left > 0; left -= PIECE) {
    const part = piece.subarray(0, Math.min(left, PIECE));
    await source.fill(part);
    reader.push(part);
  }
  job.json = reader.end();
  return job.json.value;
}

/** Gives the job its tensors: from the JSON, and in the order of the inputs from the bytes behind it, which they have to cover. */
export async function receiveInputs(
  job: Job,
  request: FastifyRequest,
  { inputs }: InferenceBody,
  limit: number,
): Promise<void> {
  checkClaims(request, inputs, limit);
  const operands = new InferenceOperands();
  job.operands = operands;
  for (const [at, input] of inputs.entries()) {
    const pointer = `/inputs/${at}`;
    if (operands.has(input.name))
      throw refuseAt("duplicate_key", `${pointer}/name`, "this input stands twice");
    const size = input.parameters?.binary_data_size;
    if ((size === undefined) === (input.data === undefined)) {
      throw refuseAt(
        "invalid_request",
        pointer,
        "expected exactly one of data and parameters.binary_data_size",
      );
    }
    if (size === undefined) operands.addText(job.json!, input, pointer);
    else operands.addTensor(input.name, await place(job, input, pointer), pointer);
  }
  if (job.source !== undefined && !(await job.source.end())) {
    throw new Problem("malformed_request", "bytes follow the last binary input");
  }
}

/** Refuses inputs that claim other bytes than follow the JSON, before memory is taken for any of them. */
function checkClaims(request: FastifyRequest, inputs: readonly InferenceInput[], limit: number): void {
  const json = jsonBytes(request);
  if (json === undefined) return;
  let claimed = 0;
  for (const [at, input] of inputs.entries()) {
    if (input.parameters?.binary_data_size !== undefined) claimed += binarySize(input, `/inputs/${at}`);
  }
  const length = request.headers["content-length"];
  if (length === undefined && json + claimed > limit) throw tooLarge(`${json + claimed} bytes`, limit);
  if (length === undefined || Number(length) - json === claimed) return;
  throw new Problem(
    "malformed_request",
    `the inputs claim ${claimed} bytes behind the JSON, the body has ${Number(length) - json}`,
  );
}

async function place({ work, source }: Job, input: InferenceInput, pointer: string) {
  const bytes = binarySize(input, pointer);
  if (source === undefined) {
    const expected = "the header Inference-Header-Content-Length for an input that comes as bytes";
    throw refuseAt("invalid_request", `${pointer}/parameters/binary_data_size`, `expected ${expected}`);
  }
  if (bytes > work.region.largest) throw tooLarge(`${bytes} bytes of one input`, work.region.largest);
  const address = work.region.alloc(bytes);
  await source.fill(work.kernel.u8.subarray(address, address + bytes));
  return { dtype: DATATYPES[input.datatype], shape: input.shape, address };
}
