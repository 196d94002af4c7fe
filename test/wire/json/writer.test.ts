/** Answers as JSON: strict, in the three forms, page by page. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FloatDType } from "../../../src/tensor/dtype.ts";
import type { Tensor } from "../../../src/tensor/tensor.ts";
import { byteLength, elementCount } from "../../../src/tensor/tensor.ts";
import type { TensorFormat } from "../../../src/wire/json/tensors.ts";
import type { Member } from "../../../src/wire/json/writer.ts";
import { writeJson } from "../../../src/wire/json/writer.ts";
import { bytesOf } from "../../conformance/forms.ts";
import { arena, inRegion, kernel } from "./reading.ts";

const PAGE = 65_536;

/** A tensor in the Arena's first bytes. */
function place(dtype: FloatDType, shape: readonly number[], numbers: readonly number[]): Tensor {
  const tensor = { dtype, shape, address: arena.start };
  kernel.u8.set(bytesOf(dtype, numbers), tensor.address);
  return tensor;
}

function write(
  members: Readonly<Record<string, Member | undefined>>,
  format: TensorFormat = "nested",
): string {
  const pages = [...writeJson(kernel, members, format)];
  for (const page of pages) expect(page.length).toBeLessThanOrEqual(PAGE);
  return Buffer.concat(pages).toString();
}

/** Nested lists of these numbers, as text. */
function nested(shape: readonly number[], texts: readonly string[], from = 0): string {
  const [size, ...inner] = shape;
  if (size === undefined) return texts[from]!;
  const items = Array.from({ length: size }, (_, at) =>
    nested(inner, texts, from + at * elementCount(inner)),
  );
  return `[${items.join()}]`;
}

