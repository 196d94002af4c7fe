/** Reads the operands of an inference request from the socket. */
import type { IncomingMessage } from "node:http";
import type { FastifyRequest } from "fastify";
import { excerpt, Problem } from "../../problems.ts";
import type { InferenceInput } from "../../wire/inference/reader.ts";
import { binarySize, InferenceOperands } from "../../wire/inference/reader.ts";
import type { JsonBody } from "../../wire/json/reader.ts";
import { JsonReader } from "../../wire/json/reader.ts";
import type { Source } from "../../wire/operands.ts";
import type { Engine } from "../body/admission.ts";
import { admitLoss, bodyLimitOf, costOf } from "../body/admission.ts";
import { reserveDecoder } from "../body/inflate.ts";
import { readJson, scanChunks } from "../body/json.ts";
import type { ParserDone } from "../body/one-piece.ts";
import { joined, onePieceLength, readInOnePiece } from "../body/one-piece.ts";
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

/** JSON of a request with its binary data. */
export interface InferenceJson extends JsonBody {
  /** Binary data of a body in one piece. */
  readonly source?: Source;
  /** Reads the binary data of a longer body, which stay in the socket until the inputs have been checked. */
  readonly reader?: BodyReader;
}

/** Reads the JSON as content-type parser. */
export function readInference(request: FastifyRequest, payload: IncomingMessage, done: ParserDone): void {
  const json = jsonBytes(request);
  if (json === undefined) {
    readJson(request, payload, "inference", done);
    return;
  }
  const length = onePieceLength(request);
  if (length === undefined) readPrefix(request, payload, json).then((body) => done(null, body), done);
  else readInOnePiece(request, payload, length, (chunks) => splitBody(request, joined(chunks), json), done);
}

/** Reads a body of which the first `json` bytes are JSON. */
function splitBody(request: FastifyRequest, body: Buffer, json: number): InferenceJson {
  const scanned = scanChunks(request, "inference", [body.subarray(0, json)]);
  return Object.assign(scanned, { source: { bytes: body.subarray(json) } });
}

async function readPrefix(
  request: FastifyRequest,
  payload: IncomingMessage,
  bytes: number,
): Promise<InferenceJson> {
  const loss = request.context.loss!;
  const { kernel, region, limit, timings } = loss;
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
  const { reader, source = { bytes: NO_BYTES } } = json;
  const hasBytes = reader !== undefined || json.source !== undefined;
  const sizes = inputs.map((input, at) => binarySize(input, `/inputs/${at}`, hasBytes));
  const claimed = sizes.reduce<number>((sum, size = 0) => sum + size, 0);
  if (reader !== undefined) return readBinary(request, json, reader, { inputs, sizes, claimed });
  if (claimed !== source.bytes.length) throw wrongCover(claimed, source.bytes.length);
  const operands = new InferenceOperands();
  let begin = 0;
  for (const [at, input] of inputs.entries()) {
    const pointer = `/inputs/${at}`;
    if (sizes[at] === undefined) operands.addText(json, input, pointer);
    else operands.addSent(input, source, begin, pointer);
    begin += sizes[at] ?? 0;
  }
  return operands;
}

const NO_BYTES = new Uint8Array(0);

/** Inputs with the byte lengths of those that are binary. */
interface SizedInputs {
  readonly inputs: readonly InferenceInput[];
  readonly sizes: readonly (number | undefined)[];
  /** Sum of the lengths. */
  readonly claimed: number;
}

async function readBinary(
  request: FastifyRequest,
  body: JsonBody,
  reader: BodyReader,
  { inputs, sizes, claimed }: SizedInputs,
): Promise<InferenceOperands> {
  const loss = request.context.loss!;
  const { kernel, region, timings } = loss;
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
      operands.addStored(input, address, pointer);
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
