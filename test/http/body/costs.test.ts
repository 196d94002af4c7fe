/** The memory that requests take, by format and shape: outputs apart at most 5 times their bytes. */
import { describe, expect, it } from "vitest";
import type { FileTensor } from "../../conformance/files.ts";
import { base64Of, tensor, writeTestFile } from "../../conformance/files.ts";
import { inferenceCall } from "../../conformance/inference.ts";
import { useService } from "../../support/service.ts";

const MiB = 1024 * 1024;
/** The scanner's state, the fixed part of a reservation, and alignment. */
const FIXED_BYTES = 256 * 1024;

interface Case {
  readonly title: string;
  readonly operation: "log_softmax" | "nll_loss" | "cross_entropy" | "kl_div";
  readonly tensors: Readonly<Record<string, FileTensor>>;
  readonly options: Readonly<Record<string, string | number | boolean>>;
  /** Bytes of the outputs, which the tensors' elements pay for. */
  readonly outputs: number;
}

const ones = (dtype: string, shape: readonly number[]): FileTensor => tensor(dtype, shape, () => 1);
const N = 100_000;

const CASES: readonly Case[] = [
  {
    title: "uint8 logits cast to float64",
    operation: "log_softmax",
    tensors: { input: ones("uint8", [N, 10]) },
    options: { dim: 1, dtype: "float64" },
    outputs: N * 10 * 8,
  },
  {
    title: "float16 logits cast to float64, with their gradient",
    operation: "log_softmax",
    tensors: { input: ones("float16", [N, 5]), grad_output: ones("float16", [N, 5]) },
    options: { dim: 1, dtype: "float64", return_grad: true },
    // The upstream gradient in float64 counts as an output: the gradient is computed in its place.
    outputs: N * 5 * (8 + 8),
  },
  {
    title: "a float16 upstream gradient of float64 losses",
    operation: "cross_entropy",
    tensors: {
      input: ones("float64", [N, 2]),
      target: ones("uint8", [N]),
      grad_output: ones("float16", [N]),
    },
    options: { reduction: "none", return_grad: true },
    outputs: N * (8 + 16),
  },
  {
    title: "bfloat16 probabilities with both gradients",
    operation: "cross_entropy",
    tensors: { input: ones("bfloat16", [N, 4]), target: ones("bfloat16", [N, 4]) },
    options: { return_grad: true, return_grad_target: true },
    outputs: N * 4 * 4,
  },
  {
    title: "logits of two dtypes with both gradients and float64 losses",
    operation: "kl_div",
    tensors: {
      input: ones("bfloat16", [N, 4]),
      target: ones("float64", [N, 4]),
      grad_output: ones("bfloat16", [N, 4]),
    },
    options: { from_logits: true, reduction: "none", return_grad: true, return_grad_target: true },
    // The upstream gradient in float64 counts as an output, and so do the gradients of the log-probabilities.
    outputs: N * 4 * (8 + 8 + 2 + 8),
  },
  {
    title: "bfloat16 log-probabilities with both gradients",
    operation: "kl_div",
    tensors: { input: ones("bfloat16", [N, 4]), target: ones("bfloat16", [N, 4]) },
    options: { log_target: true, return_grad: true, return_grad_target: true },
    outputs: N * 4 * 4,
  },
  {
    title: "ignored targets of no classes",
    operation: "nll_loss",
    tensors: { input: ones("float64", [N, 0]), target: ones("uint8", [N]) },
    options: { reduction: "none", ignore_index: 1 },
    outputs: N * 8,
  },
  {
    title: "one class",
    operation: "cross_entropy",
    tensors: { input: ones("float32", [N, 1, 2]), target: ones("uint8", [N, 2]) },
    options: { reduction: "none", ignore_index: 1 },
    outputs: N * 2 * 4,
  },
  {
    title: "a half-precision weight",
    operation: "nll_loss",
    tensors: { input: ones("float16", [1, N]), target: ones("int64", [1]), weight: ones("float16", [N]) },
    options: {},
    outputs: 0,
  },
];

const empty = (shape: readonly number[]) => ({
  input: ones("float32", shape),
  target: ones("float32", shape),
});

/** Outputs of shapes with a size of 0, for which no bytes are sent. */
const UNPAID = [
  [1, 0, 180_000_000],
  [1, 0, 4_294_967_295],
  [180_000_000, 0],
  [300_000, 0, 1],
] as const;

