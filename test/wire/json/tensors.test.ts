/** From a checked field to a tensor: the three forms, their shapes, their dtypes and what is refused. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runToEnd } from "../../../src/kernel/step.ts";
import { Problem } from "../../../src/problems.ts";
import type { DType } from "../../../src/tensor/dtype.ts";
import { DTYPES } from "../../../src/tensor/dtype.ts";
import { elementCount } from "../../../src/tensor/tensor.ts";
import type { TensorFormat } from "../../../src/wire/json/tensors.ts";
import { describeTensor, elementPointer, toTensor } from "../../../src/wire/json/tensors.ts";
import { bytesOf, numbersOf } from "../../conformance/forms.ts";
import { inRegion, kernel, scan } from "./reading.ts";

interface Read {
  readonly format: TensorFormat;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly numbers: readonly number[];
}

function elements(dtype: DType, bytes: Buffer): number[] {
  if (dtype === "uint8") return [...bytes];
  if (dtype !== "int64") return numbersOf(dtype, bytes);
  return Array.from({ length: bytes.length / 8 }, (_, at) => Number(bytes.readBigInt64LE(at * 8)));
}

/** The field `input` of a body as a tensor, or how it is refused. */
function read(input: string, dtype: DType = "float64"): Read | Problem {
  return inRegion((region) => {
    try {
      const body = scan(region, `{"input":${input}}`);
      const text = describeTensor(body, (body.value as { input: unknown }).input, "/input");
      const { tensor, convert } = toTensor({ kernel, region }, text, dtype);
      if (convert !== undefined) runToEnd([convert]);
      const { address, dtype: got, shape } = tensor;
      const bytes = Buffer.from(kernel.u8.slice(address, address + elementCount(shape) * DTYPES[got].bytes));
      return { format: text.format, dtype: got, shape, numbers: elements(got, bytes) };
    } catch (error) {
      if (error instanceof Problem) return error;
      throw error;
    }
  });
}

const float64 = (format: TensorFormat, shape: readonly number[], numbers: readonly number[]): Read => ({
  format,
  dtype: "float64",
  shape,
  numbers,
});

