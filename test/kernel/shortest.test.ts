/** Numbers to decimal text: the judges are String() for float64 and reading back for the narrower dtypes. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DType } from "../../src/tensor/dtype.ts";
import { DTYPES } from "../../src/tensor/dtype.ts";
import { arena, kernel } from "../wire/json/reading.ts";

const view = new DataView(kernel.memory.buffer);

/** Prints the elements that `write` puts into the kernel's memory, 1,000 at a time. */
function print(dtype: DType, count: number, write: (address: number, element: number) => void): string[] {
  const { code, bytes } = DTYPES[dtype];
  const output = kernel.exports.outputAt;
  const texts: string[] = [];
  for (let from = 0; from < count; from += 1000) {
    const n = Math.min(1000, count - from);
    for (let at = 0; at < n; at++) write(arena.start + at * bytes, from + at);
    const end = kernel.exports.printElements(arena.start, code, 0, n, 0, output);
    texts.push(...Buffer.from(kernel.u8.subarray(output, end)).toString().split(","));
  }
  return texts;
}

/** A reproducible sequence of 32-bit patterns. */
function patterns(count: number, seed: number): Uint32Array {
  let state = seed;
  return Uint32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    const mixed = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d);
    return mixed ^ (mixed >>> 12);
  });
}

function asJson(value: number): string {
  if (Object.is(value, -0)) return "-0";
  return Number.isFinite(value) ? String(value) : JSON.stringify(String(value));
}

const significant = (text: string): number =>
  text.replace(/e.*/, "").replace(/[-.]/g, "").replace(/^0+/, "").replace(/0+$/, "").length;

/** The texts that are not the shortest, or not the closest of the shortest, that `round` brings back to their number. */
function notShortest(
  texts: readonly string[],
  values: ArrayLike<number>,
  round: (value: number) => number,
): string[] {
  return texts.filter((text, at) => {
    const value = values[at]!;
    if (!Number.isFinite(value) || value === 0) return text !== asJson(value);
    const number = Number(text);
    // JavaScript's own notation: a text that is not canonical would differ.
    if (round(number) !== value || String(number) !== text) return true;
    const digits = significant(text);
    if (digits > 1 && round(Number(value.toPrecision(digits - 1))) === value) return true;
    // Two that are equally close differ by no more than the rounding of these differences.
    const nearest = Number(value.toPrecision(digits));
    return round(nearest) === value && Math.abs(nearest - value) < 0.999 * Math.abs(number - value);
  });
}

const bits16 = Uint16Array.from({ length: 65_536 }, (_, pattern) => pattern);

function halfBits(address: number, pattern: number): void {
  view.setUint16(address, pattern, true);
}

const bfloat16 = new DataView(new ArrayBuffer(4));

function bfloat16Value(pattern: number): number {
  bfloat16.setUint32(0, pattern << 16);
  return bfloat16.getFloat32(0);
}

