/** From the socket to the tensors of an inference request. */
import type { IncomingMessage } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import { echo, Problem } from "../problems.ts";
import type { InferenceInput } from "../wire/inference.ts";
import { binarySize, DATATYPES, InferenceOperands } from "../wire/inference.ts";
import { JsonReader } from "../wire/json.ts";
import type { Engine } from "./admission.ts";
import { bodyLimitOf, openJob, priceOf } from "./admission.ts";
import { openSource, scanJson } from "./body.ts";
import { withoutNulls } from "./contract/optional.ts";
import type { Job } from "./job.ts";
import { knownMedia } from "./media.ts";
import type { SizeLimit } from "./preflight.ts";
import {
  announcedLength,
  checkFraming,
  inflatedSizeLimit,
  refuseQuery,
  tellsLength,
  tooLarge,
} from "./preflight.ts";
import { jobOf } from "./request.ts";

/** A request's body that its schema has accepted, without the members that are null. */
export interface InferenceBody {
  readonly id?: string;
  readonly model_name?: string;
  readonly model_version?: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly inputs: readonly InferenceInput[];
  readonly outputs?: readonly {
    readonly name: string;
    readonly parameters?: { readonly binary_data?: boolean };
  }[];
}

/** Takes the members that are null, which stand for those that are not given, out of a body that its schema has accepted. */
export function givenMembers(body: InferenceBody): InferenceBody {
  withoutNulls(body);
  for (const tensor of [...body.inputs, ...(body.outputs ?? [])]) {
    withoutNulls(tensor);
    if (tensor.parameters !== undefined) withoutNulls(tensor.parameters);
  }
  return body;
}

const JSON_BYTES = "inference-header-content-length";
/** Bytes of JSON that are read at once. */
const PIECE = 64 * 1024;

/**
 * Checks the headers and plans the memory, which is taken with the first byte: 4 bytes for each byte of JSON, one for each byte behind it. With
 * Inference-Header-Content-Length any media type is taken, without it JSON or none, as the protocol's clients send them.
 */
export function admitInference(
  engine: Engine,
  operation: string,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const { headers } = request;
  const coding = checkFraming(headers);
  refuseQuery(request.query);
  const length = announcedLength(headers, coding, bodyLimitOf(engine));
  const json = jsonBytes(request);
  if (json === undefined && headers["content-type"] !== undefined) checkJson(headers["content-type"]);
  if (json !== undefined && json > length) {
    if (coding !== undefined)
      throw tooLarge(`${json} bytes of JSON`, inflatedSizeLimit(length, bodyLimitOf(engine)));
    throw malformed(`expected a body of at least ${json} bytes, got ${length}`);
  }
  const binary = json === undefined ? 0 : length - json;
  const text = length - binary;
  const mayBeShort = json === undefined && !tellsLength(headers, coding);
  openJob(engine, operation, request, reply, priceOf(text, binary), { mayBeShort, coding });
}

function checkJson(type: string): void {
  if (knownMedia(type) === "json") return;
  const expected = "Content-Type application/json or none, or the header Inference-Header-Content-Length";
  throw new Problem("unsupported_media_type", `expected ${expected}, got ${echo(type)}`);
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
  const job = jobOf(request);
  let left = jsonBytes(request);
  if (left === undefined) {
    job.json = await scanJson(engine, request, payload, "inference");
    return job.json.value;
  }
  const source = openSource(job, payload, job.limit ?? bodyLimitOf(engine));
  const piece = new Uint8Array(Math.min(left, PIECE));
  let part = piece;
  await source.fill(part);
  const reader = new JsonReader(job.work.kernel, job.work.region, "inference");
  for (;;) {
    job.stages.enter("decode");
    reader.push(part);
    left -= part.length;
    if (left === 0) break;
    part = piece.subarray(0, Math.min(left, PIECE));
    job.stages.enter("read");
    await source.fill(part);
  }
  job.json = reader.end();
  return job.json.value;
}

/**
 * Gives the job its tensors: from the JSON, and in the order of the inputs from the bytes behind it. No memory is taken for tensors that
 * the body does not hold.
 */
export async function receiveInputs(
  engine: Engine,
  request: FastifyRequest,
  { inputs }: InferenceBody,
): Promise<void> {
  const job = jobOf(request);
  const sizes = inputs.map((input, at) => binarySize(input, `/inputs/${at}`, job.source !== undefined));
  checkCover(
    request,
    job.limit ?? bodyLimitOf(engine),
    sizes.reduce<number>((sum, size = 0) => sum + size, 0),
  );
  const operands = new InferenceOperands();
  job.operands = operands;
  for (const [at, input] of inputs.entries()) {
    const pointer = `/inputs/${at}`;
    const size = sizes[at];
    if (size === undefined) operands.addText(job.json!, input, pointer);
    else operands.addTensor(input.name, await place(job, input, size), pointer);
  }
  if (job.source !== undefined && !(await job.source.end())) {
    throw new Problem("malformed_request", "bytes follow the last binary input");
  }
}

/** Refuses inputs that take more or less than the bytes behind the JSON; of a chunked or compressed body only the limit is known. */
function checkCover(request: FastifyRequest, limit: SizeLimit, bytes: number): void {
  const json = jsonBytes(request);
  if (json === undefined) return;
  const { headers } = request;
  const isTold = tellsLength(headers, jobOf(request).coding);
  const behind = (isTold ? Number(headers["content-length"]) : limit.bytes) - json;
  if (!isTold) {
    if (bytes > behind) throw tooLarge(`${json + bytes} bytes of JSON and inputs`, limit);
  } else if (bytes !== behind) {
    const detail = `the inputs claim ${bytes} bytes behind the JSON, the body has ${behind}`;
    throw new Problem("malformed_request", detail);
  }
}

async function place(job: Job, { datatype, shape }: InferenceInput, bytes: number) {
  const { work, source, stages } = job;
  const address = work.region.alloc(bytes);
  stages.enter("read");
  await source!.fill(work.kernel.u8.subarray(address, address + bytes));
  return { dtype: DATATYPES[datatype], shape, address };
}