describe("an answer in JSON", () => {
  it.each([
    ["a 0-dim tensor", [], "0"],
    ["a list", [3], "[0,1,2]"],
    ["a matrix", [2, 2], "[[0,1],[2,3]]"],
    ["sizes of 1", [1, 2, 1], "[[[0],[1]]]"],
    ["eight levels", [1, 1, 1, 2, 1, 1, 1, 1], "[[[[[[[[0]]]],[[[[1]]]]]]]]"],
    ["shape (0)", [0], "[]"],
    ["shape (2, 0)", [2, 0], "[[],[]]"],
    ["shape (0, 2)", [0, 2], "[]"],
    ["shape (2, 2, 0)", [2, 2, 0], "[[[],[]],[[],[]]]"],
    ["shape (2, 0, 3)", [2, 0, 3], "[[],[]]"],
  ])("writes %s as nested lists", (_name, shape, text) => {
    const numbers = Array.from({ length: elementCount(shape) }, (_, at) => at);
    expect(write({ output: place("float32", shape, numbers) })).toBe(`{"output":${text}}`);
  });

  it.each(["float64", "float32", "float16", "bfloat16"] as const)(
    "writes every %s that is not finite as null where that is asked for, in a tensor and as a scalar",
    (dtype) => {
      const numbers = [Number.NaN, 1.5, Number.POSITIVE_INFINITY, -2, Number.NEGATIVE_INFINITY, 0];
      const members = {
        output: place(dtype, [3, 2], numbers),
        loss: { dtype, value: Number.NaN },
        total_weight: { dtype, value: 3 },
      };
      const pages = [...writeJson(kernel, members, "nested", "null")];
      const text = '{"output":[[null,1.5],[null,-2],[null,0]],"loss":null,"total_weight":3}';
      expect(Buffer.concat(pages).toString()).toBe(text);
    },
  );

  it("writes flat and base64 with dtype and shape", () => {
    const tensor = place("float16", [2, 1], [1.5, Number.NaN]);
    expect(write({ output: tensor }, "flat")).toBe(
      '{"output":{"dtype":"float16","shape":[2,1],"data":[1.5,"NaN"]}}',
    );
    expect(write({ output: tensor }, "base64")).toBe(
      '{"output":{"dtype":"float16","shape":[2,1],"base64":"AD4Afg=="}}',
    );
    const empty = place("bfloat16", [0], []);
    expect(write({ output: empty }, "flat")).toBe('{"output":{"dtype":"bfloat16","shape":[0],"data":[]}}');
    expect(write({ output: empty }, "base64")).toBe(
      '{"output":{"dtype":"bfloat16","shape":[0],"base64":""}}',
    );
  });

  it("writes members in order, leaves out undefined ones and empty warnings, and prints scalars for their dtype", () => {
    const members = {
      loss: { value: 0.1, dtype: "float32" },
      total_weight: { value: Math.fround(0.1), dtype: "float64" },
      half: { value: 1 / 3, dtype: "float16" },
      nothing: undefined,
      mean: { value: Number.NaN, dtype: "float32" },
      zero: { value: -0, dtype: "bfloat16" },
      inf: { value: 1e39, dtype: "float32" },
      grad_input: place("float32", [1], [Number.NEGATIVE_INFINITY]),
      none: [],
      warnings: ['a "quoted"\nwarning', "é𝄞"],
    } as const;
    expect(write(members)).toBe(
      '{"loss":0.1,"total_weight":0.10000000149011612,"half":0.33325195,"mean":"NaN","zero":-0,"inf":"Infinity",' +
        '"grad_input":["-Infinity"],"warnings":["a \\"quoted\\"\\nwarning","é𝄞"]}',
    );
    expect(write({})).toBe("{}");
    expect(write({ warnings: [] })).toBe("{}");
  });

  it("writes 300 random tensors in random shapes as JSON.stringify does", () => {
    const shapes = fc.array(fc.nat(5), { maxLength: 8 }).filter((shape) => elementCount(shape) < 2000);
    const value = fc.double({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(shapes, fc.array(value, { minLength: 7, maxLength: 7 }), (shape, values) => {
        const numbers = Array.from({ length: elementCount(shape) }, (_, at) => values[at % 7]!);
        const texts = numbers.map((number) => (Object.is(number, -0) ? "-0" : String(number)));
        const tensor = place("float64", shape, numbers);
        expect(write({ output: tensor })).toBe(`{"output":${nested(shape, texts)}}`);
        expect(write({ output: tensor }, "flat")).toBe(
          `{"output":{"dtype":"float64","shape":[${shape}],"data":[${texts}]}}`,
        );
      }),
      { numRuns: 300, seed: 12 },
    );
  });

  it.each([
    ["(100000)", [100_000]],
    ["(50000, 2)", [50_000, 2]],
    ["(2, 50000)", [2, 50_000]],
    ["(20000, 1, 1, 5)", [20_000, 1, 1, 5]],
  ])(
    "writes %s doubles of 22 to 24 characters on pages of at most 64 KiB, more than 60 KiB but for the last",
    (_name, shape) => {
      const numbers = Array.from({ length: 100_000 }, (_, at) => -(1 + at) * Math.PI * 1e-300);
      const tensor = place("float64", shape, numbers);
      for (const form of ["nested", "flat"] as const) {
        const pages = [...writeJson(kernel, { output: tensor }, form)];
        for (const page of pages) expect(page.length).toBeLessThanOrEqual(PAGE);
        for (const page of pages.slice(0, -1)) expect(page.length).toBeGreaterThan(PAGE - 64 * 49);
        const text = Buffer.concat(pages).toString();
        const list = form === "nested" ? nested(shape, numbers.map(String)) : `[${numbers.join()}]`;
        expect(text).toContain(list);
      }
    },
  );

  it("writes base64 over many pages as Buffer does", () => {
    const bytes = Buffer.from(Array.from({ length: 400_000 }, (_, at) => (at * 31) & 255));
    kernel.u8.set(bytes, arena.start);
    const tensor: Tensor = { dtype: "float32", shape: [100_000], address: arena.start };
    const parsed = JSON.parse(write({ output: tensor }, "base64")) as { output: { base64: string } };
    expect(parsed.output.base64).toBe(bytes.toString("base64"));
  });

  it("gives an answer that fits on one page as one page", () => {
    const tensor = place(
      "float32",
      [1000],
      Array.from({ length: 1000 }, (_, at) => at),
    );
    expect([...writeJson(kernel, { output: tensor }, "nested")]).toHaveLength(1);
  });

  it("keeps two answers apart that are written in turns", () => {
    inRegion((region) => {
      const tensors = [1, 2].map((value) => {
        const tensor: Tensor = { dtype: "float32", shape: [40_000, 2], address: region.alloc(320_000) };
        kernel.f32.fill(value, tensor.address / 4, (tensor.address + byteLength(tensor)) / 4);
        return tensor;
      });
      const writers = tensors.map((output) => writeJson(kernel, { output }, "nested")[Symbol.iterator]());
      const texts = ["", ""];
      for (let open = 2; open > 0; ) {
        open = 0;
        for (const [which, writer] of writers.entries()) {
          const page = writer.next();
          if (page.done) continue;
          texts[which] += page.value.toString();
          open++;
        }
      }
      expect(texts[0]).toBe(`{"output":[${Array(40_000).fill("[1,1]").join()}]}`);
      expect(texts[1]).toBe(`{"output":[${Array(40_000).fill("[2,2]").join()}]}`);
    });
  });

  it("writes a warning that is longer than a page whole", () => {
    const warning = "é".repeat(100_000);
    const pages = [...writeJson(kernel, { warnings: [warning] }, "nested")];
    expect(JSON.parse(Buffer.concat(pages).toString())).toEqual({ warnings: [warning] });
  });
});