describe("the memory of a request", () => {
  let peak = 0;
  const service = useService({
    onTake: () => {
      peak = Math.max(peak, service().arena.reserved);
    },
  });

  interface Door {
    readonly path: string;
    readonly body: Buffer;
    readonly headers: Record<string, string>;
  }

  /** The same request in every format. */
  function doors({ operation, tensors, options }: Omit<Case, "title" | "outputs">): [string, Door][] {
    const path = `/v1/${operation}`;
    const json = { "content-type": "application/json" };
    const write = (form: (tensor: FileTensor) => unknown): Door => {
      const fields = Object.entries(tensors).map(([name, value]) => [name, form(value)]);
      const body = Buffer.from(JSON.stringify({ ...Object.fromEntries(fields), ...options }));
      return { path, body, headers: json };
    };
    const flat = ({ dtype, shape }: FileTensor) => ({
      dtype,
      shape,
      data: Array<number>(shape.reduce((product, size) => product * size, 1)).fill(1),
    });
    const metadata = Object.fromEntries(
      Object.entries(options).map(([name, value]) => [name, String(value)]),
    );
    const fields = Object.fromEntries(Object.entries(tensors).map(([name, value]) => [name, flat(value)]));
    const infer = (binary: boolean): Door => ({
      path: `/v2/models/${operation}/infer`,
      ...inferenceCall({ ...fields, ...options }, binary),
    });
    const isHalf = Object.values(tensors).some(({ dtype }) => dtype === "float16" || dtype === "bfloat16");
    return [
      ["flat JSON", write(flat)],
      ["base64 JSON", write(base64Of)],
      [
        "safetensors",
        {
          path,
          body: writeTestFile(tensors, { metadata }),
          headers: { "content-type": "application/vnd.safetensors" },
        },
      ],
      ...(isHalf ? [] : [["the Open Inference Protocol's JSON", infer(false)] as [string, Door]]),
      ["the Open Inference Protocol's bytes", infer(true)],
    ];
  }

  for (const one of CASES) {
    for (const [format, { path, body, headers }] of doors(one)) {
      it(`${one.title} take 5 times their bytes beside the outputs, in ${format}`, async () => {
        peak = 0;
        const { status, text } = await service().send("POST", path, body, headers);
        expect([status, status === 200 ? "" : text]).toEqual([200, ""]);
        expect(peak - one.outputs).toBeLessThanOrEqual(5 * body.length + FIXED_BYTES);
      });
    }
  }

  for (const shape of UNPAID) {
    const asked = {
      operation: "cross_entropy" as const,
      tensors: empty(shape),
      options: { reduction: "none" },
    };
    for (const [format, { path, body, headers }] of doors(asked)) {
      it(`losses of shape [${shape}] without logits get 422 and take no memory, in ${format}`, async () => {
        peak = 0;
        const { status, json } = await service().send("POST", path, body, headers);
        expect(status).toBe(422);
        if (path.startsWith("/v1")) expect(json.code).toBe("output_too_large");
        expect(peak).toBeLessThan(MiB);
      });
    }
  }

  for (const reduction of ["none", "mean"]) {
    const asked = {
      operation: "cross_entropy" as const,
      tensors: empty([8, 0, 1000]),
      options: { reduction },
    };
    for (const [format, { path, body, headers }] of doors(asked)) {
      it(`cross_entropy ${reduction} of shape [8, 0, 1000] is answered, in ${format}`, async () => {
        const { status } = await service().send("POST", path, body, headers);
        expect(status).toBe(200);
      });
    }
  }
});

describe("a plan that can never have room", () => {
  const service = useService({ memoryBudget: 16 * MiB });

  it("gets 413, which names MEMORY_BUDGET, and never 503", async () => {
    const input = ones("uint8", [1500, 1000]);
    const body = writeTestFile({ input }, { metadata: { dim: "1", dtype: "float64", return_grad: "false" } });
    const headers = { "content-type": "application/vnd.safetensors", accept: "application/json" };
    const { status, json } = await service().send("POST", "/v1/log_softmax", body, headers);
    expect([status, json.code]).toEqual([413, "body_too_large"]);
    expect(json.detail).toContain("MEMORY_BUDGET");
    expect(service().arena.reserved).toBe(0);
  });
});
