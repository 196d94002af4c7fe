/** Base64 as RFC 4648, section 4, has it; the judge is Buffer. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Problem } from "../../../src/problems.ts";
import { arena, kernel, read } from "./reading.ts";

const body = (text: string): string => `{"input":{"base64":"${text}"}}`;

function decode(text: string, size?: number): number[] | string {
  const reading = read(body(text), "contract", size === undefined ? undefined : { size });
  if (reading instanceof Problem) {
    return reading.code === "invalid_base64" ? reading.errors[0]!.pointer : reading.code;
  }
  return [...reading.numberSpans[0]!.contents];
}

function encode(bytes: Uint8Array): string {
  kernel.u8.set(bytes, arena.start);
  const paper = kernel.exports.outputAt;
  const end = kernel.exports.encodeBase64(arena.start, bytes.length, paper);
  return Buffer.from(kernel.u8.subarray(paper, end)).toString();
}

const patterned = (length: number): Buffer =>
  Buffer.from(Array.from({ length }, (_, at) => (at * 167 + 13) & 255));

describe("base64", () => {
  it("round-trips every length from 0 to 200, as Buffer writes it", () => {
    for (let length = 0; length <= 200; length++) {
      const bytes = patterned(length);
      expect(encode(bytes)).toBe(bytes.toString("base64"));
      expect(decode(bytes.toString("base64"))).toEqual([...bytes]);
    }
  });

  it("round-trips random bytes in random pieces", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 70 }), (bytes, size) => {
        const text = encode(bytes);
        expect(text).toBe(Buffer.from(bytes).toString("base64"));
        expect(decode(text, size)).toEqual([...bytes]);
      }),
      { numRuns: 500, seed: 9 },
    );
  });

  it("takes the 64 characters of the alphabet and refuses the other 192 bytes, at each place of two blocks of 16", () => {
    const alphabet = Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    for (let place = 0; place < 32; place++) {
      for (let byte = 0; byte < 256; byte++) {
        // A quotation mark ends the text, a backslash escapes.
        if (byte === 34 || byte === 92) continue;
        const text = Buffer.from(body("A".repeat(36)));
        text[body("").indexOf('""') + 1 + place] = byte;
        const reading = read(text);
        if (alphabet.includes(byte)) {
          const expected = Buffer.alloc(27);
          const sextet = alphabet.indexOf(byte);
          const bit = place * 6;
          expected.writeUInt16BE((sextet << 10) >> (bit % 8), bit >> 3);
          expect(!(reading instanceof Problem) && Buffer.from(reading.numberSpans[0]!.contents)).toEqual(
            expected,
          );
        } else expect((reading as Problem).code, `${byte} at ${place}`).toBe("invalid_base64");
      }
    }
  });

  it.each([
    "A",
    "AA",
    "AAA",
    "AAAAA",
    "A=",
    "A==",
    "A===",
    "AA=",
    "AAA==",
    "AA=A",
    "AAAA=",
    "AAAA==",
    "AAAA====",
    "=",
    "====",
    "AA==A",
    "AA==AAAA",
    "AAA=AAAA",
    "=AAA",
    "AA A",
    "AA== ",
    " AAAA",
    "AA\\nAA",
    "AAAA\\n",
    "AA-_",
    "AB==",
    "AAB=",
    "A/==",
    "\\\\",
    "AAA\\",
    "A\\\\A",
    "AAAé",
    "AA==\\/",
    "\\u0041\\u0041",
    "\\u0000AAAA",
    "AAAA\\u0000",
    "\\u0022AAA",
    "AAA\\u00g1",
    "AAA\\U0041",
    "AAA\\u0141",
    "AAA\\u4100",
    "AA\\u003d",
    "AA==\\u003d",
    "AA\\n",
  ])("refuses %j with the field's pointer", (text) => {
    for (const size of [1, 3, 1000])
      expect(["/input/base64", "malformed_json"]).toContain(decode(text, size));
    if (!text.endsWith("A\\")) expect(decode(text)).toBe("/input/base64");
  });

  it("takes slashes as some writers escape them", () => {
    expect(decode("\\/\\/\\/\\/")).toEqual([255, 255, 255]);
    expect(decode("AA\\/\\/AAA=", 1)).toEqual([...Buffer.from("AA//AAA=", "base64")]);
    expect(decode(`${"A".repeat(40)}\\/${"A".repeat(39)}`)).toEqual([
      ...Buffer.from(`${"A".repeat(40)}/${"A".repeat(39)}`, "base64"),
    ]);
  });

  it("takes every character of it as a \\u escape, in any case and in pieces of any size", () => {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const escaped = (text: string): string =>
      [...text].map((c) => `\\u00${c.charCodeAt(0).toString(16)}`).join("");
    for (const text of [alphabet, "AA==", "AAA=", "+/+/", "AAAAAAAAAAAAAAAAAAAA+A=="]) {
      const bytes = [...Buffer.from(text, "base64")];
      for (const size of [1, 2, 5, 7, 1000]) {
        expect(decode(escaped(text), size)).toEqual(bytes);
        expect(decode(escaped(text).toUpperCase().replaceAll("\\U", "\\u"), size)).toEqual(bytes);
        expect(decode(text.replaceAll(/[=+]/g, escaped), size)).toEqual(bytes);
      }
    }
  });

  it("refuses a control character in it", () => {
    expect(decode("AA\nAA")).toBe("/input/base64");
    expect(decode("AAAA\u0000")).toBe("/input/base64");
  });
});
