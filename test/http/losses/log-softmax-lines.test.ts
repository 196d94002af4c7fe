/** index, top_k, lse and entropy of log_softmax over HTTP: refusals with their pointers, tensors without elements, streams. */
import { describe, expect, it } from "vitest";
import type { FileTensors } from "../../conformance/files.ts";
import { readTestFile, tensor, writeTestFile } from "../../conformance/files.ts";
import { numbersOf } from "../../conformance/forms.ts";
import { inferenceCall } from "../../conformance/inference.ts";
import type { Service } from "../../support/service.ts";
import { useService } from "../../support/service.ts";

const PATH = "/v1/log_softmax";
const FILE = "application/vnd.safetensors";
const large = useService();
/** A server that has to stream what does not fit into 16 KiB. */
const small = useService({ bodyLimit: 16 * 1024 });

const input = [
  [1, 2, 3],
  [0, 0, 0],
];
const float64 = (shape: readonly number[], data: readonly number[]) => ({ dtype: "float64", shape, data });

describe("a refusal", () => {
  const grad = { input, dim: 1, return_grad: true };
  const CASES: readonly (readonly [string, object, string, string])[] = [
    ["of a class that is not there", { index: [[0], [3]] }, "target_out_of_bounds", "/index/1/0"],
    [
      "of a negative class",
      {
        index: [
          [0, -1],
          [0, 0],
        ],
      },
      "target_out_of_bounds",
      "/index/0/1",
    ],
    [
      "of a class in flat format",
      { index: { shape: [2, 1], data: [3, 0] } },
      "target_out_of_bounds",
      "/index/data/0",
    ],
    ["of classes along dim 0", { dim: 0, index: [[0, 2, 1]] }, "target_out_of_bounds", "/index/0/1"],
    ["of a fraction", { index: [[0], [0.5]] }, "invalid_element", "/index/1/0"],
    ["of float classes", { index: float64([2, 1], [0, 0]) }, "dtype_not_supported", "/index"],
    ["of an index of another rank", { index: [0, 1] }, "shape_mismatch", "/index"],
    ["of an index of rank 3", { index: [[[0], [1]]] }, "shape_mismatch", "/index"],
    ["of an index for more lines", { index: [[0], [1], [2]] }, "shape_mismatch", "/index"],
    [
      "of an index for fewer lines, which PyTorch gathers from some",
      { index: [[0]] },
      "shape_mismatch",
      "/index",
    ],
    ["of a ragged index", { index: [[0], [1, 2]] }, "ragged_tensor", "/index/1"],
    ["of a text as index", { index: "zero" }, "invalid_request", "/index"],
    ["of top_k 0", { top_k: 0 }, "invalid_request", "/top_k"],
    ["of a negative top_k", { top_k: -1 }, "invalid_request", "/top_k"],
    ["of a fraction as top_k", { top_k: 1.5 }, "invalid_request", "/top_k"],
    ["of a list as top_k", { top_k: [1] }, "invalid_request", "/top_k"],
    ["of more than all classes", { top_k: 4 }, "option_out_of_range", "/top_k"],
    ["of 2^53 classes", { top_k: 2 ** 53 }, "option_out_of_range", "/top_k"],
    ["of top_k beside index", { index: [[0], [0]], top_k: 1 }, "option_without_effect", "/top_k"],
    ["of a number as return_lse", { return_lse: 1 }, "invalid_request", "/return_lse"],
    ["of a text as return_entropy", { return_entropy: "yes" }, "invalid_request", "/return_entropy"],
    [
      "of grad_lse without return_grad",
      { return_lse: true, grad_lse: [1, 1] },
      "option_without_effect",
      "/grad_lse",
    ],
    ["of grad_lse without return_lse", { ...grad, grad_lse: [1, 1] }, "option_without_effect", "/grad_lse"],
    [
      "of grad_entropy without return_entropy",
      { ...grad, return_lse: true, grad_entropy: [1, 1] },
      "option_without_effect",
      "/grad_entropy",
    ],
    [
      "of grad_lse of another shape",
      { ...grad, return_lse: true, grad_lse: [[1, 1]] },
      "shape_mismatch",
      "/grad_lse",
    ],
    [
      "of grad_entropy of one number",
      { ...grad, return_entropy: true, grad_entropy: 1 },
      "shape_mismatch",
      "/grad_entropy",
    ],
    [
      "of grad_lse of integers",
      { ...grad, return_lse: true, grad_lse: { dtype: "int64", shape: [2], data: [1, 1] } },
      "dtype_not_supported",
      "/grad_lse",
    ],
    [
      "of grad_output of the input's shape with top_k",
      { ...grad, top_k: 1, grad_output: input },
      "shape_mismatch",
      "/grad_output",
    ],
    ["of no upstream gradient for two values", { ...grad, top_k: 1 }, "grad_output_required", "/grad_output"],
    [
      "of no upstream gradient for one value beside lse",
      { input: [1, 2], dim: 0, top_k: 1, return_lse: true, return_grad: true },
      "grad_output_required",
      "/grad_output",
    ],
    [
      "of integers without dtype",
      { input: { dtype: "int64", shape: [2], data: [1, 2] }, dim: 0, return_lse: true },
      "dtype_not_supported",
      "/input",
    ],
    ["of a dim that is not there", { dim: 2, top_k: 1 }, "dim_out_of_range", "/dim"],
    [
      "of classes of a line without any",
      { input: { shape: [2, 0], data: [] }, index: [[0], [0]] },
      "target_out_of_bounds",
      "/index/0/0",
    ],
    [
      "of the largest of a line without any",
      { input: { shape: [2, 0], data: [] }, top_k: 1 },
      "option_out_of_range",
      "/top_k",
    ],
    ["of 2 of a 0-dim input", { input: 5, dim: 0, top_k: 2 }, "option_out_of_range", "/top_k"],
    ["of class 1 of a 0-dim input", { input: 5, dim: 0, index: 1 }, "target_out_of_bounds", "/index"],
    [
      "of a matrix of classes of a 0-dim input",
      { input: 5, dim: 0, index: [[0]] },
      "shape_mismatch",
      "/index",
    ],
  ];

  it.each(CASES)("%s has its pointer", async (_title, fields, code, pointer) => {
    const { status, json } = await large().post(PATH, { input, dim: 1, ...fields });
    expect([status, json.code, json.errors?.[0].pointer]).toEqual([422, code, pointer]);
  });

  it("of a class in a file and in an inference names its place", async () => {
    const tensors = {
      index: tensor("int64", [2, 1], (at) => at * 3),
      input: tensor("float32", [2, 3], Number),
    };
    const file = await large().send("POST", `${PATH}?dim=1`, writeTestFile(tensors), {
      "content-type": FILE,
    });
    expect([file.json.code, file.json.errors[0].pointer]).toEqual(["target_out_of_bounds", "/index/1/0"]);
    const index = { dtype: "int64", shape: [2, 1], data: [0, 3] };
    const { headers, body } = inferenceCall(
      { input: { dtype: "float32", shape: [2, 3], data: input.flat() }, index, dim: 1 },
      false,
    );
    const inference = await large().send("POST", "/v2/models/log_softmax/infer", body, headers);
    expect([inference.status, inference.json.error]).toEqual([
      422,
      expect.stringMatching(/^\/inputs\/1\/data\/1: index 3 is/),
    ]);
  });

  it.each(["nll_loss", "cross_entropy"])("of index and grad_lse by %s, which has none", async (operation) => {
    for (const name of ["index", "grad_lse", "top_k"]) {
      const { status, json } = await large().post(`/v1/${operation}`, { input, target: [0, 1], [name]: 1 });
      expect([status, json.code, json.errors[0].pointer]).toEqual([422, "invalid_request", `/${name}`]);
    }
  });
});

