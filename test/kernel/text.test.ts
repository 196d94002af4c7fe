/** Numbers as text: read exactly as JSON.parse reads them, printed as the shortest that reads back, for every dtype. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DType } from "../../src/tensor/dtype.ts";
import { DTYPES } from "../../src/tensor/dtype.ts";
import { JsonReader } from "../../src/wire/json/reader.ts";
import { bytesOf, numbersOf } from "../conformance/forms.ts";
import { inRegion, kernel } from "./place.ts";

/** What the scanner reads from a list of number texts. */
function readNumbers(texts: readonly string[]): number[] {
  return inRegion((region) => {
    const reader = new JsonReader(kernel, region, "contract");
    reader.push(Buffer.from(`{"input":[${texts.join()}]}`));
    const [cut] = reader.end().numberRuns;
    return [...kernel.f64.slice(cut!.address / 8, cut!.address / 8 + cut!.length)];
  });
}

/** What the printer writes for elements given by their bytes. */
function print(dtype: DType, bytes: Uint8Array): string[] {
  return inRegion((region) => {
    const { code, bytes: width } = DTYPES[dtype];
    const page = kernel.run.outputAt;
    const texts: string[] = [];
    const from = region.alloc(bytes.length);
    kernel.u8.set(bytes, from);
    for (let at = 0; at < bytes.length; at += 1024 * width) {
      const n = Math.min(1024, (bytes.length - at) / width);
      const end = kernel.run.printElements(from + at, code, 0, n, 0, page);
      texts.push(...Buffer.from(kernel.u8.subarray(page, end)).toString().split(","));
    }
    return texts;
  });
}

/** `count` repeatable random 32-bit words. */
function randomWords(count: number, seed: number): Uint32Array {
  const words = new Uint32Array(count);
  let state = seed;
  for (let at = 0; at < count; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[at] = state;
  }
  return words;
}

const doubles = [...new Float64Array(randomWords(400_000, 88172645).buffer)].filter(Number.isFinite);

