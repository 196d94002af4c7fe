/** The memory of used chunks, which is freed at once. */
import { once } from "node:events";
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { discard, freeChunk } from "../../src/http/chunks.ts";
import { codingOf } from "../../src/http/content/content-coding.ts";

const gzip = codingOf("gzip");

/** Returns a chunk of the pool from which Node allocates short Buffers, at its end. */
function endOfPool(): Buffer<ArrayBuffer> {
  for (;;) {
    const chunk = Buffer.allocUnsafe(8);
    if (chunk.byteOffset > 0 && chunk.byteOffset + chunk.length === chunk.buffer.byteLength) return chunk;
  }
}

describe("the memory of a used chunk", () => {
  it.each([undefined, gzip])("is freed if the chunk is alone in its buffer", (coding) => {
    const chunk = Buffer.from(new ArrayBuffer(100));
    freeChunk(chunk, coding);
    expect(chunk.length).toBe(0);
  });

  it("is freed after the last chunk of a decoder's buffer", () => {
    const buffer = new ArrayBuffer(100);
    const [first, last] = [Buffer.from(buffer, 0, 60), Buffer.from(buffer, 60)];
    freeChunk(first, gzip);
    expect(first.length).toBe(60);
    freeChunk(last, gzip);
    expect(last.length).toBe(0);
  });

  it.each([undefined, gzip])("stays if it is Node's, which short chunks of any request share", (coding) => {
    const chunk = endOfPool();
    freeChunk(chunk, coding);
    expect(chunk.length).toBe(8);
  });
});

describe("the discarded rest of a body", () => {
  it("is freed chunk by chunk, and no other reader sees it", async () => {
    const request = new IncomingMessage(new Socket());
    const seen: number[] = [];
    request.on("data", (chunk: Buffer) => void seen.push(chunk.length));
    const chunks = Array.from({ length: 3 }, () => Buffer.alloc(64 * 1024));
    discard(request);
    discard(request);
    for (const chunk of chunks) request.push(chunk);
    request.push(null);
    await once(request, "end");
    expect(chunks.map(({ length }) => length)).toEqual([0, 0, 0]);
    expect(seen).toEqual([]);
  });
});