describe("tensors without elements and without dimensions", () => {
  const both = { return_lse: true, return_entropy: true };
  const flat = { format: "flat" };
  const CASES: readonly (readonly [string, object, object])[] = [
    ["a 0-dim input and class", { input: 5, dim: 0, index: 0, ...both }, { values: 0, lse: 5, entropy: 0 }],
    ["a 0-dim input and two classes", { input: 5, dim: -1, index: [0, 0] }, { values: [0, 0] }],
    ["the largest of a 0-dim input", { input: 5, dim: 0, top_k: 1 }, { values: 0, indices: 0 }],
    [
      "the gradient of a 0-dim input",
      { input: 5, dim: 0, top_k: 1, return_grad: true },
      { values: 0, indices: 0, grad_input: 0 },
    ],
    ["no class per line", { input, dim: 1, index: { shape: [2, 0], data: [] } }, { values: [[], []] }],
    [
      "no class per line with its gradient",
      {
        input,
        dim: 1,
        index: { shape: [2, 0], data: [] },
        return_grad: true,
        grad_output: { shape: [2, 0], data: [] },
      },
      {
        values: [[], []],
        grad_input: [
          [0, 0, 0],
          [0, 0, 0],
        ],
      },
    ],
    [
      "lines without classes",
      {
        input: { shape: [2, 0], data: [] },
        dim: 1,
        index: { shape: [2, 0], data: [] },
        ...both,
        format: "nested",
      },
      { values: [[], []], lse: ["-Infinity", "-Infinity"], entropy: [0, 0] },
    ],
    [
      "no lines",
      { input: { shape: [0, 3], data: [] }, dim: 1, top_k: 2, ...both, ...flat },
      {
        values: { dtype: "float32", shape: [0, 2], data: [] },
        indices: { dtype: "int64", shape: [0, 2], data: [] },
        lse: { dtype: "float32", shape: [0], data: [] },
        entropy: { dtype: "float32", shape: [0], data: [] },
      },
    ],
    [
      "billions of lines without classes",
      {
        input: { shape: [4_000_000_000, 0], data: [] },
        dim: 1,
        index: { shape: [4_000_000_000, 0], data: [] },
        ...flat,
      },
      { values: { dtype: "float32", shape: [4_000_000_000, 0], data: [] } },
    ],
    [
      "no positions of many classes",
      { input: { shape: [2, 1000000, 0], data: [] }, dim: 1, top_k: 1, return_entropy: true, ...flat },
      {
        values: { dtype: "float32", shape: [2, 1, 0], data: [] },
        indices: { dtype: "int64", shape: [2, 1, 0], data: [] },
        entropy: { dtype: "float32", shape: [2, 0], data: [] },
      },
    ],
    [
      "one gradient for one value",
      { input: [0, 0], dim: 0, index: [1], return_grad: true },
      { values: [-0.6931472], grad_input: [-0.5, 0.5] },
    ],
    [
      "a gradient of logsumexp alone, which is the softmax",
      { input: [0, 0], dim: 0, index: [1], return_grad: true, return_lse: true, grad_lse: 1 },
      { values: [-0.6931472], lse: 0.6931472, grad_input: [0.5, 0.5] },
    ],
    [
      "a line of NaN, the others computed",
      {
        input: [
          [1, "NaN"],
          [0, "Infinity"],
          ["-Infinity", "-Infinity"],
          [0, "-Infinity"],
        ],
        dim: 1,
        top_k: 1,
        ...both,
      },
      {
        values: [["NaN"], ["NaN"], ["NaN"], [0]],
        indices: [[0], [0], [0], [0]],
        lse: ["NaN", "Infinity", "-Infinity", 0],
        entropy: ["NaN", "NaN", "NaN", 0],
      },
    ],
  ];

  it.each(CASES)("%s", async (_title, body, want) => {
    const { status, text, json } = await large().post(PATH, body);
    expect(status, text).toBe(200);
    expect(json).toEqual(want);
  });
});

