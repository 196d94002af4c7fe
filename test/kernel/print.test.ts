/** The vector printers, held to the scalar reference (`schubfach.ts`): blocks of every length, rows of every width, all kinds of numbers. */
import { describe, expect, it } from "vitest";
import { uniform } from "../../bench/measure.ts";
import { DTYPES } from "../../src/tensor/dtype.ts";
import { DOUBLES, undecidedDoubles } from "./doubles.ts";
import { inRegion, kernel } from "./place.ts";

const { exports, u8, i32 } = kernel;
const COUNT = 1000;

/** Repeatable random 32-bit words. */
function words(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

const next = words(2463534242);
const unit = (): number => next() / 2 ** 32;
const sign = (): number => (next() % 2 ? 1 : -1);

/** Numbers by the paths that they take: spelled, looked up, left to the reference, and mixtures. */
const KINDS: Readonly<Record<string, () => number>> = {
  "numbers from -5 to 5": () => unit() * 10 - 5,
  "6 decimals": () => Math.round(unit() * 1e7 - 5e6) / 1e6,
  "1e-12 to 1": () => sign() * unit() * 10 ** -(next() % 12),
  "1e-38 to 1e38": () => sign() * 10 ** (unit() * 76 - 38),
  "integers below 1000": () => (next() % 2000) - 1000,
  "2^40 to 2^80": () => sign() * 2 ** (40 + unit() * 40),
  "powers of two": () => sign() * 2 ** ((next() % 280) - 150),
  zeros: () => 0,
  "zeros among others": () => (next() % 3 ? 0 : unit()),
  "dyadic fractions": () => (sign() * next()) / 2 ** (next() % 60),
  "few digits": () => (next() % 1000) / 10 ** (next() % 30),
  "infinities, NaN and negative zero": () => [Infinity, -Infinity, NaN, -0][next() % 4]!,
  everything: () => (next() % 4 ? unit() : [0, -0, 1, NaN, -Infinity, 2 ** -140, 1e-320][next() % 7]!),
};

/** Rows in which the elements lie, from the innermost list on: how many elements each level holds. */
const SPANS = [[], [1], [2], [3], [5], [31], [32], [33], [500], [5, 20], [1, 1, 3]];

/** Joins texts as `printElements` should for elements number `index` and so on. */
function join(texts: readonly string[], index: number, spans: readonly number[]): string {
  return texts
    .map((text, at) => {
      const lists = spans.filter((span) => (index + at) % span === 0).length;
      return index + at === 0 ? text : `${"]".repeat(lists)},${"[".repeat(lists)}${text}`;
    })
    .join("");
}

function textBetween(from: number, end: number): string {
  return Buffer.from(u8.subarray(from, end)).toString();
}

describe.each(["float32", "float64"] as const)("printing %s", (dtype) => {
  const { code } = DTYPES[dtype];

  it.each(Object.entries(KINDS))(
    "writes 60,000 %s as the reference does, in 11 shapes of rows and from any element on",
    (_name, kind) => {
      inRegion((region) => {
        const at = region.alloc(8 * COUNT);
        const list = dtype === "float32" ? kernel.f32.subarray(at / 4) : kernel.f64.subarray(at / 8);
        for (let round = 0; round < 120; round++) {
          const count = 1 + (next() % COUNT);
          const index = round % 3 ? next() % 3000 : 0;
          const spans = SPANS[round % SPANS.length]!;
          for (let element = 0; element < count; element++) list[element] = kind();
          const reference = textBetween(
            exports.outputAt,
            exports.printReference(at, code, count, exports.outputAt),
          );
          i32.set(spans, exports.listLengthsAt / 4);
          const end = exports.printElements(at, code, index, count, spans.length, exports.outputAt);
          if (textBetween(exports.outputAt, end) === join(reference.split(","), index, spans)) continue;
          expect(textBetween(exports.outputAt, end)).toBe(join(reference.split(","), index, spans));
        }
      });
    },
  );

  it("writes nothing beyond 32 bytes behind the last character, and reads nothing but its elements", () => {
    inRegion((region) => {
      const at = region.alloc(8 * 40);
      for (let count = 1; count <= 33; count++) {
        for (let element = 0; element < 40; element++) {
          const value = element < count ? -1.2345678e-30 * (element + 1) : Number.NaN;
          if (dtype === "float32") kernel.f32[at / 4 + element] = value;
          else kernel.f64[at / 8 + element] = value;
        }
        u8.fill(0xee, exports.outputAt, exports.outputAt + 2000);
        const end = exports.printElements(at, code, 0, count, 0, exports.outputAt);
        expect(textBetween(exports.outputAt, end)).not.toContain("NaN");
        expect(u8.subarray(end + 32, exports.outputAt + 2000).every((byte) => byte === 0xee)).toBe(true);
      }
    });
  });
});

describe("the text of a float64", () => {
  const random = uniform(7);
  const asJson = (value: number): string =>
    Object.is(value, -0) ? "-0" : Number.isFinite(value) ? String(value) : `"${value}"`;

  function expectStrings(values: readonly number[]): void {
    inRegion((region) => {
      const at = region.alloc(8 * COUNT);
      for (let from = 0; from < values.length; from += COUNT) {
        const list = values.slice(from, from + COUNT);
        kernel.f64.set(list, at / 8);
        const end = exports.printElements(at, DTYPES.float64.code, 0, list.length, 0, exports.outputAt);
        expect(textBetween(exports.outputAt, end).split(",")).toEqual(list.map(asJson));
      }
    });
  }

  it.each(Object.entries(DOUBLES))("is that of String() for 20,000 %s", (_name, kind) => {
    expectStrings(Array.from({ length: 20 * COUNT }, () => kind(random)));
  });

  it("is that of String() next to the decisions between two texts, for every exponent", () => {
    const exponents = Array.from({ length: 2046 }, (_, at) => at + 1);
    expectStrings(exponents.flatMap((biased) => undecidedDoubles(random, biased)));
  });
});

describe("the quotient by 10,000 of spell.ts", () => {
  it("is exact for every integer up to 2^24, as a product of float32 that is cut off", () => {
    const tenThousandth = Math.fround(1e-4);
    let wrong = 0;
    for (let value = 0; value <= 2 ** 24; value++) {
      const quotient = Math.trunc(Math.fround(value * tenThousandth));
      if (quotient !== (value - (value % 10_000)) / 10_000) wrong++;
    }
    expect(wrong).toBe(0);
  });
});
