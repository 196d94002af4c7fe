/** What the contract refuses beyond the grammar of JSON: sizes, depths, bytes that are no text, fields that stand twice. */
import { describe, expect, it } from "vitest";
import { Problem } from "../../../src/problems.ts";
import { read } from "./reading.ts";

/** The whole of an option: `a` is one level deeper than a tensor can be, so nothing in it is cut. */
const wrapped = (text: string): string => `{"o":{"a":${text}}}`;

describe("the limits of a JSON body", () => {
  it.each([
    [
      "33 levels",
      wrapped("[".repeat(31) + "]".repeat(31)),
      "too_deep",
      /^byte 40: expected at most 32 levels/,
    ],
    ["endless brackets", wrapped("[".repeat(1e6)), "too_deep", /^byte 40/],
    ["endless braces", '{"a":'.repeat(1e5), "too_deep", /^byte 160: expected at most 32 levels of brackets$/],
    ["endless brackets of a tensor", `{"a":${"[".repeat(1e6)}`, "rank_too_high", /^\/a: .* at most 8 dim/],
    [
      "a number of 1,001 characters",
      wrapped("1".repeat(1001)),
      "number_too_long",
      /^byte 10: expected at most 1000 characters/,
    ],
    ["a number of a megabyte in a tensor", `{"a":[${"1".repeat(1 << 20)}]}`, "number_too_long", /1000/],
    [
      "an option of a megabyte",
      wrapped(`"${"a".repeat(1e6)}"`),
      "options_too_long",
      /^byte 16384: expected at most 16384 bytes/,
    ],
    ["a megabyte of empty objects", wrapped(`[${"{},".repeat(3e5)}{}]`), "options_too_long", /16384/],
    [
      "33 tensors",
      `{${Array.from({ length: 33 }, (_, at) => `"a${at}":[]`).join()}}`,
      "options_too_long",
      /32 lists/,
    ],
    [
      "a byte that is not UTF-8",
      Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff]), Buffer.from('"}')]),
      "malformed_json",
      /not UTF-8/,
    ],
    [
      "a surrogate in UTF-8",
      Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')]),
      "malformed_json",
      /not UTF-8/,
    ],
    [
      "an overlong slash",
      Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')]),
      "malformed_json",
      /not UTF-8/,
    ],
    [
      "a surrogate in UTF-8 in a field name",
      Buffer.concat([Buffer.from('{"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('":1}')]),
      "malformed_json",
      /not UTF-8/,
    ],
    ["UTF-16", Buffer.from('{"a":1}', "utf16le"), "malformed_json", /^byte 1: .* got the byte 0x00/],
    ["a field that stands twice", '{"a":1,"b":2,"a":1}', "duplicate_key", /^\/a: /],
    ["a field that stands twice, once with an escape", '{"a":1,"\\u0061":2}', "duplicate_key", /^\/a: /],
    ["__proto__ twice", '{"__proto__":1,"__proto__":1}', "duplicate_key", /^\/__proto__: /],
    ["a tensor that stands twice", '{"input":[1],"input":[2]}', "duplicate_key", /^\/input: /],
    [
      "a key of an inner object twice",
      '{"o":{"a":[{"x/y":1,"~":[1,[2]],"x/y":2}]}}',
      "duplicate_key",
      /^\/o\/a\/0\/x~1y: /,
    ],
    [
      "a key twice behind others of that name",
      '{"a":{"b":1},"b":[2],"o":{"c":["b",{"b":1},{"b":1,"b":2}]}}',
      "duplicate_key",
      /^\/o\/c\/2\/b: /,
    ],
  ] as const)("refuses %s", (_name, body, code, message) => {
    const problem = read(body) as Problem;
    expect(problem).toBeInstanceOf(Problem);
    expect(problem.message).toMatch(message);
    expect(problem.code).toBe(code);
    if (code === "duplicate_key")
      expect(problem.message.startsWith(`${problem.errors[0]!.pointer}: `)).toBe(true);
  });

  it("takes 32 levels, a number of 1,000 characters, 32 tensors and 16,384 bytes beside them", () => {
    expect(read(wrapped("[".repeat(30) + "]".repeat(30)))).not.toBeInstanceOf(Problem);
    expect(read(wrapped("1".repeat(1000)))).not.toBeInstanceOf(Problem);
    expect(read(`{${Array.from({ length: 32 }, (_, at) => `"a${at}":[]`).join()}}`)).not.toBeInstanceOf(
      Problem,
    );
    const brackets = wrapped('""').length;
    expect(read(wrapped(`"${"a".repeat(16_384 - brackets)}"`))).not.toBeInstanceOf(Problem);
    expect(read(wrapped(`"${"a".repeat(16_385 - brackets)}"`))).toBeInstanceOf(Problem);
  });
});
