/** Reads short bodies in one piece. */
import type { IncomingMessage } from "node:http";
import type { FastifyRequest } from "fastify";
import { ONE_PIECE_BYTES } from "./admission.ts";
import { endedEarly } from "./inflate.ts";

/** The callback of Fastify's content-type parsers. */
export type ParserDone = (error: Error | null, body?: unknown) => void;

/** Returns the length of a body of at most `limit` bytes, which is read in one piece, or undefined. */
export function onePieceLength(
  { headers, context }: FastifyRequest,
  limit = ONE_PIECE_BYTES,
): number | undefined {
  if (context.loss!.coding !== undefined) return undefined;
  const length = Number(headers["content-length"] ?? Number.POSITIVE_INFINITY);
  return length <= limit ? length : undefined;
}

/** Chunks that are kept before they are joined, because a client may send byte by byte, and a chunk takes about 100 bytes beside its own. */
const MAX_CHUNKS = 64;

/** Collects a body of `length` bytes, and calls `done` in the turn of the event loop in which its last byte arrives, with what `parse` returns or throws. */
export function readInOnePiece(
  { context }: FastifyRequest,
  payload: IncomingMessage,
  length: number,
  parse: (chunks: readonly Buffer<ArrayBuffer>[]) => unknown,
  done: ParserDone,
): void {
  const { exchange } = context;
  const loss = context.loss!;
  const { timings } = loss;
  let chunks: Buffer<ArrayBuffer>[] = [];
  let isOver = false;
  const end = (error: Error | null, body?: unknown): void => {
    isOver = true;
    chunks = [];
    exchange.waitsForBody = false;
    done(error, body);
  };
  const advance = (): void => {
    let body: unknown;
    try {
      // Reserves memory with the first part of a body, as for a long body.
      loss.region.commit();
      if (loss.bytes < length) return;
      timings.enter("decode");
      body = parse(chunks);
    } catch (error) {
      end(error as Error);
      return;
    }
    end(null, body);
  };
  timings.enter("read");
  exchange.expectBody((problem) => {
    if (!isOver) end(problem);
  });
  payload.on("data", (chunk: Buffer<ArrayBuffer>) => {
    if (isOver) return;
    loss.bytes += chunk.length;
    if (chunks.length === MAX_CHUNKS) chunks = [joined(chunks)];
    chunks.push(chunk);
    advance();
  });
  payload.on("close", () => {
    if (!isOver) end(endedEarly());
  });
  if (length === 0) advance();
}

/** Joins the chunks of a body. */
export function joined(chunks: readonly Buffer<ArrayBuffer>[]): Buffer<ArrayBuffer> {
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}
