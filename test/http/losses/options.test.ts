/** Options beyond PyTorch's functions: what is refused and where, and streamed responses. */
import { describe, expect, it } from "vitest";
import { readTestFile, tensor, writeTestFile } from "../../conformance/files.ts";
import { useService } from "../../support/service.ts";

const service = useService();
const small = useService({ bodyLimit: 16 * 1024 });
const rows = {
  input: [
    [1, 2, 3],
    [3, 2, 1],
  ],
  target: [2, 0],
};
const soft = {
  ...rows,
  target: [
    [0, 0, 1],
    [1, 0, 0],
  ],
};
const sparse = {
  ...rows,
  target: [
    [2, 1],
    [0, 1],
  ],
  target_weight: [
    [0.5, 0.5],
    [1, 0],
  ],
};
it.each([
  ["cross_entropy", soft, ["label_smoothing", "temperature", "softcap", "lse_square_scale"]],
  ["log_softmax", { input: [[1, 2]], dim: 1 }, ["temperature", "softcap"]],
  ["kl_div", { ...soft, from_logits: true }, ["temperature"]],
])("%s of %j says that %j are numbers", async (operation, body, names) => {
  for (const name of names) {
    for (const value of ["x", [1], {}]) {
      const { status, json } = await service().post(`/v1/${operation}`, { ...body, [name]: value });
      const detail = 'expected a number, "NaN", "Infinity" or "-Infinity"';
      expect([status, json.errors]).toEqual([422, [{ pointer: `/${name}`, detail }]]);
    }
  }
});

const integers = { dtype: "int64", shape: [2], data: [1, 1] };