const wave = (at: number): number => Math.sin(at * 12.9898) * 3;
const members = (bytes: Buffer) =>
  Object.fromEntries(
    Object.entries(readTestFile(bytes).tensors).map(([name, { dtype, shape, bytes: data }]) => [
      name,
      { dtype, shape, hex: data.toString("hex") },
    ]),
  );

describe("a file that does not fit into memory", () => {
  const send = (service: Service, query: string, tensors: FileTensors, accept = FILE) =>
    service.send("POST", `${PATH}?${query}`, writeTestFile(tensors, { asTheyStand: true }), {
      "content-type": FILE,
      accept,
    });
  const SHAPES: readonly (readonly [readonly number[], number])[] = [
    [[90, 70], 1],
    [[7, 1000], -1],
    [[9, 21, 33], 1],
    [[3, 5, 500], -1],
  ];

  describe.each(["float32", "bfloat16", "float64"])("of %s", (dtype) => {
    it.each(SHAPES)("of shape (%s) along %d gives the bits of a buffered one", async (shape, dim) => {
      const classes = shape.at(dim)!;
      const logits = tensor(dtype, shape, wave);
      const at = dim < 0 ? shape.length + dim : dim;
      const index = tensor("int64", shape.with(at, 2), (place) => (place * 7) % classes);
      for (const [query, tensors] of [
        ["top_k=3", { input: logits }],
        ["top_k=3&return_lse=true&return_entropy=true", { input: logits }],
        ["return_entropy=true", { index, input: logits }],
        ["return_lse=true&return_entropy=true", { input: logits }],
      ] as const) {
        const path = `dim=${dim}&${query}`;
        const [streamed, whole] = [await send(small(), path, tensors), await send(large(), path, tensors)];
        expect([streamed.status, whole.status], streamed.text).toEqual([200, 200]);
        expect(members(streamed.bytes)).toEqual(members(whole.bytes));
      }
      const json = await send(small(), `dim=${dim}&top_k=3`, { input: logits }, "application/json");
      expect(json.status).toBe(200);
    });
  });

  it("gets 413 with index after input, and with a gradient, and the reason", async () => {
    const logits = tensor("float32", [90, 70], wave);
    const index = tensor("int64", [90, 1], () => 0);
    const late = await send(small(), "dim=1", { input: logits, index });
    expect([late.status, late.json.detail]).toEqual([413, expect.stringContaining("index before input")]);
    const grad = await send(small(), "dim=1&return_grad=true", {
      index,
      grad_output: tensor("float32", [90, 1], wave),
      input: logits,
    });
    expect([grad.status, grad.json.detail]).toEqual([413, expect.stringContaining("the gradient needs")]);
  });

  it("has all values in descending order, and each class once", async () => {
    const { bytes } = await send(small(), "dim=1&top_k=70", { input: tensor("float32", [90, 70], wave) });
    const { values, indices } = readTestFile(bytes).tensors;
    const numbers = numbersOf("float32", values!.bytes);
    for (let row = 0; row < 90; row++) {
      const line = numbers.slice(row * 70, row * 70 + 70);
      expect(line).toEqual(line.toSorted((a, b) => b - a));
      const classes = line.map((_, at) => Number(indices!.bytes.readBigInt64LE((row * 70 + at) * 8)));
      expect(new Set(classes).size).toBe(70);
      const best = classes.map((c) => Math.fround(wave(row * 70 + c)));
      expect(best).toEqual(best.toSorted((a, b) => b - a));
    }
  });
});

