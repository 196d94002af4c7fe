/** Tensors of the Open Inference Protocol, from JSON and from bytes, and the JSON of its answers. */
import { describe, expect, it } from "vitest";
import { runToEnd } from "../../../src/kernel/step.ts";
import { Problem } from "../../../src/problems.ts";
import type { DType } from "../../../src/tensor/dtype.ts";
import { DTYPES } from "../../../src/tensor/dtype.ts";
import type { Datatype, InferenceInput } from "../../../src/wire/inference/reader.ts";
import { binarySize, DATATYPES, datatypeOf, InferenceOperands } from "../../../src/wire/inference/reader.ts";
import type { InferenceOutput } from "../../../src/wire/inference/writer.ts";
import { binaryLength, binaryPages, inferencePages } from "../../../src/wire/inference/writer.ts";
import { bytesOf, numbersOf } from "../../conformance/forms.ts";
import { inRegion, kernel, scan } from "../json/reading.ts";

/** The numbers of an input as JSON, or how it is refused. */
function readInput(shape: readonly number[], datatype: Datatype, data: string): number[] | Problem {
  const text = `{"inputs":[{"name":"input","shape":[${shape}],"datatype":"${datatype}","data":${data}}]}`;
  return inRegion((region) => {
    try {
      const body = scan(region, text, "inference");
      const { inputs } = body.value as { inputs: InferenceInput[] };
      const operands = new InferenceOperands();
      operands.addText(body, inputs[0]!, "/inputs/0");
      expect([operands.has("input"), operands.has("target"), operands.shape("input")]).toEqual([
        true,
        false,
        shape,
      ]);
      const { tensor, convert } = operands.tensor({ kernel, region }, "input", "float32");
      if (convert !== undefined) runToEnd([convert]);
      const { dtype, address } = tensor;
      const count = shape.reduce((product, size) => product * size, 1);
      const bytes = kernel.u8.slice(address, address + count * DTYPES[dtype].bytes);
      return dtype === "int64"
        ? Array.from(new BigInt64Array(bytes.buffer), Number)
        : dtype === "uint8"
          ? [...bytes]
          : numbersOf(dtype, Buffer.from(bytes));
    } catch (error) {
      if (error instanceof Problem) return error;
      throw error;
    }
  });
}

describe("an input in JSON", () => {
  it.each<[Datatype, readonly number[], string, readonly number[]]>([
    ["FP64", [2], "[0.1,-1e300]", [0.1, -1e300]],
    ["FP32", [2], '[0.1,"NaN"]', [Math.fround(0.1), Number.NaN]],
    ["FP16", [2], '[65504,"-Infinity"]', [65_504, Number.NEGATIVE_INFINITY]],
    ["BF16", [1], "[1.00390625]", [1]],
    ["FP32", [2 ** 32 - 1, 0], "[]", []],
    ["INT64", [2], "[-100,9007199254740992]", [-100, 2 ** 53]],
    ["INT32", [2, 1], "[[-2147483648],[2147483647]]", [-(2 ** 31), 2 ** 31 - 1]],
    ["UINT8", [1, 2], "[0,255]", [0, 255]],
    ["FP32", [], "[3]", [3]],
    ["FP32", [0, 3], "[]", []],
    ["FP32", [2, 0], "[[],[]]", []],
    ["FP32", [3, 0, 2], "[]", []],
  ])("of %s and shape %j is read from %s", (datatype, shape, data, expected) => {
    expect(readInput(shape, datatype, data)).toEqual(expected);
  });

  it.each<[Datatype, readonly number[], string, string, string]>([
    ["FP32", [2], "[1]", "shape_data_mismatch", "/inputs/0/data"],
    ["FP32", [], "[]", "shape_data_mismatch", "/inputs/0/data"],
    ["FP32", [], "[1,2]", "shape_data_mismatch", "/inputs/0/data"],
    ["FP32", [4], "[[1,2],[3,4]]", "shape_data_mismatch", "/inputs/0/data"],
    ["FP32", [2, 3], "[[1,2],[3,4],[5,6]]", "shape_data_mismatch", "/inputs/0/data"],
    ["FP32", [2, 0, 5], "[[],[]]", "shape_data_mismatch", "/inputs/0/data"],
    ["FP32", [2 ** 32, 0], "[]", "shape_data_mismatch", "/inputs/0/shape"],
    ["FP32", [65_536, 65_536], "[]", "shape_data_mismatch", "/inputs/0/shape"],
    ["INT64", [2], "[0,0.5]", "invalid_element", "/inputs/0/data/1"],
    ["INT64", [1], "[9007199254740993]", "invalid_element", "/inputs/0/data/0"],
    ["UINT8", [2], "[0,256]", "invalid_element", "/inputs/0/data/1"],
    ["UINT8", [1], '["NaN"]', "invalid_element", "/inputs/0/data/0"],
  ])("of %s and shape %j is not read from %s", (datatype, shape, data, code, pointer) => {
    const problem = readInput(shape, datatype, data) as Problem;
    expect(problem).toBeInstanceOf(Problem);
    expect([problem.code, problem.errors[0]!.pointer]).toEqual([code, pointer]);
  });
});

