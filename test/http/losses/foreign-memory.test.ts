/** No answer holds numbers of another request, however the shapes of its operands differ. */
import { describe, expect, it } from "vitest";
import { crossEntropy, nllLoss } from "../../../src/runtimes/node.ts";
import { tensor, writeTestFile } from "../../conformance/files.ts";
import { base64 } from "../../conformance/forms.ts";
import { inferenceCall } from "../../conformance/inference.ts";
import { chunked } from "../../support/chunked.ts";
import { useService } from "../../support/service.ts";

const WORDS = "Dimension specified as 0 but tensor has no dimensions";

/** A 0-dim target beside a batch of 0, which PyTorch refuses, with all that moved the place that was read. */
const FIELDS = [
  { reduction: "none" },
  { reduction: "mean" },
  { reduction: "sum" },
  { reduction: "none", return_grad: true, grad_output: { dtype: "float64", shape: [], data: [1] } },
  { reduction: "none", weight: { dtype: "float64", shape: [4], data: [1, 2, 3, 4] } },
  { reduction: "mean", weight: { dtype: "float64", shape: [4], data: [1, 2, 3, 4] } },
];

const operands = {
  input: { dtype: "float64", shape: [0, 4], data: [] },
  target: { dtype: "int64", shape: [], data: [3] },
};

describe("a 0-dim target beside a batch of 0 gets 422 in PyTorch's words", () => {
  const service = useService();

  /** Leaves numbers in the Arena for a later request to find. */
  const leaveNumbers = async (): Promise<void> => {
    const data = [11111.25, 22222.5, 33333.75, 44444.5, 55555.5, 66666.5];
    const { status } = await service().post("/v1/log_softmax", {
      input: { dtype: "float64", shape: [1, 6], data },
      dim: 1,
    });
    expect(status).toBe(200);
  };

  for (const operation of ["nll_loss", "cross_entropy"]) {
    for (const options of operation === "nll_loss"
      ? FIELDS
      : [...FIELDS, { reduction: "none", label_smoothing: 0.5 }]) {
      const title = `${operation} ${JSON.stringify(options)}`;
      const fields: Record<string, unknown> = { ...operands, ...options };

      it(`${title} in JSON`, async () => {
        for (const write of [(value: unknown) => value, base64]) {
          await leaveNumbers();
          const body = Object.fromEntries(
            Object.entries(fields).map(([name, value]) => [
              name,
              typeof value === "object" ? write(value as never) : value,
            ]),
          );
          const { status, json } = await service().post(`/v1/${operation}`, body);
          expect([status, json.code]).toEqual([422, "shape_mismatch"]);
          expect(json.errors[0].pointer).toBe("/target");
          expect(json.detail + json.errors[0].detail).toContain(WORDS);
        }
      });

      it(`${title} in safetensors, with the tensors in any order, for an answer in either format`, async () => {
        for (const names of [
          ["input", "target", "weight", "grad_output"],
          ["target", "weight", "input", "grad_output"],
        ]) {
          const tensors = Object.fromEntries(
            names
              .filter((name) => name in fields)
              .map((name) => {
                const { dtype, shape, data } = fields[name] as {
                  dtype: string;
                  shape: number[];
                  data: number[];
                };
                return [name, tensor(dtype, shape, (at) => data[at]!)];
              }),
          );
          const metadata = Object.fromEntries(
            Object.entries(options)
              .filter(([, value]) => typeof value !== "object")
              .map(([name, value]) => [name, String(value)]),
          );
          const body = writeTestFile(tensors, { metadata, asTheyStand: true });
          for (const accept of ["application/json", "application/vnd.safetensors"]) {
            for (const sent of [body, chunked(body)]) {
              await leaveNumbers();
              const headers = { "content-type": "application/vnd.safetensors", accept };
              const { status, json } = await service().send("POST", `/v1/${operation}`, sent, headers);
              expect([status, json.code]).toEqual([422, "shape_mismatch"]);
              expect(json.detail + JSON.stringify(json.errors)).toContain(WORDS);
            }
          }
        }
      });

      it(`${title} in the Open Inference Protocol`, async () => {
        for (const binary of [false, true]) {
          await leaveNumbers();
          const { body, headers } = inferenceCall(fields, binary);
          const path = `/v2/models/${operation}/infer`;
          const { status, text } = await service().send("POST", path, body, headers);
          expect(status).toBe(422);
          expect(text).toContain(WORDS);
        }
      });
    }
  }

  it("in the library", () => {
    const input = { dtype: "float64", shape: [0, 4], data: new Float64Array(0) } as const;
    const target = { dtype: "int64", shape: [], data: BigInt64Array.of(3n) } as const;
    expect(() => nllLoss(input, target, { reduction: "none" })).toThrow(WORDS);
    expect(() => crossEntropy(input, target, { reduction: "none" })).toThrow(WORDS);
  });
});