describe("a NaN of a line", () => {
  it.each([
    ["float64", "000000000000f87f"],
    ["float32", "0000c07f"],
    ["float16", "007e"],
    ["bfloat16", "c07f"],
  ])(
    "has the bits of WebAssembly's canonical NaN in %s, whatever the engine has compiled by then",
    async (dtype, nan) => {
      const data = [1, "Infinity", 3, 1, "NaN", 3];
      const { json } = await large().post(PATH, {
        input: { dtype, shape: [2, 3], data },
        dim: 1,
        top_k: 1,
        return_lse: true,
        return_entropy: true,
        format: "base64",
      });
      const bits = ({ base64 }: { base64: string }): string => Buffer.from(base64, "base64").toString("hex");
      expect(bits(json.entropy)).toBe(nan + nan);
      expect(bits(json.lse).endsWith(nan)).toBe(true);
      expect(bits(json.values)).toBe(nan + nan);
    },
  );
});

it.each([
  [-100, ". index has no ignore_index: give padding a class, such as 0, and the upstream gradient 0"],
  [3, ""],
])(
  "the index %i of three classes is refused, and a negative one with what padding takes",
  async (index, hint) => {
    const body = { input: [[1, 2, 3]], dim: 1, index: [[index]] };
    const { status, json } = await large().post("/v1/log_softmax", body);
    const detail = `/index/0/0: index ${index} is out of bounds for dimension 1 with size 3${hint}`;
    expect([status, json.code, json.detail]).toEqual([422, "target_out_of_bounds", detail]);
  },
);

it("padding with a class and the upstream gradient 0 adds nothing to the gradient", async () => {
  const input = [
    [1, 2, 3],
    [4, 5, 7],
  ];
  const body = { input, dim: 1, index: [[2], [0]], return_grad: true, grad_output: [[1], [0]] };
  const { json } = await large().post("/v1/log_softmax", body);
  expect(json.grad_input[1]).toEqual([0, 0, 0]);
});

describe("returns outputs of over 8 times the bytes of float16 logits:", () => {
  const widths = { dtype: "float64", return_lse: true, return_entropy: true };
  const elements = 8000;
  const numbers = Array.from({ length: elements }, (_, at) => (at % 37) / 4);

  it.each([
    ["one class", [elements, 1], 1, 1],
    ["two classes", [elements / 2, 2], 1, 1],
    ["both of two classes", [elements / 2, 2], 1, 2],
    ["both of two classes, in columns", [2, elements / 2], 0, 2],
  ])("%s", async (_title, shape, dim, top_k) => {
    const ask = async (dtype: string) => {
      const input = { dtype, shape, data: numbers };
      const { status, json } = await large().post("/v1/log_softmax", { input, dim, top_k, ...widths });
      expect([status, json.code]).toEqual([200, undefined]);
      return json;
    };
    expect(await ask("float16")).toEqual(await ask("float64"));
  });
});
