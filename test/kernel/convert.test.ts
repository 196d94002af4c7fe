/** Element types: every pattern of 16 bits, and numbers at the places where rounding decides. */
import { describe, expect, it } from "vitest";
import type { DType, FloatDType } from "../../src/tensor/dtype.ts";
import { DTYPES } from "../../src/tensor/dtype.ts";
import { byteLength } from "../../src/tensor/tensor.ts";
import { uniform } from "../support/random.ts";
import { inRegion, kernel } from "./place.ts";

type Numbers = ArrayLike<number> | ArrayLike<bigint>;

const ARRAYS = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  uint8: Uint8Array,
} as const;

/** Converts elements (16-bit floats as their bits), in place if wanted, and gives them as the other dtype's array. */
function convert(from: DType, elements: Numbers, to: FloatDType, inPlace = false): Numbers {
  return inRegion((region) => {
    const shape = [elements.length];
    const at = region.alloc(byteLength({ dtype: from, shape }));
    const result = inPlace ? at : region.alloc(byteLength({ dtype: to, shape }));
    const { buffer } = kernel.memory;
    new ARRAYS[from](buffer, at, elements.length).set(elements as ArrayLike<number> & ArrayLike<bigint>);
    kernel.exports.convert(at, DTYPES[from].code, result, DTYPES[to].code, elements.length);
    return new ARRAYS[to](buffer, result, elements.length).slice() as Numbers;
  });
}

const view = new DataView(new ArrayBuffer(8));

function numberOf(dtype: "float16" | "bfloat16", bits: number): number {
  if (dtype === "float16") {
    view.setUint16(0, bits);
    return view.getFloat16(0);
  }
  view.setUint32(0, bits * 65_536);
  return view.getFloat32(0);
}

/** The value of a 16-bit float nearest to a double, found among all of them; of two, the one whose bits are even. */
function nearest(dtype: "float16" | "bfloat16", value: number): number {
  const infinity = dtype === "float16" ? 0x7c00 : 0x7f80;
  let [low, high] = [0, infinity];
  const magnitude = Math.abs(value);
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (numberOf(dtype, middle) <= magnitude) low = middle;
    else high = middle;
  }
  // The step before infinity is as long as the one before it.
  const above =
    high === infinity ? 2 * numberOf(dtype, low) - numberOf(dtype, low - 1) : numberOf(dtype, high);
  const [below, rest] = [magnitude - numberOf(dtype, low), above - magnitude];
  const bits = below < rest || (below === rest && low % 2 === 0) ? low : high;
  return Math.sign(value) * numberOf(dtype, bits);
}

const PATTERNS = Uint16Array.from({ length: 65_536 }, (_, bits) => bits);

/** Doubles at and beside the ties of a 16-bit float: half way between neighbours, and the next doubles up and down. */
function ties(dtype: "float16" | "bfloat16"): number[] {
  const numbers: number[] = [];
  const last = dtype === "float16" ? 0x7bff : 0x7f7f;
  for (let bits = 0; bits < last; bits += 7) {
    const tie = (numberOf(dtype, bits) + numberOf(dtype, bits + 1)) / 2;
    numbers.push(tie, -tie, tie * (1 + 2 ** -52), tie * (1 - 2 ** -53), -tie * (1 + 2 ** -52));
  }
  const largest = numberOf(dtype, last);
  const edge = largest + (largest - numberOf(dtype, last - 1)) / 2;
  numbers.push(edge, edge * (1 - 2 ** -53), edge * 2, Number.MAX_VALUE, 5e-324, -5e-324, 1e-45, 0);
  return numbers;
}

