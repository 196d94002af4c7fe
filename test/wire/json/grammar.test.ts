/** The scanner's grammar is RFC 8259's: it takes what JSON.parse takes, but for what the contract adds and leaves out. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Problem } from "../../../src/problems.ts";
import { read } from "./reading.ts";

/** What JSON.parse gives, or undefined. */
function parse(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

/** The whole of an option: `a` is one level deeper than a tensor can be, so nothing in it is cut. */
const wrapped = (text: string): string => `{"o":{"a":${text}}}`;

function expectAsJsonParse(text: string): void {
  const reading = read(text);
  const parsed = parse(text);
  if (parsed === undefined) expect(reading, text).toBeInstanceOf(Problem);
  else expect(reading, text).toEqual({ value: parsed.value, numberSpans: [] });
}

const VALUES_TAKEN: readonly string[] = [
  ...[
    "0",
    "-0",
    "1",
    "-1",
    "10",
    "1.5",
    "-0.0",
    "1e5",
    "1E5",
    "1e+5",
    "1e-5",
    "1.25E-7",
    "123456789012345678901234567890",
    "1e400",
  ],
  ...["true", "false", "null", '""', '"a"', '" "', '"\u007f"', '"é"', '"𝄞"', '"\u2028"', '"\ufeff"', '"NaN"'],
  ...[
    '"\\""',
    '"\\\\"',
    '"\\/"',
    '"\\b\\f\\n\\r\\t"',
    '"\\u0041"',
    '"\\uABcd"',
    '"\\ud834\\udd1e"',
    '"\\ud834"',
    '"\\u0000"',
    '"\\\\u0041"',
  ],
  ...[
    "[]",
    "[ ]",
    "[[]]",
    "[[[1]]]",
    "[1,2]",
    "[ 1 , 2 ]",
    '["a",{},null,[]]',
    "{}",
    "{ }",
    '{"":0}',
    '{"b":{}}',
    '{"b":[{"c":1},{"c":2}]}',
  ],
  ...[
    " 1 ",
    "\t1\n",
    "\r\n[\t1\r,\n2 ]",
    '{ "b" : 1 , "c" : 2 }',
    '{"__proto__":1}',
    '{"constructor":[1]}',
    '{"é":1}',
    '{"b ":1}',
  ],
];

const VALUES_REFUSED: readonly string[] = [
  ...[
    "",
    " ",
    "01",
    "-01",
    "00",
    "1.",
    ".5",
    "-.5",
    "-",
    "+1",
    "1e",
    "1e+",
    "1E-",
    "1.e5",
    "0x10",
    "1_000",
    "1a",
    "--1",
    "1-",
    "1.2.3",
    "1e5.5",
    "１",
    "-a",
    "0e",
    "1 2",
    "1\u0000",
  ],
  ...[
    "True",
    "TRUE",
    "tru",
    "truee",
    "nul",
    "nulll",
    "falsE",
    "undefined",
    "none",
    "nan",
    "NAN",
    "inf",
    "+Infinity",
    "Infinit",
    "Infinityy",
    "-NaN",
    "-Infinit",
    "N",
    "I",
    "- 1",
  ],
  ...[
    '"',
    '"a',
    "'a'",
    '"a\nb"',
    '"\t"',
    '"\u0000"',
    '"\u001f"',
    '"\\x41"',
    '"\\u12"',
    '"\\u12G4"',
    '"\\',
    '"\\"',
    '"\\U0041"',
    '"\\\n"',
    '"a" "b"',
    '"a"b',
  ],
  ...[
    "[",
    "]",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[,]",
    "[1,,2]",
    "[1 2]",
    "[1;2]",
    "[1}",
    "[[]",
    "[]]",
    "(1)",
    "[1,\u00a02]",
    "[\u000b1]",
    "[\f1]",
  ],
  ...[
    "{",
    "}",
    '{"b"}',
    '{"b":}',
    '{"b":1,}',
    "{,}",
    '{"b" 1}',
    '{"b":1 "c":2}',
    "{b:1}",
    "{'b':1}",
    "{1:1}",
    '{"b":1]',
    '{"b"::1}',
    '{"b":1,,"c":2}',
    "{null:1}",
    '{"b\n":1}',
    '{"b\u0000":1}',
    '{"b',
  ],
  ...["1//", "1/* */", "# 1", "\ufeff1", "1\ufeff", "1,", "1}", "[1]]", "\\", "\u0000", ";"],
];

describe("the grammar of JSON", () => {
  it.each(VALUES_TAKEN)("takes the value %j as JSON.parse does", (value) => {
    expect(parse(value)).toBeDefined();
    expectAsJsonParse(wrapped(value));
  });

  it.each(VALUES_REFUSED)("refuses the value %j as JSON.parse does", (value) => {
    expect(parse(wrapped(value))).toBeUndefined();
    const problem = read(wrapped(value)) as Problem;
    expect(problem).toBeInstanceOf(Problem);
    expect(problem.code).toBe("malformed_json");
    expect(problem.message).toMatch(/^byte \d+: expected .+, got /);
  });

  it.each(VALUES_REFUSED)("refuses %j as the value of a field and as an element", (value) => {
    expect(read(`{"input":${value}}`)).toBeInstanceOf(Problem);
    if (value.trim() !== "") expect(read(`{"input":[${value}]}`)).toBeInstanceOf(Problem);
  });

  it("takes and refuses what JSON.parse does, for 20,000 mutations of bodies", () => {
    const alphabet = [...'{}[]:,"\\ \n\t0123456789.eE+-truefalsn/u\u0001é'];
    const body = fc.json({ maxDepth: 4 });
    const mutation = fc.tuple(fc.nat(), fc.nat(2), fc.constantFrom(...alphabet));
    const mutated = fc.tuple(body, fc.array(mutation, { maxLength: 3 })).map(([text, mutations]) => {
      let result = wrapped(text);
      for (const [place, length, character] of mutations) {
        const at = place % (result.length + 1);
        result = result.slice(0, at) + character + result.slice(at + length);
      }
      return result;
    });
    fc.assert(
      fc.property(mutated, (text) => {
        const reading = read(text);
        const parsed = parse(text);
        if (reading instanceof Problem) {
          // What the contract leaves out: other roots, keys that stand twice, other elements in tensors.
          if (reading.code !== "malformed_json") return;
          expect(
            parsed === undefined || !text.trimStart().startsWith("{"),
            `${text}: ${reading.message}`,
          ).toBe(true);
        } else {
          expect(parsed, text).toBeDefined();
          if (reading.numberSpans.length === 0) expect(reading.value).toEqual(parsed!.value);
        }
      }),
      { numRuns: 20_000, seed: 7 },
    );
  });

  it("refuses every proper beginning of a body, and every body with one byte more", () => {
    const body =
      '{"input":[[1.5,"NaN"],[-2e3,Infinity]],"o":{"shape":[2],"base64":"AAA="},"b":[],"c":"\\u00e9","d":null}';
    for (let length = 0; length < body.length; length++) {
      const problem = read(body.slice(0, length)) as Problem;
      expect(problem.code, body.slice(0, length)).toBe("malformed_json");
      expect(problem.message).toContain("got the end of the body");
    }
    for (const more of '{}[],:"0a\u0000\ufeff') {
      const problem = read(body + more) as Problem;
      expect(problem.message).toMatch(new RegExp(`^byte ${body.length}: expected the end of the body`));
    }
  });

  it.each([
    ["[1]", 'byte 0: expected a JSON object, got "["'],
    ["\uFEFF{}", "byte 0: expected a JSON object, got the byte 0xef; send UTF-8 without a byte-order mark"],
    [" \uFEFF{}", "byte 1: expected a JSON object, got the byte 0xef"],
    [
      "\u001f",
      "byte 0: expected a JSON object, got the byte 0x1f; send a gzip body with Content-Encoding: gzip",
    ],
    ['{"a":1}x', 'byte 7: expected the end of the body, got "x"'],
    ['{"a":01}', 'byte 6: expected a value, got "1"'],
    ['{"a" 1}', 'byte 5: expected ":", got "1"'],
    ['{"a":1,}', 'byte 7: expected a field name in quotes, got "}"'],
    ['{"a":"\n"}', "byte 6: expected text without control characters, got the byte 0x0a"],
    ['{"a":"\\x"}', 'byte 7: expected a valid escape, got "x"'],
    ['{"\\x":1}', 'byte 3: expected a valid escape, got "x"'],
    ['{"\\u00g0":1}', 'byte 6: expected a hexadecimal digit, got "g"'],
    ['{"a', "byte 3: expected the closing quote of a field name, got the end of the body"],
    ['{"a":"b', "byte 7: expected the closing quote of a text, got the end of the body"],
  ])("refuses %j with the first byte that is wrong", (body, message) => {
    expect((read(body) as Problem).message).toBe(message);
  });

  it.each(["[]", "[1]", "1", '"a"', "null", "true", "NaN", "\ufeff{}", " [{}]"])(
    "refuses %j: the body is one object",
    (body) => {
      expect((read(body) as Problem).code).toBe("malformed_json");
    },
  );

  it.each([
    [
      "the bare tokens of Python",
      '{"a":NaN,"b":Infinity,"c":-Infinity}',
      { a: "NaN", b: "Infinity", c: "-Infinity" },
    ],
    ["white space around everything", ' \n{ "a" :\t1 }\r\n ', { a: 1 }],
    ["__proto__ as a field like any other", '{"__proto__":{"a":1}}', JSON.parse('{"__proto__":{"a":1}}')],
    [
      "2^53 + 1 as a number beyond 2^53",
      '{"a":9007199254740993,"b":-9007199254740993}',
      { a: 2 ** 53 + 2, b: -(2 ** 53) - 2 },
    ],
  ])("takes %s", (_name, body, value) => {
    expect(read(body)).toEqual({ value, numberSpans: [] });
  });
});
