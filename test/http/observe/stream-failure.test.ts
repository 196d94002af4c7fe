/** A fault of the server in a response that Fastify streams is logged and counted. */
import { afterAll, expect, it, vi } from "vitest";
import { tensor, writeTestFile } from "../../conformance/files.ts";

// Other tests of this process have loaded the modules.
vi.resetModules();
vi.doMock("../../../src/wire/safetensors/writer.ts", async (original) => {
  const writer = await original<typeof import("../../../src/wire/safetensors/writer.ts")>();
  return {
    ...writer,
    writeFile: (...args: Parameters<typeof writer.writeFile>) => {
      const { length, pages } = writer.writeFile(...args);
      return { length, pages: failing(pages) };
    },
  };
});

function* failing(pages: Iterable<Buffer>): Generator<Buffer, void> {
  let count = 0;
  for (const page of pages) {
    if (++count === 3) throw new Error("a fault");
    yield page;
  }
}

afterAll(() => {
  vi.doUnmock("../../../src/wire/safetensors/writer.ts");
  vi.resetModules();
});

const { useService } = await import("../../support/service.ts");
const lines: string[] = [];
const service = useService({ log: (line) => void lines.push(line) });

it("as internal_error, beside the status that was sent", async () => {
  const body = writeTestFile({ input: tensor("float32", [900, 1000], (at) => at % 7) });
  const headers = { "content-type": "application/vnd.safetensors" };
  await expect(service().send("POST", "/v1/log_softmax?dim=1", body, headers)).rejects.toThrow();
  const parsed = () => lines.map((line) => JSON.parse(line)).filter(({ reqId }) => reqId !== undefined);
  await expect.poll(() => parsed().length).toBe(2);
  const [failed, request] = parsed();
  expect(failed).toMatchObject({ level: 50, msg: "response failed", err: { message: "a fault" } });
  expect(request).toMatchObject({
    reqId: failed.reqId,
    operation: "log_softmax",
    status: 200,
    aborted: true,
    problem: "internal_error",
  });
  const { text } = await service().get("/metrics");
  expect(text).toContain('lossd_refusals_total{reason="internal_error"} 1');
  expect(text).toContain('lossd_responses_aborted_total{operation="log_softmax"} 1');
});
