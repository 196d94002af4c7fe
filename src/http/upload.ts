/** safetensors bodies: the header first, then either all tensors into the Arena, or row after row as they arrive. */
import type { IncomingMessage } from "node:http";
import type { FastifyRequest } from "fastify";
import { nearest } from "../near.ts";
import { echo, Problem, refuseAt } from "../problems.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { byteLength } from "../tensor/tensor.ts";
import { PlacedOperands } from "../wire/operands.ts";
import { readOptions } from "../wire/options.ts";
import type { Entry, Header } from "../wire/safetensors.ts";
import { readHeader, readHeaderLength } from "../wire/safetensors.ts";
import { checkSpan } from "../wire/tensors.ts";
import type { Engine } from "./admission.ts";
import { openSource } from "./body.ts";
import type { Job } from "./job.ts";
import { isOperand, OPERANDS } from "./job.ts";
import { tooLarge } from "./preflight.ts";
import { jobOf } from "./request.ts";
import type { BodySource } from "./source.ts";

/** A body whose header has been read. */
export interface Upload {
  readonly header: Header;
  /** The tensors' bytes. */
  readonly source: BodySource;
}

const PREFIX_BYTES = 8;

/**
 * The content-type parser: reads the header and gives the body that a JSON request would have had: the options, and a number in the place
 * of each tensor, for the validator. The tensors' bytes stay in the socket.
 */
export async function readUpload(
  engine: Engine,
  request: FastifyRequest,
  payload: IncomingMessage,
): Promise<Record<string, unknown>> {
  const job = jobOf(request);
  const source = openSource(job, payload, { bytes: engine.streamLimit, setting: "STREAM_LIMIT" });
  const length = request.headers["content-length"];
  const bodyBytes = length === undefined ? undefined : Number(length);
  const prefix = new Uint8Array(PREFIX_BYTES);
  // A body that is shorter than the prefix is refused as such.
  if (bodyBytes !== undefined && bodyBytes < PREFIX_BYTES)
    readHeaderLength(prefix.subarray(0, bodyBytes), bodyBytes);
  await source.fill(prefix);
  const bytes = new Uint8Array(readHeaderLength(prefix, bodyBytes));
  await source.fill(bytes);
  const begin = PREFIX_BYTES + bytes.length;
  const header = readHeader(bytes, bodyBytes === undefined ? undefined : bodyBytes - begin, checkName);
  job.upload = { header, source };
  const body = readOptions(header.metadata, request.query as Record<string, unknown>);
  for (const name of OPERANDS) {
    if (name in body)
      throw refuseAt("invalid_request", `/${name}`, "expected a tensor of the file, got an option");
  }
  for (const { name } of header.entries) body[name] = 0;
  return body;
}

function checkName(name: string): void {
  if (isOperand(name)) return;
  const meant = nearest(name, OPERANDS);
  const detail =
    meant === undefined
      ? `expected no tensors but ${OPERANDS.join(", ")}`
      : `unknown tensor; did you mean ${meant}?`;
  throw refuseAt("invalid_request", `/${echo(name)}`, detail);
}

/** Reads all tensors into the Arena. */
export async function placeAll(job: Job, { header, source }: Upload): Promise<void> {
  const tensors = new Map<string, Tensor>();
  for (const entry of header.entries) tensors.set(entry.name, await place(job, source, reserve(job, entry)));
  await endUpload(source);
  job.operands = new PlacedOperands(tensors);
}

/** Room for a tensor of the file. */
export function reserve(job: Job, { name, dtype, shape }: Entry): Tensor {
  checkSpan(shape, `/${name}`);
  const { region } = job.work;
  const bytes = byteLength({ dtype, shape });
  if (bytes > region.largest)
    throw tooLarge(`${bytes} bytes of ${name}`, { bytes: region.largest, setting: "MEMORY_BUDGET" });
  return { dtype, shape, address: region.alloc(bytes) };
}

/** Reads the next tensor of the file. */
export async function place(job: Job, source: BodySource, tensor: Tensor): Promise<Tensor> {
  const { address } = tensor;
  await source.fill(job.work.kernel.u8.subarray(address, address + byteLength(tensor)));
  return tensor;
}

/** Refuses what follows the tensors, which only a body without Content-Length can have. */
export async function endUpload(source: BodySource): Promise<void> {
  if (await source.end()) return;
  throw new Problem("malformed_safetensors", "bytes follow the last tensor");
}
