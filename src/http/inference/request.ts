/** Reads the operands of an inference request from the socket. */
import type { IncomingMessage } from "node:http";
import type { FastifyRequest } from "fastify";
import { excerpt, Problem } from "../../problems.ts";
import type { InferenceInput } from "../../wire/inference/reader.ts";
import { binarySize, InferenceOperands } from "../../wire/inference/reader.ts";
import type { JsonBody } from "../../wire/json/reader.ts";
import { JsonReader } from "../../wire/json/reader.ts";
import type { Engine } from "../body/admission.ts";
import { admitLoss, bodyLimitOf, costOf } from "../body/admission.ts";
import { reserveDecoder } from "../body/inflate.ts";
import type { ParserDone } from "../body/json.ts";
import { readJson } from "../body/json.ts";
import { BodyReader } from "../body/reader.ts";
import {
  announcedLength,
  checkFraming,
  expectedFor,
  inflatedSizeLimit,
  isLengthKnown,
  knownFormat,
  rejectQuery,
  tooLarge,
} from "../content/content-headers.ts";
import type { LossContext } from "../context.ts";
import { withoutNulls } from "../losses/nulls.ts";
import type { Operation } from "../losses/operation.ts";

/** Valid request body without null members. */
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

/** Removes null members from a valid body, because null means absent. */
export function givenMembers(body: InferenceBody): InferenceBody {
  const { inputs, outputs, ...rest } = withoutNulls(body);
  return {
    ...rest,
    inputs: inputs.map(givenOfTensor),
    ...(outputs === undefined ? {} : { outputs: outputs.map(givenOfTensor) }),
  };
}

function givenOfTensor<Named extends { readonly parameters?: object }>(tensor: Named): Named {
  const given = withoutNulls(tensor);
  return given.parameters === undefined ? given : { ...given, parameters: withoutNulls(given.parameters) };
}

const JSON_BYTES = "inference-header-content-length";
/** Size of the parts in which JSON before binary inputs is read. */
const PIECE_BYTES = 64 * 1024;

/**
 * Checks the headers and plans the memory: 4 bytes for each byte of JSON, one for each binary byte. Accepts any media type with
 * Inference-Header-Content-Length, and otherwise JSON or none, because the protocol's clients send these.
 */
export function admitInference(
  engine: Engine,
  operation: Operation,
  request: FastifyRequest,
): Promise<void> | undefined {
  const { headers } = request;
  const coding = checkFraming(headers);
  rejectQuery(request.query);
  const length = announcedLength(headers, coding, bodyLimitOf(engine));
  const json = jsonBytes(request);
  if (json === undefined && headers["content-type"] !== undefined) checkJson(headers["content-type"]);
  // Fastify parses no body of length 0 without a type, and would report its schema instead.
  headers["content-type"] ??= "application/json";
  if (json !== undefined && json > length) {
    if (!isLengthKnown(headers, coding))
      throw tooLarge(`${json} bytes of JSON`, inflatedSizeLimit(length, bodyLimitOf(engine)));
    throw shortJson(json, length);
  }
  const binary = json === undefined ? 0 : length - json;
  return admitLoss(engine, operation.name, request, {
    cost: costOf(length - binary, binary),
    responseFormat: "json",
    model: operation.name,
    coding,
    mayBeShort: json === undefined && !isLengthKnown(headers, coding),
  });
}

function checkJson(type: string): void {
  if (knownFormat(type) === "json") return;
  const types = "application/json or none, or the header Inference-Header-Content-Length";
  const expected = expectedFor(type, types);
  throw new Problem("unsupported_media_type", `expected Content-Type ${expected}, got ${excerpt(type)}`);
}

function jsonBytes({ headers }: FastifyRequest): number | undefined {
  const text = headers[JSON_BYTES];
  if (text === undefined) return undefined;
  if (typeof text === "string" && /^\d{1,12}$/.test(text)) return Number(text);
  throw malformed(`expected a number of bytes, got ${excerpt(String(text))}`);
}

function malformed(detail: string): Problem {
  return new Problem("malformed_request", `Inference-Header-Content-Length: ${detail}`);
}

/** Creates the problem of a body that ends within its `json` bytes of JSON. */
function shortJson(json: number, bodyBytes: number): Problem {
  return malformed(`expected a body of at least ${json} bytes, got ${bodyBytes}`);
}