describe("an input as bytes", () => {
  const input = (datatype: Datatype, shape: readonly number[], size?: number, data?: readonly number[]) =>
    ({
      name: "input",
      shape,
      datatype,
      ...(size === undefined ? {} : { parameters: { binary_data_size: size } }),
      ...(data === undefined ? {} : { data }),
    }) as InferenceInput;

  it.each<[Datatype, readonly number[], number]>([
    ["FP64", [2, 3], 48],
    ["FP32", [], 4],
    ["FP16", [3], 6],
    ["BF16", [3], 6],
    ["INT64", [2], 16],
    ["INT32", [2], 8],
    ["UINT8", [7], 7],
    ["FP32", [2, 0], 0],
  ])("of %s and shape %j has %i bytes, no more and no less", (datatype, shape, size) => {
    expect(binarySize(input(datatype, shape, size), "/inputs/0", true)).toBe(size);
    for (const other of [size + 1, size - 1, 0].filter((bytes) => bytes !== size))
      expect(() => binarySize(input(datatype, shape, other), "/inputs/0", true)).toThrow(
        `needs ${size} bytes`,
      );
  });

  it("comes in one of the two ways", () => {
    expect(binarySize(input("FP32", [1], undefined, [0]), "/inputs/0", true)).toBeUndefined();
    expect(() => binarySize(input("FP32", [1]), "/inputs/0", true)).toThrow("exactly one of data");
    expect(() => binarySize(input("FP32", [1], 4, [0]), "/inputs/0", true)).toThrow("exactly one of data");
    expect(() => binarySize(input("FP32", [1], 4), "/inputs/0", false)).toThrow(
      "Inference-Header-Content-Length",
    );
  });
});

it("names every dtype of the house, each once", () => {
  expect(Object.values(DATATYPES).toSorted()).toEqual(Object.keys(DTYPES).toSorted());
  for (const [name, dtype] of Object.entries(DATATYPES)) expect(datatypeOf(dtype)).toBe(name);
});

describe("an answer", () => {
  /** The JSON and the bytes of an answer with one tensor and one number. */
  function write(dtype: DType, numbers: readonly number[], binary: readonly boolean[], id?: string) {
    return inRegion((region) => {
      const raw = bytesOf(dtype, numbers);
      const address = region.alloc(raw.length);
      kernel.u8.set(raw, address);
      const members = [
        { name: "losses", member: { dtype, shape: [numbers.length], address } },
        { name: "loss", member: { dtype: "float32", value: 0.5 } },
      ] as const;
      const outputs: InferenceOutput[] = members.map((output, at) => ({ ...output, binary: binary[at]! }));
      const envelope = { model: "nll_loss", id, warnings: id === undefined ? [] : ["a", 'b"'] };
      const json = Buffer.concat([...inferencePages(kernel, envelope, outputs)]).toString();
      const bytes = Buffer.concat([...binaryPages(kernel, outputs)]);
      expect(bytes.length).toBe(binaryLength(outputs));
      return { json, bytes: bytes.toString("hex") };
    });
  }

  it("has its numbers in JSON, flat and strict, and no bytes", () => {
    expect(write("float32", [0.1, Number.NaN, Number.NEGATIVE_INFINITY], [false, false])).toEqual({
      json: '{"model_name":"nll_loss","model_version":"1","outputs":[{"name":"losses","shape":[3],"datatype":"FP32","data":[0.1,"NaN","-Infinity"]},{"name":"loss","shape":[],"datatype":"FP32","data":[0.5]}]}',
      bytes: "",
    });
  });

  it("has bytes in the order of its outputs", () => {
    expect(write("bfloat16", [1, -2], [true, true])).toEqual({
      json: '{"model_name":"nll_loss","model_version":"1","outputs":[{"name":"losses","shape":[2],"datatype":"BF16","parameters":{"binary_data_size":4}},{"name":"loss","shape":[],"datatype":"FP32","parameters":{"binary_data_size":4}}]}',
      bytes: "803f00c00000003f",
    });
    expect(write("float64", [1], [false, true]).bytes).toBe("0000003f");
  });

  it("carries any id, and its warnings as one text", () => {
    const id = `\u00e9"\n${"\u{1f600}".repeat(2000)}`;
    const { json } = write("float16", [], [false, false], id);
    expect(JSON.parse(json)).toMatchObject({ id, parameters: { warnings: 'a\nb"' } });
    expect(JSON.parse(json).outputs[0]).toEqual({ name: "losses", shape: [0], datatype: "FP16", data: [] });
  });
});
