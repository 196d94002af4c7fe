/** A short body is collected whatever its chunks, and keeps few of them. */
import { PassThrough } from "node:stream";
import type { FastifyRequest } from "fastify";
import { describe, expect, it } from "vitest";
import { joined, readInOnePiece } from "../../../src/http/body/one-piece.ts";
import { useService } from "../../support/service.ts";
import { dial, head } from "../../support/socket.ts";

describe("a body in one piece", () => {
  it.each([1, 63, 64, 65, 129, 5000])("of %d chunks of a byte is parsed as at most 65", async (length) => {
    const loss = { bytes: 0, region: { commit: () => {} }, timings: { enter: () => {} } };
    const request = { context: { loss, exchange: { expectBody: () => {}, waitsForBody: true } } };
    const payload = new PassThrough({ highWaterMark: length });
    const parsed = new Promise<readonly Buffer[]>((resolve) => {
      const parse = (chunks: readonly Buffer<ArrayBuffer>[]): void => resolve(chunks);
      readInOnePiece(request as unknown as FastifyRequest, payload as never, length, parse, () => {});
    });
    const body = Buffer.from(Array.from({ length }, (_, at) => at % 251));
    for (const byte of body) {
      payload.write(Buffer.of(byte));
      await new Promise(setImmediate);
    }
    const chunks = await parsed;
    expect(chunks.length).toBeLessThanOrEqual(65);
    expect(joined(chunks as readonly Buffer<ArrayBuffer>[])).toEqual(body);
  });

  const service = useService();

  it("of JSON has the same answer if it is sent byte by byte", async () => {
    const body = JSON.stringify({ dim: 0, input: Array.from({ length: 70 }, (_, at) => at / 10) });
    const whole = await service().post("/v1/log_softmax", body);
    expect(whole.status).toBe(200);
    const { socket, text } = await dial(service());
    socket.setNoDelay(true).write(head("/v1/log_softmax", body.length));
    for (const letter of body) {
      socket.write(letter);
      await new Promise(setImmediate);
    }
    await expect.poll(() => text().split("\r\n\r\n")[1]).toBe(whole.text);
  });
});
