/** JSON in chunks, whose length nobody announces, as .NET's clients send every body. */
import { describe, expect, it } from "vitest";
import { SHORT_BYTES } from "../../../src/http/body/admission.ts";
import { useService } from "../../support/service.ts";
import { dial, statusesOf, untilClosed } from "../../support/socket.ts";

const MiB = 2 ** 20;
const ROW = [0.5, -1.25, 2, 0.125, 3];

/** A body of about so many bytes. */
function bodyOf(bytes: number): string {
  const rows = Math.max(1, Math.floor(bytes / 26));
  return JSON.stringify({
    input: Array.from({ length: rows }, () => ROW),
    target: Array.from({ length: rows }, () => 1),
  });
}

/** Pieces of a text. */
async function* pieces(text: string, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < text.length; at += size) yield Buffer.from(text.slice(at, at + size));
}

const JSON_TYPE = { "content-type": "application/json" };
const PATH = "/v1/cross_entropy";

describe("JSON in chunks", () => {
  const service = useService({ memoryBudget: 128 * MiB, bodyLimit: 16 * MiB });
  const tight = useService({ memoryBudget: 16 * MiB });

  it.each([60, 100_000, SHORT_BYTES - 1, SHORT_BYTES, SHORT_BYTES + 1, SHORT_BYTES + 70_000, 3 * MiB])(
    "of %i bytes gets the bits of a body whose length is known, in pieces of any size",
    async (bytes) => {
      const body = bodyOf(bytes).padEnd(bytes);
      expect(body.length).toBeGreaterThanOrEqual(bytes);
      const { text } = await service().post(PATH, body);
      for (const size of bytes < 100 ? [1, 7, 64] : [999, 65_536, MiB]) {
        const answer = await service().send("POST", PATH, pieces(body, size), JSON_TYPE);
        expect([answer.status, answer.text]).toEqual([200, text]);
      }
      await expect.poll(() => service().arena.reserved).toBe(0);
    },
  );

  it("of 24 clients at once is answered, although the longest that they may be would not fit", async () => {
    const clients = await Promise.all(Array.from({ length: 24 }, () => dial(service())));
    for (const { socket } of clients) {
      socket.write(
        `POST ${PATH} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`,
      );
      socket.write('d\r\n{"input": [[0\r\n');
    }
    await expect.poll(() => service().arena.reserved).toBeGreaterThan(24 * 5 * SHORT_BYTES);
    for (const { socket } of clients) socket.write('14\r\n, 0]], "target":[1]}\r\n0\r\n\r\n');
    for (const client of clients) expect(statusesOf(await untilClosed(client))).toEqual([200]);
    await expect.poll(() => service().arena.reserved).toBe(0);
  });

  it("is taken as far as the memory budget reaches, and refused with 413 beyond it", async () => {
    const send = (bytes: number) => tight().send("POST", PATH, pieces(bodyOf(bytes), 65_536), JSON_TYPE);
    expect((await send(2 * MiB)).status).toBe(200);
    const { status, json } = await send(8 * MiB);
    expect([status, json.code]).toEqual([413, "body_too_large"]);
    expect(json.detail).toMatch(/^expected at most \d+ bytes \(MEMORY_BUDGET\), got more$/);
    expect((await tight().post(PATH, bodyOf(2 * MiB))).status).toBe(200);
  });

  it("is refused like every other where it is none", async () => {
    for (const body of ["", "{", '{"input": [[1, 2], [3]]}', `${" ".repeat(SHORT_BYTES + 10)}x`]) {
      const known = await service().post(PATH, body);
      const chunked = await service().send("POST", PATH, pieces(body, 10_000), JSON_TYPE);
      const { request_id: _, ...problem } = chunked.json;
      expect({ ...problem, request_id: known.json.request_id }).toEqual(known.json);
    }
  });

  it("asks the Open Inference Protocol, too", async () => {
    const body = JSON.stringify({
      inputs: [
        { name: "input", datatype: "FP32", shape: [1, 2], data: [0, 0] },
        { name: "target", datatype: "INT64", shape: [1], data: [1] },
      ],
    });
    const answer = await service().send(
      "POST",
      "/v2/models/cross_entropy/infer",
      pieces(body, 30),
      JSON_TYPE,
    );
    expect(answer.json.outputs[0].data[0]).toBeCloseTo(Math.LN2, 6);
  });
});