/** JSON of a request. `reader` reads the binary data, which stays in the socket until its inputs have been checked. */
export interface InferenceJson extends JsonBody {
  readonly reader?: BodyReader;
}

/** Reads the JSON as content-type parser. */
export function readInference(request: FastifyRequest, payload: IncomingMessage, done: ParserDone): void {
  if (request.headers[JSON_BYTES] === undefined) readJson(request, payload, "inference", done);
  else readPrefix(request, payload).then((body) => done(null, body), done);
}

async function readPrefix(request: FastifyRequest, payload: IncomingMessage): Promise<InferenceJson> {
  const loss = request.context.loss!;
  const { kernel, region, limit, timings } = loss;
  const bytes = jsonBytes(request)!;
  let left = bytes;
  reserveDecoder(loss, limit.bytes);
  const reader = new BodyReader(request.context, payload, limit);
  const piece = new Uint8Array(Math.min(left, PIECE_BYTES));
  const short = (end: number): Problem => shortJson(bytes, end);
  let part = piece;
  await reader.fill(part, short);
  const json = new JsonReader(kernel, region, "inference");
  for (;;) {
    timings.enter("decode");
    json.push(part);
    left -= part.length;
    if (left === 0) break;
    part = piece.subarray(0, Math.min(left, PIECE_BYTES));
    timings.enter("read");
    await reader.fill(part, short);
  }
  return Object.assign(json.end(), { reader });
}

/**
 * Reads the operands from the JSON, and from the binary data in the order of the inputs. Allocates no memory for tensors that are not in the
 * body. Returns a promise only if there is binary data.
 */
export function readOperands(
  request: FastifyRequest,
  json: InferenceJson,
  { inputs }: InferenceBody,
): InferenceOperands | Promise<InferenceOperands> {
  const { reader } = json;
  const sizes = inputs.map((input, at) => binarySize(input, `/inputs/${at}`, reader !== undefined));
  if (reader !== undefined) return readBinary(request, json, reader, inputs, sizes);
  const operands = new InferenceOperands();
  const { region } = request.context.loss!;
  for (const [at, input] of inputs.entries()) {
    const pointer = `/inputs/${at}`;
    if (sizes[at] === undefined) operands.addText(json, input, pointer);
    else operands.addBytes(input, region.alloc(sizes[at]), pointer);
  }
  return operands;
}

async function readBinary(
  request: FastifyRequest,
  body: JsonBody,
  reader: BodyReader,
  inputs: readonly InferenceInput[],
  sizes: readonly (number | undefined)[],
): Promise<InferenceOperands> {
  const loss = request.context.loss!;
  const { kernel, region, timings } = loss;
  const claimed = sizes.reduce<number>((sum, size = 0) => sum + size, 0);
  checkCover(request, loss, claimed);
  const short = (end: number): Problem => wrongCover(claimed, end - jsonBytes(request)!);
  const operands = new InferenceOperands();
  for (const [at, input] of inputs.entries()) {
    const pointer = `/inputs/${at}`;
    const size = sizes[at];
    if (size === undefined) operands.addText(body, input, pointer);
    else {
      const address = region.alloc(size);
      timings.enter("read");
      await reader.fill(kernel.u8.subarray(address, address + size), short);
      operands.addBytes(input, address, pointer);
    }
  }
  if (!(await reader.end())) throw wrongCover(claimed, Number.POSITIVE_INFINITY);
  return operands;
}

/** Rejects inputs that do not cover the binary data exactly. Checks only the limit of a chunked or compressed body. */
function checkCover(request: FastifyRequest, { coding, limit }: LossContext, bytes: number): void {
  const { headers } = request;
  const json = jsonBytes(request)!;
  const hasLength = isLengthKnown(headers, coding);
  const behind = (hasLength ? Number(headers["content-length"]) : limit.bytes) - json;
  if (!hasLength) {
    if (bytes > behind) throw tooLarge(`${json + bytes} bytes of JSON and inputs`, limit);
  } else if (bytes !== behind) {
    throw wrongCover(bytes, behind);
  }
}

/** Creates the problem of `behind` bytes of which the inputs claim `bytes`. Does not count further bytes, because a chunked body may go on. */
function wrongCover(bytes: number, behind: number): Problem {
  const got = behind > bytes ? "more" : behind;
  const detail = `the inputs claim ${bytes} bytes behind the JSON, the body has ${got}`;
  return new Problem("malformed_request", detail);
}
