/** Reads safetensors bodies: a short file in one piece, and of a longer one the header first, then all tensors into the Arena, or row after row as they arrive. */
import type { IncomingMessage } from "node:http";
import type { FastifyRequest } from "fastify";
import { excerpt, rejectAt } from "../../problems.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { byteLength } from "../../tensor/tensor.ts";
import { nearest } from "../../user-error.ts";
import { checkElementCount } from "../../wire/json/tensors.ts";
import type { Operands, SentTensor, Source } from "../../wire/operands.ts";
import { isOperand, OPERANDS, TensorOperands } from "../../wire/operands.ts";
import type { Entry, Header } from "../../wire/safetensors/header.ts";
import {
  checkDataBytes,
  readHeader,
  readHeaderLength,
  shortHeader,
  shortPrefix,
  wrongDataBytes,
} from "../../wire/safetensors/header.ts";
import { readOptions } from "../../wire/safetensors/options.ts";
import { remember, Skeleton } from "../../wire/skeleton.ts";
import type { SizeLimit } from "../content/content-headers.ts";
import { isLengthKnown, tooLarge } from "../content/content-headers.ts";
import type { LossContext, ParsedBody } from "../context.ts";
import type { Engine } from "./admission.ts";
import { onePieceLimit } from "./admission.ts";
import { reserveDecoder } from "./inflate.ts";
import type { ParserDone } from "./one-piece.ts";
import { joined, onePieceLength, readInOnePiece } from "./one-piece.ts";
import { BodyReader } from "./reader.ts";

/** Header of a file with its options. `value` is the equivalent JSON body: the options, and a number for each tensor. */
class FileSkeleton extends Skeleton {
  readonly header: Header;

  constructor(header: Header, value: unknown) {
    super(value);
    this.header = header;
  }
}

/** Short file, of which all bytes have arrived. */
export interface ShortFile extends ParsedBody {
  readonly skeleton: FileSkeleton;
  readonly source: Source;
}

/** Safetensors body after its header has been read. */
export interface SafetensorsBody extends ParsedBody {
  readonly header: Header;
  /** Bytes before those of the tensors. */
  readonly begin: number;
  /** Reads the tensors' bytes, which are still in the socket. */
  readonly reader: BodyReader;
}

const PREFIX_BYTES = 8;

/** Reads a {@link ShortFile}, or the header of a longer file for a {@link SafetensorsBody}. */
export function readSafetensors(
  engine: Engine,
  request: FastifyRequest,
  payload: IncomingMessage,
  done: ParserDone,
): void {
  const length = onePieceLength(request, onePieceLimit(engine));
  if (length === undefined) readLong(engine, request, payload).then((body) => done(null, body), done);
  else readInOnePiece(request, payload, length, (chunks) => readShort(request, joined(chunks)), done);
}

/** Skeletons by path, query string and header. */
const skeletons = new Map<string, FileSkeleton>();

function readShort({ url, query }: FastifyRequest, file: Buffer): ShortFile {
  const begin = PREFIX_BYTES + readHeaderLength(file, file.length);
  const data = file.subarray(begin);
  const text = `${url} ${file.toString("latin1", PREFIX_BYTES, begin)}`;
  let skeleton = skeletons.get(text);
  if (skeleton === undefined) {
    const header = readHeader(file.subarray(PREFIX_BYTES, begin), data.length, checkName);
    skeleton = new FileSkeleton(header, bodyOf(header, query));
    remember(skeletons, text, skeleton);
  }
  checkDataBytes(skeleton.header, data.length);
  return { value: skeleton.value, skeleton, source: { bytes: data } };
}

/** Returns the equivalent JSON body. */
function bodyOf({ metadata, entries }: Header, query: unknown): Record<string, unknown> {
  const value = readFileOptions(metadata, query);
  for (const { name } of entries) value[name] = 0;
  return value;
}

