/** The scanner: what it takes, what it refuses and where, and that no split of the bytes matters. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Problem } from "../../../src/problems.ts";
import { JsonReader } from "../../../src/wire/json/reader.ts";
import { inRegion, kernel } from "../../kernel/place.ts";

/** What a body reads as, cut into pieces at `places`: the skeleton, the numberRuns with their numbers, or the refusal. */
function read(text: string | Buffer, places: readonly number[] = []): unknown {
  const bytes = Buffer.from(text as string);
  return inRegion((region) => {
    try {
      const reader = new JsonReader(kernel, region, "contract");
      let from = 0;
      for (const to of [...places, bytes.length]) {
        reader.push(bytes.subarray(from, to));
        from = to;
      }
      const { value, numberRuns } = reader.end();
      const contents = numberRuns.map(({ kind, address, length, shape }) => ({
        shape,
        numbers:
          kind === "numbers"
            ? [...kernel.f64.slice(address / 8, address / 8 + length)]
            : [...kernel.u8.slice(address, address + length)],
      }));
      return { value, contents };
    } catch (error) {
      if (error instanceof Problem) return { code: error.code, message: error.message };
      throw error;
    }
  });
}

const BODIES = [
  '{"input":[[1.5,-2e3],[0.001,1E5]],"target":[1,0],"label_smoothing":0.1,"reduction":"m\\u00e9an"}',
  ' {"input" : { "dtype":"float32" ,"shape":[2, 2],"data":[1,\t2,\n3,4]\r},"dim":-1,"weight":[] } ',
  '{"input":{"shape":[5],"base64":"aGVsbG8="},"target":{"shape":[1],"base64":"\\/\\/8="}}',
  '{"input":[NaN,"NaN",Infinity,"-Infinity",-Infinity],"a":NaN,"b":-Infinity,"c":null,"d":true,"e":false}',
  '{"input":[[[],[]],[[],[]]],"target":[[]]}',
  '{"input":[1,2',
  '{"input":[[1,2],[3]]}',
  '{"input":[1,"x"]}',
  '{"input":{"shape":[1],"base64":"AAA"}}',
  '{"a":1,"a":2}',
];

describe("any split of the bytes", () => {
  it.each(BODIES)("at every place, and into single bytes, reads %s alike", (body) => {
    const whole = read(body);
    const { length } = Buffer.from(body);
    for (let at = 1; at < length; at++) expect(read(body, [at])).toEqual(whole);
    expect(
      read(
        body,
        Array.from({ length: length - 1 }, (_, at) => at + 1),
      ),
    ).toEqual(whole);
  });

  it("of 200 KB of numbers reads them alike", () => {
    const body = `{"input":[${Array.from({ length: 20_000 }, (_, at) => (Math.sin(at) * 1000).toFixed(5)).join(", ")}]}`;
    const whole = read(body);
    fc.assert(
      fc.property(fc.array(fc.nat(body.length), { maxLength: 20 }), (places) => {
        expect(
          read(
            body,
            places.sort((a, b) => a - b),
          ),
        ).toEqual(whole);
      }),
      { numRuns: 20 },
    );
  });
});

