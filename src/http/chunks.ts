/** Frees the chunks of bodies: used ones, and those of a rest that nobody reads. */
import type { IncomingMessage } from "node:http";
import { isMarkedAsUntransferable } from "node:worker_threads";
import type { Coding } from "./content/content-coding.ts";

/**
 * Frees the memory of a used chunk of a body, if it is alone in its buffer or the last in a decoder's buffer. The garbage collector would let
 * the chunks of large bodies grow to 80 MiB and then run full collections. Short chunks that were joined lie in Node's pool.
 */
export function freeChunk(
  { buffer, byteOffset, byteLength }: Buffer<ArrayBuffer>,
  coding: Coding | undefined,
): void {
  const isLast = byteOffset + byteLength === buffer.byteLength;
  const isOwn = byteOffset === 0 || (coding !== undefined && !isMarkedAsUntransferable(buffer));
  if (isLast && isOwn) buffer.transfer(0);
}

/** Discards the rest of a body, as its only reader from here on, and frees its chunks. May be called again. */
export function discard(request: IncomingMessage): void {
  request.removeAllListeners("data");
  request.on("data", (chunk: Buffer<ArrayBuffer>) => freeChunk(chunk, undefined)).resume();
}