async function readLong(
  engine: Engine,
  { context, headers, query }: FastifyRequest,
  payload: IncomingMessage,
): Promise<SafetensorsBody> {
  const limit: SizeLimit = { bytes: engine.streamLimit, setting: "STREAM_LIMIT" };
  reserveDecoder(context.loss!, limit.bytes);
  const reader = new BodyReader(context, payload, limit);
  const bodyBytes = isLengthKnown(headers, context.loss!.coding)
    ? Number(headers["content-length"])
    : undefined;
  const prefix = new Uint8Array(PREFIX_BYTES);
  await reader.fill(prefix, shortPrefix);
  const bytes = new Uint8Array(readHeaderLength(prefix, bodyBytes));
  await reader.fill(bytes, (end) => shortHeader(bytes.length, end));
  const begin = PREFIX_BYTES + bytes.length;
  const header = readHeader(bytes, bodyBytes === undefined ? undefined : bodyBytes - begin, checkName);
  return { value: bodyOf(header, query), header, begin, reader };
}

/** Reads the options of a file. Rejects a tensor among them. */
export function readFileOptions(
  metadata: Readonly<Record<string, string>>,
  query: unknown,
): Record<string, unknown> {
  const options = readOptions(metadata, query as Record<string, unknown>);
  for (const name of OPERANDS) {
    if (options[name] !== undefined && options[name] !== null)
      throw rejectAt("invalid_request", `/${name}`, "expected a tensor of the file, got an option");
  }
  return options;
}

function checkName(name: string): void {
  if (isOperand(name)) return;
  const meant = nearest(name, OPERANDS);
  const detail =
    meant === undefined
      ? `expected no tensors but ${OPERANDS.join(", ")}`
      : `unknown tensor; did you mean ${meant}?`;
  throw rejectAt("invalid_request", `/${excerpt(name)}`, detail);
}

/** Returns the tensors of a short file. */
export function shortFileOperands({ skeleton, source }: ShortFile): Operands {
  const tensors = new Map<string, SentTensor>();
  for (const entry of skeleton.header.entries) {
    checkElementCount(entry.shape, `/${entry.name}`);
    tensors.set(entry.name, { ...entry, source });
  }
  return new TensorOperands(tensors);
}

/** Reads all tensors into the Arena. */
export async function readTensors(loss: LossContext, body: SafetensorsBody): Promise<Operands> {
  const tensors = new Map<string, Tensor>();
  for (const entry of body.header.entries) {
    const tensor = reserveTensor(loss, entry);
    await readTensor(loss, body, tensor);
    tensors.set(entry.name, tensor);
  }
  await endBody(body);
  return new TensorOperands(tensors);
}

/** Reserves memory for a tensor of the file. */
export function reserveTensor({ region }: LossContext, { name, dtype, shape }: Entry): Tensor {
  checkElementCount(shape, `/${name}`);
  const bytes = byteLength({ dtype, shape });
  if (bytes > region.largest)
    throw tooLarge(`${bytes} bytes of ${name}`, { bytes: region.largest, setting: "MEMORY_BUDGET" });
  return { dtype, shape, address: region.alloc(bytes) };
}

/** Reads the next tensor of the file. */
export async function readTensor(
  { kernel }: LossContext,
  body: SafetensorsBody,
  tensor: Tensor,
): Promise<void> {
  const { address } = tensor;
  await readData(body, kernel.u8.subarray(address, address + byteLength(tensor)));
}

/** Reads the next bytes of the tensors. Rejects a body that ends before, which only one without Content-Length can do. */
export function readData({ header, begin, reader }: SafetensorsBody, into: Uint8Array): Promise<void> {
  return reader.fill(into, (end) => wrongDataBytes(header, end - begin));
}

/** Rejects bytes after the tensors, which only a body without Content-Length can have. */
export async function endBody({ header, reader }: SafetensorsBody): Promise<void> {
  if (!(await reader.end())) throw wrongDataBytes(header, Number.POSITIVE_INFINITY);
}