describe("the grammar", () => {
  const isJson = (text: string): boolean => {
    try {
      const value: unknown = JSON.parse(text);
      return value !== null && typeof value === "object" && !Array.isArray(value);
    } catch {
      return false;
    }
  };

  it("takes a mutated object without tensors exactly when JSON.parse does (keys twice the same aside)", () => {
    const seed = '{"a": {"b": [1, -2.5e3, {"c": "x\\n\\u00e9"}, null, true], "d": {}}, "e": "", "f": 0}';
    const parts = [
      '"',
      ",",
      "[",
      "]",
      "{",
      "}",
      ":",
      "0",
      "-",
      ".",
      "e",
      "\\",
      " ",
      "\n",
      "\u0001",
      "null",
      "tru",
      "1",
      '"g":',
      "é",
    ];
    fc.assert(
      fc.property(fc.nat(seed.length), fc.nat(6), fc.constantFrom(...parts, ""), (at, removed, put) => {
        const text = seed.slice(0, at) + put + seed.slice(at + removed);
        const result = read(text) as { code?: string; message?: string };
        if (result.code === "duplicate_key") return;
        // A list directly in the root is a tensor, which may hold less than JSON allows.
        if (result.code === "invalid_element" || result.code === "ragged_tensor") return;
        const bare = /(?<![\w"])-?(?:NaN|Infinity)/.test(text);
        if (!bare) expect(result.code === undefined, text).toBe(isJson(text));
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    ["", "malformed_json", "byte 0: expected a JSON object, got the end of the body"],
    ["[1]", "malformed_json", 'byte 0: expected a JSON object, got "["'],
    ["\uFEFF{}", "malformed_json", "byte 0: expected a JSON object, got the byte 0xef"],
    ['{"a":1}x', "malformed_json", 'byte 7: expected the end of the body, got "x"'],
    ['{"a":01}', "malformed_json", 'byte 6: expected a value, got "1"'],
    ['{"a" 1}', "malformed_json", 'byte 5: expected ":", got "1"'],
    ['{"a":1,}', "malformed_json", 'byte 7: expected a field name in quotes, got "}"'],
    ['{"a":"\n"}', "malformed_json", "byte 6: expected text without control characters, got the byte 0x0a"],
    ['{"a":"\\x"}', "malformed_json", 'byte 7: expected a valid escape, got "x"'],
    ['{"\\x":1}', "malformed_json", 'byte 3: expected a valid escape, got "x"'],
    ['{"\\u00g0":1}', "malformed_json", 'byte 6: expected a hexadecimal digit, got "g"'],
    ['{"a":1,"\\u0061":2}', "duplicate_key", "/a: duplicate field"],
    ['{"a":{"b":1,"b":2}}', "duplicate_key", "/a/b: duplicate field"],
    [
      '{"a":[{"b":1},{"c":[],"c":1}]}',
      "invalid_element",
      '/a/0: expected a number, "NaN", "Infinity" or "-Infinity"',
    ],
    [
      '{"a/b~":[1,true]}',
      "invalid_element",
      '/a~1b~0/1: expected a number, "NaN", "Infinity" or "-Infinity"',
    ],
    [
      '{"a":[[[1]],[[1,2]]]}',
      "ragged_tensor",
      "/a/1/0: expected a list of the same length and depth as those beside it",
    ],
    [
      '{"a":[[],1]}',
      "ragged_tensor",
      "/a/1: expected a list of the same length and depth as those beside it",
    ],
    [
      '{"a":[1,[]]}',
      "ragged_tensor",
      "/a/1: expected a list of the same length and depth as those beside it",
    ],
    [`{"a":${"[".repeat(9)}`, "rank_too_high", "/a: expected at most 8 dimensions"],
    [`{"a":${'{"a":'.repeat(32)}`, "too_deep", "byte 160: expected at most 32 levels of brackets"],
  ])("refuses %s as %s: %s", (text, code, message) => {
    expect(read(text)).toEqual({ code, message });
  });

  it.each([
    ["[ without end", "[".repeat(1 << 20)],
    ['{"a":[ without end', `{"a":${"[".repeat(1 << 20)}`],
    ["empty objects in a list", `{"a":[${"{},".repeat(1 << 18)}{}]}`],
    ["a text of 1 MiB", `{"a":"${"x".repeat(1 << 20)}"}`],
    ["a number of 1 MiB", `{"a":[${"1".repeat(1 << 20)}]}`],
    ["40 lists", `{${Array.from({ length: 40 }, (_, at) => `"k${at}":[1]`).join()}}`],
    ["a lone surrogate in a key", Buffer.from('{"\xed\xa0\x80":1}', "latin1")],
    ["bytes that are no UTF-8", Buffer.from('{"a":"\xff"}', "latin1")],
  ])("refuses %s", (_name, body) => {
    expect(read(body)).toMatchObject({
      code: expect.stringMatching(
        /^(malformed_json|rank_too_high|invalid_element|options_too_long|number_too_long)$/,
      ),
    });
  });
});

describe("base64", () => {
  it("decodes any bytes, however they are cut", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(80), (bytes, at) => {
        const text = `{"input":{"shape":[1],"base64":"${Buffer.from(bytes).toString("base64")}"}}`;
        const result = read(text, [Math.min(at, text.length)]) as { contents: { numbers: number[] }[] };
        expect(result.contents[0]!.numbers).toEqual([...bytes]);
      }),
    );
  });

  it.each([
    "A",
    "AA",
    "AAA",
    "AA=",
    "A===",
    "====",
    "AA==A",
    "AA==AAAA",
    "AAA=AAAA",
    "AB==",
    "AAB=",
    "AA A",
    "AA-_",
    "AAAA\\n",
    "AA\\/\\",
    "=AAA",
  ])("refuses %s", (text) => {
    expect(read(`{"input":{"shape":[1],"base64":"${text}"}}`)).toMatchObject({ code: "invalid_base64" });
  });
});
