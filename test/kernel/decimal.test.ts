/** Decimal text to doubles: the judge is JSON.parse, bit for bit. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readNumbers } from "../wire/json/reading.ts";

const bits = new DataView(new ArrayBuffer(8));

function fromBits(pattern: bigint): number {
  bits.setBigUint64(0, pattern);
  return bits.getFloat64(0);
}

/** Any finite double, all exponents alike. */
const finite = fc
  .bigInt({ min: 0n, max: 2n ** 64n - 1n })
  .map(fromBits)
  .filter(Number.isFinite);

function expectAsJsonParse(texts: readonly string[]): void {
  const numbers = readNumbers(texts.join());
  const wrong = texts.filter((text, at) => !Object.is(numbers[at], JSON.parse(text)));
  expect(wrong).toEqual([]);
}

/** The exact decimal expansion of a double. */
function exactly(value: number): string {
  bits.setFloat64(0, Math.abs(value));
  const pattern = bits.getBigUint64(0);
  const biased = Number(pattern >> 52n);
  const fraction = pattern & ((1n << 52n) - 1n);
  const mantissa = biased === 0 ? fraction : fraction | (1n << 52n);
  const exponent = Math.max(biased, 1) - 1075;
  const sign = value < 0 ? "-" : "";
  if (exponent >= 0) return `${sign}${mantissa << BigInt(exponent)}`;
  // m / 2^k = m 5^k / 10^k
  const digits = String(mantissa * 5n ** BigInt(-exponent)).padStart(1 - exponent, "0");
  return `${sign}${digits.slice(0, exponent)}.${digits.slice(exponent)}`;
}

/** The point half way between a double and the next in size, as exact text. */
function halfway(value: number): string {
  bits.setFloat64(0, Math.abs(value));
  const next = fromBits(bits.getBigUint64(0) + 1n);
  const places = 1100;
  const scaled = (text: string): bigint => {
    const [whole, fraction = ""] = text.split(".");
    return BigInt(whole! + fraction.padEnd(places, "0"));
  };
  const sum = (scaled(exactly(Math.abs(value))) + scaled(exactly(next))) * 5n;
  const digits = String(sum).padStart(places + 2, "0");
  const text = `${digits.slice(0, -places - 1)}.${digits.slice(-places - 1)}`.replace(/0+$/, "");
  return text.endsWith(".") ? `${text}0` : text;
}

/** The same number without a point. */
function withExponent(text: string): string {
  const digits = text.replace(".", "").replace(/^0+(?=.)/, "");
  return `${digits}e-${text.length - 1 - text.indexOf(".")}`;
}