describe("a tensor in JSON", () => {
  it.each([
    ["a number", "-2.5", float64("nested", [], [-2.5])],
    ["a non-finite number's name", '"-Infinity"', float64("nested", [], [Number.NEGATIVE_INFINITY])],
    ["a bare NaN", "NaN", float64("nested", [], [Number.NaN])],
    ["nested lists", "[[1,2],[3,4]]", float64("nested", [2, 2], [1, 2, 3, 4])],
    ["an empty list", "[]", float64("nested", [0], [])],
    ["data with a shape", '{"shape":[2,1],"data":[1,2]}', float64("flat", [2, 1], [1, 2])],
    ["data in shape ()", '{"shape":[],"data":[7]}', float64("flat", [], [7])],
    ["no data in shape (2, 0)", '{"data":[],"shape":[2,0]}', float64("flat", [2, 0], [])],
    ["base64 in shape (1)", '{"shape":[1],"base64":"AAAAAAAA8D8="}', float64("base64", [1], [1])],
    ["no base64 in shape (0)", '{"shape":[0],"base64":""}', float64("base64", [0], [])],
  ])("reads %s", (_name, input, expected) => {
    expect(read(input)).toEqual(expected);
  });

  it("has the dtype that it names, and otherwise the one that its place gives it", () => {
    expect(read('{"dtype":"float16","shape":[1],"data":[0.1]}', "float32")).toMatchObject({
      dtype: "float16",
    });
    expect(read('{"shape":[1],"data":[0.1]}', "float32")).toMatchObject({ dtype: "float32" });
    expect(read('{"dtype":"uint8","shape":[2],"base64":"AP8="}', "float32")).toMatchObject({
      numbers: [0, 255],
    });
    expect(read("[1,2]", "int64")).toMatchObject({ dtype: "int64" });
  });

  it("rounds each double once to its dtype, to nearest even, for random doubles and ties of all float dtypes", () => {
    const double = fc.oneof(
      fc.double({ noNaN: true }),
      fc
        .tuple(fc.integer({ min: -(2 ** 26), max: 2 ** 26 }), fc.integer({ min: -40, max: 100 }))
        .map(([value, power]) => value * 2 ** power),
    );
    const dtype = fc.constantFrom<DType>("float64", "float32", "float16", "bfloat16");
    fc.assert(
      fc.property(fc.array(double, { minLength: 1, maxLength: 50 }), dtype, (values, name) => {
        const list = JSON.stringify(values.map((value) => (Number.isFinite(value) ? value : String(value))));
        const numbers = values.map((value) => (Object.is(value, -0) ? 0 : value));
        expect(read(list, name)).toMatchObject({ numbers: numbersOf(name, bytesOf(name, numbers)) });
      }),
      { numRuns: 500, seed: 10 },
    );
  });

  it("gives float32 what Math.fround gives of JSON.parse, for 10,000 texts", () => {
    const texts = fc.sample(
      fc
        .tuple(fc.double({ min: -1e3, max: 1e3, noNaN: true }), fc.integer({ min: 1, max: 21 }))
        .map(([value, digits]) => value.toPrecision(digits)),
      { numRuns: 10_000, seed: 11 },
    );
    const expected = texts.map((text) => Math.fround(JSON.parse(text)));
    expect((read(`[${texts.join()}]`, "float32") as Read).numbers).toEqual(expected);
  });

  it.each([
    ["uint8", [0, 255], [-1, 256, 0.5, 1e300]],
    ["int32", [-(2 ** 31), 2 ** 31 - 1], [2 ** 31, -(2 ** 31) - 1, -0.5]],
    ["int64", [-(2 ** 53), 2 ** 53], [2 ** 53 + 2, -(2 ** 53) - 2, 1.5]],
  ] as const)(
    "takes integers in the range of %s, and points to the first that is none",
    (dtype, good, bad) => {
      expect(read(JSON.stringify(good), dtype)).toMatchObject({ dtype, shape: [good.length], numbers: good });
      for (const value of bad) {
        const nested = read(`[[0,1],[2,${value}],[${value},3]]`, dtype) as Problem;
        expect([nested.code, nested.errors[0]?.pointer]).toEqual(["invalid_element", "/input/1/1"]);
        const flat = read(`{"shape":[2,2],"data":[0,1,2,${value}]}`, dtype) as Problem;
        expect([flat.code, flat.errors[0]?.pointer]).toEqual(["invalid_element", "/input/data/3"]);
      }
      for (const name of ['"NaN"', '"Infinity"', "-Infinity"]) {
        expect((read(`[${name}]`, dtype) as Problem).errors[0]?.pointer).toBe("/input/0");
        expect((read(name, dtype) as Problem).errors[0]?.pointer).toBe("/input");
      }
    },
  );

  it.each(["9007199254740993", "-9007199254740993"])(
    "refuses %s as an integer, though it reads as a double that is one",
    (text) => {
      expect((read(`[1,2,${text},${text}]`, "int64") as Problem).errors[0]?.pointer).toBe("/input/2");
      expect((read(`[[1],[${text}]]`, "int64") as Problem).errors[0]?.pointer).toBe("/input/1/0");
      expect((read(text, "int64") as Problem).errors[0]?.pointer).toBe("/input");
      expect(read(`[${text}]`)).toMatchObject({ numbers: [Number(text)] });
    },
  );

  it.each([
    [
      "fewer data than the shape",
      '{"shape":[2,3],"data":[1,2,3,4,5]}',
      "shape_data_mismatch",
      "/input/shape",
    ],
    ["more data than the shape", '{"shape":[],"data":[1,2]}', "shape_data_mismatch", "/input/shape"],
    ["nested data", '{"shape":[1,1],"data":[[1]]}', "invalid_element", "/input/data/0"],
    ["neither data nor base64", '{"shape":[0]}', "invalid_request", "/input"],
    ["both data and base64", '{"shape":[0],"data":[],"base64":""}', "invalid_request", "/input"],
    ["9 dimensions", '{"shape":[1,1,1,1,1,1,1,1,1],"data":[1]}', "rank_too_high", "/input/shape"],
    ["a product of 2^32", '{"shape":[65536,65536],"data":[]}', "shape_data_mismatch", "/input/shape"],
    [
      "a product of 2^32 beside a size of 0",
      '{"shape":[65536,0,65536],"data":[]}',
      "shape_data_mismatch",
      "/input/shape",
    ],
    [
      "a product beyond doubles",
      `{"shape":[${Array(8)
        .fill(2 ** 53 - 1)
        .join()}],"base64":""}`,
      "shape_data_mismatch",
      "/input/shape",
    ],
    ["half an element of base64", '{"shape":[1],"base64":"AAAAAA=="}', "shape_data_mismatch", "/input/shape"],
    [
      "base64 that fits another dtype",
      '{"dtype":"float32","shape":[1],"base64":"AAAAAAAA8D8="}',
      "shape_data_mismatch",
      "/input/shape",
    ],
  ])("refuses %s", (_name, input, code, pointer) => {
    const problem = read(input) as Problem;
    expect([problem.code, problem.errors[0]?.pointer]).toEqual([code, pointer]);
  });

  it("points to elements as the tensor was written", () => {
    const text = { shape: [2, 3, 4], dtype: undefined, numbers: undefined, scalar: 0, pointer: "/target" };
    expect(elementPointer({ ...text, format: "nested" }, 23)).toBe("/target/1/2/3");
    expect(elementPointer({ ...text, format: "nested" }, 4)).toBe("/target/0/1/0");
    expect(elementPointer({ ...text, format: "flat" }, 23)).toBe("/target/data/23");
    expect(elementPointer({ ...text, format: "base64" }, 23)).toBe("/target/base64");
    expect(elementPointer({ ...text, format: "nested", shape: [] }, 0)).toBe("/target");
  });
});