describe.each(["float16", "bfloat16"] as const)("%s", (dtype) => {
  const noNumber = (bits: number): boolean => Number.isNaN(numberOf(dtype, bits));

  it.each(["float32", "float64"] as const)("becomes %s exactly, for all 65,536 patterns", (wide) => {
    const got = convert(dtype, PATTERNS, wide) as ArrayLike<number>;
    expect(Array.from(got)).toEqual(Array.from(PATTERNS, (bits) => numberOf(dtype, bits)));
  });

  it.each(["float32", "float64"] as const)(
    "comes back from %s as the same pattern, in place too, for all that are no NaN; a NaN stays one",
    (wide) => {
      for (const inPlace of [false, true]) {
        const got = convert(wide, convert(dtype, PATTERNS, wide), dtype, inPlace) as ArrayLike<number>;
        expect(Array.from(got).map((bits) => (noNumber(bits) ? -1 : bits))).toEqual(
          Array.from(PATTERNS, (bits) => (noNumber(bits) ? -1 : bits)),
        );
      }
    },
  );

  it("is rounded from float64 once, to nearest even, at its ties, beside them and at the ends of its range", () => {
    const numbers = ties(dtype);
    const got = convert("float64", numbers, dtype) as ArrayLike<number>;
    numbers.forEach((value, at) => {
      expect(Math.abs(numberOf(dtype, got[at]!)), String(value)).toBe(Math.abs(nearest(dtype, value)));
      if (value !== 0) expect(got[at]! >> 15, String(value)).toBe(Number(value < 0));
    });
  });

  it("is rounded from float32 as from the same float64, at its ties and beside them", () => {
    const numbers = Float32Array.from(ties(dtype));
    expect(convert("float32", numbers, dtype)).toEqual(convert("float64", Array.from(numbers), dtype));
  });

  it("is rounded from int64 once, also where float64 has no room for all digits", () => {
    const numbers = [
      2n ** 62n + 2n ** 54n,
      2n ** 62n + 2n ** 54n + 1n,
      2n ** 62n + 2n ** 54n - 1n,
      2049n,
      2051n,
    ];
    const got = convert(
      "int64",
      [...numbers, ...numbers.map((number) => -number)],
      dtype,
    ) as ArrayLike<number>;
    const want: Record<typeof dtype, number[]> = {
      float16: [Infinity, Infinity, Infinity, 2048, 2052],
      bfloat16: [2 ** 62, 2 ** 62 + 2 ** 55, 2 ** 62, 2048, 2048],
    };
    expect(Array.from(got, (bits) => numberOf(dtype, bits))).toEqual([
      ...want[dtype],
      ...want[dtype].map((value) => -value),
    ]);
  });
});

it("float32 is rounded from float64 as Math.fround does, in place too, for 10^5 random numbers and the ends of its range", () => {
  const random = uniform(1);
  const numbers = Array.from({ length: 100_003 }, () => (random() - 0.5) * 2 ** (random() * 310 - 155));
  numbers.push(NaN, Infinity, -Infinity, -0, 3.4028235677973366e38, 3.4028235677973362e38, 7e-46, 7.1e-46);
  const want = Float32Array.from(numbers);
  expect(convert("float64", numbers, "float32")).toEqual(want);
  expect(convert("float64", numbers, "float32", true)).toEqual(want);
});

it("integers become float32 and float64 rounded once, to nearest even", () => {
  const numbers = [0n, -1n, 2n ** 24n + 1n, 2n ** 53n + 1n, 2n ** 62n + 2n ** 38n + 1n, -(2n ** 63n)];
  expect(Array.from(convert("int64", numbers, "float64") as ArrayLike<number>)).toEqual(numbers.map(Number));
  expect(Array.from(convert("int64", numbers, "float32") as ArrayLike<number>)).toEqual([
    0,
    -1,
    2 ** 24,
    2 ** 53,
    2 ** 62 + 2 ** 39,
    -(2 ** 63),
  ]);
  expect(convert("int32", [-(2 ** 31), 2 ** 31 - 1], "float64")).toEqual(
    Float64Array.of(-(2 ** 31), 2 ** 31 - 1),
  );
  expect(convert("uint8", [0, 255], "float32")).toEqual(Float32Array.of(0, 255));
});

describe("toIntegers", () => {
  function toIntegers(dtype: "int64" | "int32" | "uint8", numbers: readonly number[]) {
    return inRegion((region) => {
      const at = region.alloc(numbers.length * 8);
      kernel.f64.set(numbers, at / 8);
      const bad = kernel.exports.toIntegers(at, at, DTYPES[dtype].code, numbers.length);
      const { buffer } = kernel.memory;
      return { bad, list: Array.from(new ARRAYS[dtype](buffer, at, numbers.length), Number) };
    });
  }

  it.each([
    ["int64", [0, -0, 1, -1, 2 ** 53 - 1, -(2 ** 53) + 1]],
    ["int32", [0, 2 ** 31 - 1, -(2 ** 31)]],
    ["uint8", [0, 1, 255]],
  ] as const)("writes %s in place, from end to end of its range", (dtype, numbers) => {
    expect(toIntegers(dtype, numbers)).toEqual({ bad: -1, list: numbers.map((value) => value + 0) });
  });

  it.each([
    ["int64", [0.5, NaN, Infinity, -Infinity, 2 ** 53 + 2]],
    ["int32", [0.5, NaN, 2 ** 31, -(2 ** 31) - 1, 1e300]],
    ["uint8", [0.5, NaN, -1, 256]],
  ] as const)("gives the index of the first number that is no %s", (dtype, numbers) => {
    for (const number of numbers)
      expect(toIntegers(dtype, [1, 2, number, number]).bad, String(number)).toBe(2);
  });
});