describe("reading", () => {
  const styles: [string, (value: number) => string][] = [
    ["the shortest digits", String],
    ["17 significant digits", (value) => value.toPrecision(17)],
    ["25 significant digits", (value) => value.toPrecision(25)],
    ["an exponent", (value) => value.toExponential(15)],
    ["60 digits", (value) => value.toPrecision(60)],
    ["capital E", (value) => value.toExponential().toUpperCase()],
  ];
  it.each(styles)("gives the double of JSON.parse for 200,000 random doubles with %s", (_name, write) => {
    const texts = doubles.map(write);
    const got = readNumbers(texts);
    const wrong = texts.findIndex((text, at) => !Object.is(got[at], JSON.parse(text)));
    expect(wrong < 0 ? "none" : `${texts[wrong]} read as ${got[wrong]}`).toBe("none");
  });

  it("gives the double of JSON.parse for 6 decimals, and rounded to float32 what Math.fround of it is", () => {
    const texts = [...randomWords(200_000, 12345)].map((word) => ((word % 2e7) / 1e6 - 10).toFixed(6));
    const got = readNumbers(texts);
    const wrong = texts.findIndex((text, at) => !Object.is(got[at], JSON.parse(text)));
    expect(wrong < 0 ? "none" : texts[wrong]).toBe("none");
  });

  it.each([
    "0",
    "-0",
    "0.0",
    "-0.0e5",
    "1e400",
    "-1e400",
    "1e-400",
    "5e-324",
    "2.4703282292062327e-324",
    "2.4703282292062328e-324",
    "1.7976931348623157e308",
    "1.7976931348623159e308",
    "9007199254740993",
    "9007199254740992.5",
    "9007199254740993.0000000000000001",
    "4503599627370496.5",
    "4503599627370497.5",
    "2.2250738585072011e-308",
    "2.2250738585072014e-308",
    "1e22",
    "1e23",
    "8.5e22",
    "123456789012345678901234567890",
    "0.00000000000000000000000000000000000000000000000000000001",
    `1${"0".repeat(308)}`,
    `0.${"0".repeat(320)}1`,
    `1.${"0".repeat(900)}1`,
    `4503599627370496.5${"0".repeat(900)}1`,
    `${"9".repeat(1000)}`,
    "7.2057594037927933e16",
    "6.02214076e+23",
    "1E5",
    "1e+5",
    "1e05",
    "1e-05",
  ])("gives the double of JSON.parse for %s", (text) => {
    expect(readNumbers([text])[0]).toBe(JSON.parse(text));
  });

  it("reads halfway cases and their neighbours to even", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n }),
        fc.constantFrom("", ".0", ".00000000000000000001", "e0"),
        (value, tail) => {
          const text = `${value | 1n}${tail}`;
          expect(readNumbers([text])[0]).toBe(JSON.parse(text));
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("printing", () => {
  it("gives 200,000 random float64 the text of JSON.stringify", () => {
    const texts = print("float64", new Uint8Array(Float64Array.from(doubles).buffer));
    const wrong = doubles.findIndex(
      (value, at) => texts[at] !== (Object.is(value, -0) ? "-0" : JSON.stringify(value)),
    );
    expect(wrong < 0 ? "none" : `${doubles[wrong]} as ${texts[wrong]}`).toBe("none");
  });

  it("gives 400,000 random float32 a text that reads back, and none with fewer digits does", () => {
    const words = randomWords(400_000, 2463534242);
    const values = new Float32Array(words.buffer);
    const texts = print("float32", new Uint8Array(words.buffer));
    expectShortest(values, texts, Math.fround);
  });

  it.each(["float16", "bfloat16"] as const)(
    "gives every one of the 2^16 %s the text of the float32 of the same value",
    (dtype) => {
      const bits = Uint16Array.from({ length: 65_536 }, (_, at) => at);
      const bytes = new Uint8Array(bits.buffer);
      const values = Float32Array.from(numbersOf(dtype, Buffer.from(bytes)));
      expect(print(dtype, bytes)).toEqual(print("float32", new Uint8Array(values.buffer)));
    },
  );

  it.each([
    [0, "0"],
    [-0, "-0"],
    [1, "1"],
    [0.1, "0.1"],
    [100, "100"],
    [1e21, "1e+21"],
    [1e-7, "1e-7"],
    [1e-6, "0.000001"],
    [123456789012345680000, "123456789012345680000"],
    [5e-324, "5e-324"],
    [NaN, '"NaN"'],
    [Infinity, '"Infinity"'],
    [-Infinity, '"-Infinity"'],
    [2 ** 53, "9007199254740992"],
    [1.7976931348623157e308, "1.7976931348623157e+308"],
  ])("prints the float64 %d as %s", (value, text) => {
    expect(print("float64", bytesOf("float64", [value]))).toEqual([text]);
  });

  it("prints integers whole", () => {
    const int64 = BigInt64Array.of(0n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 9007199254740993n);
    expect(print("int64", new Uint8Array(int64.buffer))).toEqual([...int64].map(String));
    const int32 = Int32Array.of(0, -1, 2 ** 31 - 1, -(2 ** 31), 1000);
    expect(print("int32", new Uint8Array(int32.buffer))).toEqual([...int32].map(String));
    expect(print("uint8", Uint8Array.of(0, 9, 10, 99, 100, 255))).toEqual([
      "0",
      "9",
      "10",
      "99",
      "100",
      "255",
    ]);
  });
});

function expectShortest(
  values: ArrayLike<number>,
  texts: readonly string[],
  round: (value: number) => number,
): void {
  const problems: string[] = [];
  for (let at = 0; at < values.length && problems.length < 3; at++) {
    const value = values[at]!;
    const text = texts[at]!;
    if (!Number.isFinite(value)) {
      if (text !== JSON.stringify(String(value))) problems.push(`${value} as ${text}`);
      continue;
    }
    if (!Object.is(round(Number(text)), value))
      problems.push(`${value} as ${text}, which reads as ${round(Number(text))}`);
    const digits = text
      .replace(/e.*/, "")
      .replace(/[-.]/g, "")
      .replace(/^0+|0+$/g, "").length;
    if (digits > 1 && round(Number(value.toPrecision(digits - 1))) === value)
      problems.push(`${value} as ${text}`);
  }
  expect(problems).toEqual([]);
}