describe("refuses with the pointer to the field", () => {
  it.each([
    ["nll_loss", { ...rows, dim: 2 }, "dim_out_of_range", "/dim"],
    ["nll_loss", { ...rows, dim: 0, target: [0, 1] }, "shape_mismatch", "/target"],
    ["nll_loss", { ...rows, dim: 0, target: [0, 1, 2] }, "target_out_of_bounds", "/target/2"],
    ["nll_loss", { ...rows, dtype: "int32" }, "dtype_not_supported", "/dtype"],
    [
      "nll_loss",
      { ...rows, dtype: "float64", weight: { dtype: "float32", shape: [3], data: [1, 1, 1] } },
      "dtype_mismatch",
      "/weight",
    ],
    ["nll_loss", { ...rows, shift: 3 }, "option_out_of_range", "/shift"],
    ["nll_loss", { ...rows, shift: -1 }, "invalid_request", "/shift"],
    ["nll_loss", { ...rows, shift: 1, dim: 0, target: [0, 1, 1] }, "option_not_applicable", "/shift"],
    ["nll_loss", { ...rows, target: [9, 9], shift: 1 }, "target_out_of_bounds", "/target/1"],
    ["nll_loss", { ...rows, sample_weight: [1] }, "shape_mismatch", "/sample_weight"],
    ["nll_loss", { ...rows, sample_weight: integers }, "dtype_not_supported", "/sample_weight"],
    ["nll_loss", { ...rows, sample_weight: [1, "x"] }, "invalid_element", "/sample_weight/1"],
    ["nll_loss", { ...rows, temperature: 2 }, "invalid_request", "/temperature"],
    ["log_softmax", { input: [[1, 2]], dim: 1, temperature: -1 }, "option_out_of_range", "/temperature"],
    ["log_softmax", { input: [[1, 2]], dim: 1, softcap: 0 }, "option_out_of_range", "/softcap"],
    [
      "kl_div",
      { ...soft, from_logits: true, temperature: "Infinity" },
      "option_out_of_range",
      "/temperature",
    ],
    ["cross_entropy", { ...rows, temperature: 0 }, "option_out_of_range", "/temperature"],
    ["cross_entropy", { ...rows, temperature: "Infinity" }, "option_out_of_range", "/temperature"],
    ["cross_entropy", { ...rows, softcap: -1 }, "option_out_of_range", "/softcap"],
    ["cross_entropy", { ...rows, softcap: "NaN" }, "option_out_of_range", "/softcap"],
    ["cross_entropy", { ...soft, shift: 1 }, "option_not_applicable", "/shift"],
    ["cross_entropy", { ...rows, lse_square_scale: -1 }, "option_out_of_range", "/lse_square_scale"],
    ["cross_entropy", { ...rows, return_z_loss: true }, "option_without_effect", "/return_z_loss"],
    ["cross_entropy", { ...soft, return_correct: true }, "option_not_applicable", "/return_correct"],
    ["cross_entropy", { ...sparse, return_correct: true }, "option_not_applicable", "/return_correct"],
    [
      "cross_entropy",
      { ...rows, return_grad_target_weight: true },
      "option_without_effect",
      "/return_grad_target_weight",
    ],
    ["cross_entropy", { ...sparse, label_smoothing: 0.1 }, "option_not_applicable", "/label_smoothing"],
    ["cross_entropy", { ...sparse, shift: 1 }, "option_not_applicable", "/shift"],
    [
      "cross_entropy",
      { ...sparse, return_grad_target: true },
      "option_not_applicable",
      "/return_grad_target",
    ],
    ["cross_entropy", { ...sparse, target_weight: [[1], [1]] }, "shape_mismatch", "/target_weight"],
    [
      "cross_entropy",
      { input: [[0, 1]], target: [Array(1025).fill(1)], target_weight: [Array(1025).fill(0)] },
      "shape_mismatch",
      "/target",
    ],
    [
      "cross_entropy",
      { ...sparse, target_weight: { dtype: "int64", shape: [2, 2], data: [1, 1, 1, 1] } },
      "dtype_not_supported",
      "/target_weight",
    ],
    ["cross_entropy", { ...sparse, target: [2, 0] }, "shape_mismatch", "/target"],
    ["cross_entropy", { ...sparse, target: [[[2]], [[0]]] }, "shape_mismatch", "/target"],
    [
      "cross_entropy",
      {
        ...sparse,
        target: [
          [2, 1],
          [0, 3],
        ],
      },
      "target_out_of_bounds",
      "/target/1/1",
    ],
    [
      "cross_entropy",
      { ...sparse, target: { dtype: "float32", shape: [2, 2], data: [1, 0, 0, 1] } },
      "dtype_not_supported",
      "/target",
    ],
    [
      "cross_entropy",
      {
        ...sparse,
        sample_weight: [
          [1, 1],
          [1, 1],
        ],
      },
      "shape_mismatch",
      "/sample_weight",
    ],
    ["cross_entropy", { input: 1, target: 0, target_weight: 1 }, "dim_out_of_range", "/input"],
    [
      "cross_entropy",
      { input: { shape: [1, 0], data: [] }, target: [-100], return_predictions: true },
      "shape_mismatch",
      "/input",
    ],
  ])("%s %j: %s at %s", async (op, body, code, pointer) => {
    const { status, json } = await service().post(`/v1/${op}`, body);
    expect([status, json.code, json.errors?.[0].pointer]).toEqual([422, code, pointer]);
  });
});

describe("predictions", () => {
  it.each([
    [[[1, 3, 3]], [1]],
    [[["-Infinity", "-Infinity"]], [0]],
    [[[5, "NaN", "NaN"]], [1]],
    [[["Infinity", "NaN", 1]], [1]],
    [[[1, "Infinity", "Infinity"]], [1]],
  ])("of %j are %j, as in torch.argmax", async (input, predictions) => {
    const { json } = await service().post("/v1/cross_entropy", {
      input,
      target: [0],
      return_predictions: true,
    });
    expect(json.predictions).toEqual(predictions);
  });

  it("are the first largest of any number of classes in any layout and dtype", async () => {
    for (const dtype of ["float64", "float32", "float16", "bfloat16"]) {
      for (const [classes, inner] of [
        [5000, 1],
        [70, 3],
        [3, 40],
        [64, 1],
        [9000, 2],
      ] as const) {
        const data = Array.from({ length: 2 * classes * inner }, (_, at) => (at * 7919) % 101);
        const shape = [2, classes, inner];
        const target = { dtype: "int32", shape: [2, inner], data: Array(2 * inner).fill(0) };
        const body = { input: { dtype, shape, data }, target, return_predictions: true, format: "flat" };
        const { json } = await service().post("/v1/cross_entropy", body);
        const expected = Array.from({ length: 2 * inner }, (_, p) => {
          const line = Array.from(
            { length: classes },
            (_, c) => data[(Math.floor(p / inner) * classes + c) * inner + (p % inner)]!,
          );
          return line.indexOf(Math.max(...line));
        });
        expect(json.predictions).toEqual({ dtype: "int64", shape: [2, inner], data: expected });
      }
    }
  });

  it("are not correct where the target is ignored", async () => {
    const body = {
      input: [
        [3, 1],
        [3, 1],
        [3, 1],
      ],
      target: [0, 1, -5],
      ignore_index: -5,
      return_correct: true,
    };
    const { json } = await service().post("/v1/cross_entropy", body);
    expect(json.correct).toEqual([1, 0, 0]);
  });
});

