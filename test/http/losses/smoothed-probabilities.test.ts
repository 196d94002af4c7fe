/**
 * Smoothed probabilities are not rounded to the target's dtype: a deliberate difference. PyTorch 2.15.0 gives 0.5081467876692067 for the
 * bfloat16 target of these tests, and for `target.double()` what lossd gives for both.
 */
import { describe, expect, it } from "vitest";
import { crossEntropy } from "../../../src/runtimes/node.ts";
import { fileTensor, readTestFile, writeTestFile } from "../../conformance/files.ts";
import { inferenceCall, outputsOf } from "../../conformance/inference.ts";
import { useService } from "../../support/service.ts";

const EXPECTED = 0.5076059644443804;
const input = { dtype: "float64", shape: [1, 3], data: [0, 1, 2] };
const target = { dtype: "bfloat16", shape: [1, 3], data: [0, 0, 1] };
const smoothed = { input, target, label_smoothing: 0.1 };

describe("float64 logits with bfloat16 probabilities and label_smoothing 0.1 give the loss of exact smoothing, 0.50760596", () => {
  const service = useService();

  it("in JSON", async () => {
    const { json } = await service().post("/v1/cross_entropy", smoothed);
    expect(json.loss).toBeCloseTo(EXPECTED, 14);
  });

  it("in safetensors", async () => {
    const body = writeTestFile({ input: fileTensor(input), target: fileTensor(target) });
    const { bytes } = await service().send("POST", "/v1/cross_entropy?label_smoothing=0.1", body, {
      "content-type": "application/vnd.safetensors",
    });
    expect(readTestFile(bytes).tensors.loss!.bytes.readDoubleLE()).toBeCloseTo(EXPECTED, 14);
  });

  it("over /v2", async () => {
    const { headers, body } = inferenceCall(smoothed, false);
    const answer = await service().send("POST", "/v2/models/cross_entropy/infer", body, headers);
    const { loss } = outputsOf(answer.bytes, answer.headers) as { loss: { data: number[] } };
    expect(loss.data[0]).toBeCloseTo(EXPECTED, 14);
  });

  it("in the library, and float32 and float16 probabilities give the same bits", () => {
    const logits = { dtype: "float64", shape: [1, 3], data: Float64Array.of(0, 1, 2) } as const;
    const shape = [1, 3];
    const losses = [
      { dtype: "bfloat16", shape, data: Uint16Array.of(0, 0, 0x3f80) } as const,
      { dtype: "float16", shape, data: Uint16Array.of(0, 0, 0x3c00) } as const,
      { dtype: "float32", shape, data: Float32Array.of(0, 0, 1) } as const,
      { dtype: "float64", shape, data: Float64Array.of(0, 0, 1) } as const,
    ].map((probabilities) => crossEntropy(logits, probabilities, { labelSmoothing: 0.1 }).loss);
    expect(losses[0]).toBeCloseTo(EXPECTED, 14);
    expect(new Set(losses).size).toBe(1);
  });
});
