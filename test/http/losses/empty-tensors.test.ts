/** Tensors without elements whose shapes are large: valid in every format that has a shape; only nested answers would take room for them. */
import { describe, expect, it } from "vitest";
import { crossEntropy } from "../../../src/runtimes/node.ts";
import { fileTensor, readTestFile, writeTestFile } from "../../conformance/files.ts";
import { inferenceCall, outputsOf } from "../../conformance/inference.ts";
import { chunked } from "../../support/chunked.ts";
import { useService } from "../../support/service.ts";

const service = useService();

const input = { dtype: "float32", shape: [8, 151_936, 0], data: [] };
const TARGETS = {
  "class indices": { dtype: "int64", shape: [8, 0], data: [] },
  probabilities: input,
};
const base64 = ({ dtype, shape }: { dtype: string; shape: number[] }) => ({ dtype, shape, base64: "" });
const file = (tensors: Record<string, { dtype: string; shape: number[]; data: number[] }>): Buffer =>
  writeTestFile(
    Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, fileTensor(tensor)])),
  );

describe.each(Object.entries(TARGETS))("cross_entropy of logits (8, 151936, 0) and %s", (_kind, target) => {
  describe.each([
    ["sum", 0],
    ["mean", "NaN"],
  ] as const)("with reduction %s is %s", (reduction, loss) => {
    it.each([false, true])("in JSON, with return_grad %s", async (return_grad) => {
      for (const write of [(tensor: object) => tensor, base64] as const) {
        const body = { input: write(input), target: write(target), reduction, return_grad };
        const { status, text, json } = await service().post("/v1/cross_entropy", body);
        expect(status, text).toBe(200);
        expect(json.loss).toBe(loss);
        if (return_grad) expect(json.grad_input.shape).toEqual(input.shape);
      }
    });

    it.each(["", "&return_grad=true"])("in safetensors%s", async (grad) => {
      const path = `/v1/cross_entropy?reduction=${reduction}${grad}`;
      const headers = { "content-type": "application/vnd.safetensors" };
      const body = file({ input, target });
      for (const sent of [body, chunked(body)]) {
        const { status, text, bytes } = await service().send("POST", path, sent, headers);
        expect(status, text).toBe(200);
        expect(readTestFile(bytes).tensors.loss!.bytes.readFloatLE()).toBe(Number(loss));
      }
    });

    it.each([false, true])("over /v2, as bytes: %s", async (binary) => {
      const { headers, body } = inferenceCall({ input, target, reduction }, binary);
      const answer = await service().send("POST", "/v2/models/cross_entropy/infer", body, headers);
      expect(answer.status, answer.text).toBe(200);
      const outputs = outputsOf(answer.bytes, answer.headers) as {
        loss: { data?: unknown[]; base64?: string };
      };
      const got = outputs.loss.data?.[0] ?? Buffer.from(outputs.loss.base64!, "base64").readFloatLE();
      expect(Number(got)).toBe(Number(loss));
    });

    it("in the library", () => {
      const logits = { dtype: "float32", shape: input.shape, data: new Float32Array() } as const;
      const { dtype, shape } = target;
      const data = dtype === "int64" ? new BigInt64Array() : new Float32Array();
      expect(crossEntropy(logits, { dtype, shape, data } as never, { reduction }).loss).toBe(Number(loss));
    });
  });
});

describe("log_softmax of 4,294,967,295 empty rows", () => {
  const rows = { dtype: "float32", shape: [2 ** 32 - 1, 0], data: [] };

  it.each(["flat", "base64"])(
    "is its shape alone in the format %s, in less than a second",
    async (format) => {
      const began = performance.now();
      const body = { input: rows, dim: 1, format, return_grad: true, grad_output: rows };
      const { status, text, json } = await service().post("/v1/log_softmax", body);
      expect(status, text).toBe(200);
      expect([json.output.shape, json.grad_input.shape]).toEqual([rows.shape, rows.shape]);
      expect(performance.now() - began).toBeLessThan(1000);
    },
  );

  it("is its shape alone in safetensors", async () => {
    const headers = { "content-type": "application/vnd.safetensors" };
    const answer = await service().send("POST", "/v1/log_softmax?dim=1", file({ input: rows }), headers);
    expect(readTestFile(answer.bytes).tensors.output!.shape).toEqual(rows.shape);
  });

  it.each([
    // Each list takes three bytes with its comma, and the outer one takes one more.
    [200, 21_845],
    [422, 21_846],
  ])("has the status %d as %d nested lists", async (status, count) => {
    const nested = { input: { ...rows, shape: [count, 0] }, dim: 1, format: "nested" };
    const inJson = await service().post("/v1/log_softmax", nested);
    const tensors = file({ input: { ...rows, shape: [count, 0] } });
    const inFile = await service().send("POST", "/v1/log_softmax?dim=1", tensors, {
      "content-type": "application/vnd.safetensors",
      accept: "application/json",
    });
    for (const answer of [inJson, inFile]) {
      expect(answer.status).toBe(status);
      if (status === 422) {
        expect(answer.json.code).toBe("too_many_empty_lists");
        expect(answer.json.errors).toEqual([
          {
            pointer: "/format",
            detail:
              "the empty lists of output take 65539 bytes for 0 bytes of tensors, expected at most 65536, or format flat or base64",
          },
        ]);
      }
    }
  });
});