it("weights of classes that are all ignored have the gradient 0 where there is no class, in memory that held others", async () => {
  await service().post("/v1/log_softmax", { input: Array(5000).fill(7), dim: 0 });
  const { json } = await service().post("/v1/cross_entropy", {
    input: { shape: [2, 0], data: [] },
    target: { shape: [2, 3], data: Array(6).fill(-100) },
    target_weight: { shape: [2, 3], data: Array(6).fill(1) },
    reduction: "sum",
    return_grad_target_weight: true,
    format: "nested",
  });
  expect(json).toEqual({
    loss: 0,
    total_weight: 0,
    grad_target_weight: [
      [0, 0, 0],
      [0, 0, 0],
    ],
  });
});

it("a streamed response has the rows before what is known after them, whatever the widths", async () => {
  const [n, c] = [300, 40];
  const tensors = {
    input: tensor("bfloat16", [n, c], (at) => ((at * 31) % 17) - 8),
    target: tensor("int64", [n], (at) => at % c),
    sample_weight: tensor("float32", [n], (at) => 1 + (at % 2)),
  };
  const body = writeTestFile(tensors);
  const query =
    "dtype=float64&return_grad=true&return_predictions=true&return_correct=true&lse_square_scale=0.01";
  const headers = { "content-type": "application/vnd.safetensors" };
  const streamed = await small().send("POST", `/v1/cross_entropy?${query}`, body, headers);
  const whole = await service().send("POST", `/v1/cross_entropy?${query}`, body, headers);
  expect([streamed.status, whole.status]).toEqual([200, 200]);
  const files = [streamed, whole].map(({ bytes }) => readTestFile(bytes).tensors);
  expect(Object.keys(files[0]!)).toEqual(["total_weight", "grad_input", "predictions", "loss", "correct"]);
  expect(Object.keys(files[1]!)).toEqual(["total_weight", "predictions", "loss", "grad_input", "correct"]);
  for (const name of Object.keys(files[0]!)) expect(files[0]![name], name).toEqual(files[1]![name]);
});

describe("a sparse target", () => {
  it("may have 1024 classes for each position", async () => {
    const target = [Array.from({ length: 1024 }, (_, k) => k % 2)];
    const target_weight = [new Array(1024).fill(1 / 1024)];
    const { json } = await service().post("/v1/cross_entropy", { input: [[0, 0]], target, target_weight });
    expect(json.loss).toBeCloseTo(Math.LN2, 6);
  });

  it.each([[{}], [{ return_grad: true, return_grad_target_weight: true }]])(
    "without classes and elements has no work for its positions: %o",
    async (options) => {
      const empty = { shape: [2 ** 32 - 1, 0], data: [] };
      const body = { input: empty, target: { ...empty, dtype: "int64" }, target_weight: empty, ...options };
      // Ten of them would take a minute if each position took a nanosecond.
      for (let sent = 0; sent < 10; sent++) {
        const { status, json } = await service().post("/v1/cross_entropy", { ...body, reduction: "sum" });
        expect([status, json.loss, json.total_weight]).toEqual([200, 0, 0]);
      }
    },
  );
});
