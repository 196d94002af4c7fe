/** Integer options beyond 2^53: never taken for their neighbour. Text is refused; the library takes any int64. */
import { describe, expect, it } from "vitest";
import { nllLoss } from "../../../src/runtimes/node.ts";
import { fileTensor, writeTestFile } from "../../conformance/files.ts";
import { useService } from "../../support/service.ts";

const service = useService();

const input = { dtype: "float32", shape: [2, 2], data: [0, 1, 2, 3] };
const target = { dtype: "int64", shape: [2], data: [0, 2 ** 53] };
const FILE = { "content-type": "application/vnd.safetensors" };
const tensors = { input: fileTensor(input), target: fileTensor(target) };

/** The ways in which a request says `ignore_index`, as text of a number. */
const DOORS: Record<string, (text: string) => Promise<{ status: number; text: string }>> = {
  JSON: (text) =>
    service().post(
      "/v1/nll_loss",
      `{"input":[[0,1],[2,3]],"target":[0,9007199254740992],"ignore_index":${text}}`,
    ),
  "the query string": (text) =>
    service().send("POST", `/v1/nll_loss?ignore_index=${text}`, writeTestFile(tensors), FILE),
  "the query string of a body that is not streamed": (text) =>
    service().send("POST", `/v1/nll_loss?reduction=none&ignore_index=${text}`, writeTestFile(tensors), FILE),
  __metadata__: (text) =>
    service().send(
      "POST",
      "/v1/nll_loss",
      writeTestFile(tensors, { metadata: { ignore_index: text } }),
      FILE,
    ),
  "parameters of /v2": (text) => {
    const inputs = [
      { name: "input", datatype: "FP32", ...input, dtype: undefined },
      { name: "target", datatype: "INT64", ...target, dtype: undefined },
    ];
    const body = JSON.stringify({ inputs, parameters: { ignore_index: 0 } }).replace(
      '"ignore_index":0',
      `"ignore_index":${text}`,
    );
    return service().post("/v2/models/nll_loss/infer", body);
  },
};

describe.each(Object.entries(DOORS))("ignore_index in %s", (_door, ask) => {
  it("is 2^53 as 9007199254740992", async () => {
    const { status, text } = await ask("9007199254740992");
    expect(status, text).toBe(200);
  });

  it.each([
    "9007199254740993",
    "9007199254740993.0",
    "9007199254740992.5",
    "9.007199254740993e15",
    "90071992547409930e-1",
    "9007199254740994",
    "9223372036854775807",
    "1e300",
  ])("is refused as %s, not read as 2^53", async (number) => {
    const { status, text } = await ask(number);
    expect(status, text).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
    expect(text).toContain("ignore_index: expected at most 9007199254740992");
    expect((await ask(`-${number}`)).text).toContain("ignore_index: expected at least -9007199254740992");
  });
});

it.each([2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)])(
  "the library ignores exactly the class index %d",
  (ignoreIndex) => {
    const losses = (index: bigint) => {
      const logits = { dtype: "float32", shape: [2, 2], data: Float32Array.of(-1, 0, -2, 0) } as const;
      return nllLoss(
        logits,
        { dtype: "int64", shape: [2], data: BigInt64Array.of(0n, index) },
        { ignoreIndex, reduction: "sum" },
      );
    };
    expect(losses(ignoreIndex).loss).toBe(1);
    const neighbour = ignoreIndex - BigInt(Math.sign(Number(ignoreIndex)));
    expect(() => losses(neighbour)).toThrow(`Target ${neighbour} is out of bounds`);
  },
);