describe("reading decimal numbers", () => {
  it("gives the double that JSON.parse gives for 250,000 random doubles in ten notations", () => {
    const random = fc.sample(finite, { numRuns: 25_000, seed: 1 });
    const notations: ((value: number) => string)[] = [
      String,
      (value) => value.toPrecision(17),
      (value) => value.toPrecision(25),
      (value) => value.toPrecision(60),
      (value) => value.toPrecision(7),
      (value) => value.toExponential(20),
      (value) => value.toExponential().replace("e+", "E"),
      (value) => value.toPrecision(40).replace("e", "E"),
      (value) => String(value / 1e305),
      (value) => `${Math.trunc(value * 1e-290)}e-3`.replace(/e[+-]\d+e/, "e"),
    ];
    for (const notation of notations) expectAsJsonParse(random.map(notation));
  });

  it("gives it for 200,000 numbers of ordinary size with 0 to 25 decimals", () => {
    const random = fc.sample(fc.tuple(fc.double({ min: -1e6, max: 1e6, noNaN: true }), fc.nat(25)), {
      numRuns: 100_000,
      seed: 2,
    });
    expectAsJsonParse(random.map(([value, decimals]) => value.toFixed(decimals)));
    expectAsJsonParse(random.map(([value, decimals]) => (value / 1e9).toFixed(decimals)));
  });

  it("gives it for random digits, 1 to 1,000 characters long", () => {
    const digits = fc.string({ unit: fc.constantFrom(..."0123456789"), minLength: 1, maxLength: 900 });
    const token = fc
      .tuple(fc.boolean(), digits, fc.option(digits), fc.option(fc.integer({ min: -400, max: 400 })))
      .map(([minus, whole, fraction, exponent]) => {
        const text = `${minus ? "-" : ""}${whole.replace(/^0+(?=.)/, "")}`;
        return `${text}${fraction === null ? "" : `.${fraction}`}${exponent === null ? "" : `e${exponent}`}`;
      })
      .filter((text) => text.length <= 1000);
    expectAsJsonParse(fc.sample(token, { numRuns: 5_000, seed: 3 }));
  });

  it("gives it for 19 random digits at every exponent from -345 to 310, in all positions of the point", () => {
    const random = fc.sample(fc.bigInt({ min: 10n ** 18n, max: 2n ** 64n - 1n }), { numRuns: 40, seed: 4 });
    for (let exponent = -345; exponent <= 310; exponent++) {
      expectAsJsonParse(
        random.map((digits, at) => `${digits.toString().slice(0, 1 + (at % 20))}e${exponent}`),
      );
    }
  });

  it("rounds ties between two doubles to even, and a 1 that comes 600 zeros behind a tie up", () => {
    const values = fc.sample(
      fc.oneof(
        fc.integer({ min: 2 ** 30 }).map((value) => value * 2 ** 30),
        fc.double({ min: 1e-3, max: 1e19, noNaN: true }),
      ),
      { numRuns: 1_000, seed: 5 },
    );
    const ties = values.map((value) => halfway(value)).filter((text) => text.length < 300);
    expect(ties.length).toBeGreaterThan(900);
    expectAsJsonParse(ties);
    expectAsJsonParse(ties.map((text) => `-${text}`));
    expectAsJsonParse(ties.map((text) => `${text}${"0".repeat(600)}`));
    expectAsJsonParse(ties.map((text) => `${text}${"0".repeat(600)}1`));
    expectAsJsonParse(ties.map(withExponent));
  });

  it.each([
    [
      "zero, with its sign",
      ["0", "-0", "0.0", "-0.0", "0e5", "-0e-5", "0E+400", `0.${"0".repeat(900)}`, `-0.${"0".repeat(30)}`],
    ],
    [
      "subnormals",
      [
        "5e-324",
        "4.9406564584124654e-324",
        "2.4703282292062328e-324",
        "2.4703282292062327e-324",
        "2.2250738585072011e-308",
        "2.225073858507201e-308",
        "1e-310",
        "-3e-320",
        exactly(5e-324).slice(0, 999),
      ],
    ],
    ["underflow to 0", ["1e-324", "1e-400", "-1e-99999", "1e-2147483649", `0.${"0".repeat(400)}1`]],
    [
      "overflow to infinity",
      [
        "1.7976931348623157e308",
        "1.7976931348623159e308",
        "1e309",
        "-1e400",
        "1e99999",
        "1e4294967297",
        "9".repeat(400),
      ],
    ],
    [
      "the limits of the fast paths",
      [
        "9007199254740991",
        "9007199254740992",
        "9007199254740993",
        "9007199254740993.0",
        "9007199254740992e22",
        "9007199254740993e22",
        "1e22",
        "1e23",
        "8.5e-22",
        "1e-23",
        "18446744073709551615",
        "18446744073709551616",
        "9999999999999999999",
        "99999999999999999999",
      ],
    ],
    [
      "leading zeros of fractions",
      ["0.00012345678901234567", "0.0000000000000000001234567890123456789", "-0.0009876543210987654321"],
    ],
    [
      "ties of integers, of halves and of what stands far behind them",
      [
        "9007199254740992.5",
        "9007199254740993.0000000000000001",
        "4503599627370496.5",
        "4503599627370497.5",
        `4503599627370496.5${"0".repeat(900)}1`,
        "7.2057594037927933e16",
        "2.2250738585072014e-308",
      ],
    ],
    [
      "many digits, and zeros of both sides of the point",
      [
        "123456789012345678901234567890",
        "9".repeat(1000),
        `1${"0".repeat(308)}`,
        `1.${"0".repeat(900)}1`,
        `0.${"0".repeat(55)}1`,
        `0.${"0".repeat(320)}1`,
      ],
    ],
    ["every notation of an exponent", ["1E5", "1e+5", "1e05", "1e-05", "6.02214076e+23", "-0.0e5", "8.5e22"]],
    [
      "cancelling exponents",
      [`1${"0".repeat(300)}e-300`, `0.${"0".repeat(299)}1e300`, "100000e-5", "0.00001e5"],
    ],
  ])("reads %s as JSON.parse does", (_name, texts) => {
    expectAsJsonParse(texts);
  });
});