describe("printing numbers", () => {
  it("writes 500,000 random bit patterns of float64 as JSON.stringify does", () => {
    const words = patterns(1_000_000, 1);
    const values = new Float64Array(words.buffer);
    const texts = print("float64", values.length, (at, element) =>
      view.setFloat64(at, values[element]!, true),
    );
    expect(texts.filter((text, at) => text !== asJson(values[at]!))).toEqual([]);
  });

  it("writes 300,000 float64 of ordinary sizes as JSON.stringify does", () => {
    const random = fc.sample(
      fc.tuple(fc.double({ min: -1, max: 1, noNaN: true }), fc.integer({ min: -25, max: 25 })),
      {
        numRuns: 100_000,
        seed: 6,
      },
    );
    const values = random.flatMap(([value, power]) => {
      const scaled = value * 10 ** power;
      return [scaled, Number(scaled.toPrecision(3)), Math.round(value * 2 ** 53)];
    });
    const texts = print("float64", values.length, (at, element) =>
      view.setFloat64(at, values[element]!, true),
    );
    expect(texts.filter((text, at) => text !== asJson(values[at]!))).toEqual([]);
  });

  it("writes the edges of float64 as JSON.stringify does: every power of 2 and of 10 and both neighbours", () => {
    const values: number[] = [
      0,
      -0,
      Number.MAX_VALUE,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ];
    const pattern = new DataView(new ArrayBuffer(8));
    const around = (value: number): void => {
      pattern.setFloat64(0, value);
      for (const step of [-1n, 0n, 1n]) {
        const neighbour = new DataView(new ArrayBuffer(8));
        neighbour.setBigInt64(0, pattern.getBigInt64(0) + step);
        values.push(neighbour.getFloat64(0), -neighbour.getFloat64(0));
      }
    };
    for (let power = -1074; power <= 1023; power++) around(2 ** power);
    for (let power = -323; power <= 308; power++) around(Number(`1e${power}`));
    const texts = print("float64", values.length, (at, element) =>
      view.setFloat64(at, values[element]!, true),
    );
    expect(texts).toEqual(values.map(asJson));
  });

  it("writes 1,000,000 random bit patterns of float32 as the shortest and closest that reads back", () => {
    const words = patterns(1_000_000, 2);
    const values = new Float32Array(words.buffer);
    const texts = print("float32", words.length, (at, element) => view.setUint32(at, words[element]!, true));
    expect(notShortest(texts, values, Math.fround)).toEqual([]);
  });

  it("writes the one float32 whose shortest text reads back as its neighbour by way of a double with one digit more", () => {
    const words = [0x15ae43fc, 0x15ae43fd, 0x15ae43fe, 0x95ae43fd];
    const texts = print("float32", words.length, (at, element) => view.setUint32(at, words[element]!, true));
    expect(texts).toEqual(["7.03853e-26", "7.0385307e-26", "7.0385313e-26", "-7.0385307e-26"]);
    expect(texts.map((text) => Math.fround(Number(text)))).toEqual([
      ...new Float32Array(Uint32Array.from(words).buffer),
    ]);
  });

  it("writes every power of 2 of float32 and both neighbours as the shortest and closest that reads back", () => {
    const words: number[] = [];
    for (let exponent = 0; exponent < 255; exponent++) {
      for (const step of [0, 1, 2]) words.push(Math.max(0, (exponent << 23) + step - 1));
    }
    const values = new Float32Array(Uint32Array.from(words).buffer);
    const texts = print("float32", words.length, (at, element) => view.setUint32(at, words[element]!, true));
    expect(notShortest(texts, values, Math.fround)).toEqual([]);
  });

  it("writes all 65,536 float16 as the shortest and closest that reads back as the float32 of the same value", () => {
    const values = Array.from(bits16, (pattern) => {
      halfBits(arena.start, pattern);
      return view.getFloat16(arena.start, true);
    });
    const texts = print("float16", 65_536, halfBits);
    expect(notShortest(texts, values, Math.fround)).toEqual([]);
  });

  it("writes all 65,536 bfloat16 as the shortest and closest that reads back as the float32 of the same value", () => {
    const texts = print("bfloat16", 65_536, halfBits);
    expect(notShortest(texts, Array.from(bits16, bfloat16Value), Math.fround)).toEqual([]);
  });

  it.each([
    ["bfloat16", 0x45ac, "5504"],
    ["float16", 0x4578, "5.46875"],
    ["float16", 0x3555, "0.33325195"],
  ] as const)(
    "writes the %s %d as %s, so that a client that reads doubles gets its value",
    (dtype, pattern, text) => {
      expect(print(dtype, 1, (at) => halfBits(at, pattern))).toEqual([text]);
    },
  );

  it("writes integers of int64, int32 and uint8 as integers, to the ends of their ranges", () => {
    const longs = [
      0n,
      1n,
      -1n,
      99_999_999n,
      100_000_000n,
      -(2n ** 63n),
      2n ** 63n - 1n,
      10n ** 16n,
      2n ** 53n + 1n,
      10n ** 18n,
    ];
    expect(
      print("int64", longs.length, (at, element) => view.setBigInt64(at, longs[element]!, true)),
    ).toEqual(longs.map(String));
    const ints = [0, 9, 10, -10, 2 ** 31 - 1, -(2 ** 31)];
    expect(print("int32", ints.length, (at, element) => view.setInt32(at, ints[element]!, true))).toEqual(
      ints.map(String),
    );
    expect(print("uint8", 256, (at, element) => view.setUint8(at, element))).toEqual(
      Array.from(bits16.subarray(0, 256), String),
    );
  });
});
