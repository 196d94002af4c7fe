/** What the reader makes of a body: tensors in the Arena, the rest as JSON.parse gives it, the same for all pieces. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Problem } from "../../../src/problems.ts";
import { Arena, ArenaFull } from "../../../src/tensor/arena.ts";
import { JsonReader } from "../../../src/wire/json/reader.ts";
import type { Pieces } from "./reading.ts";
import { arena, inRegion, kernel, read, scan } from "./reading.ts";

const numbers = (shape: readonly number[], contents: readonly number[]) => ({
  kind: "numbers",
  shape,
  contents,
});
const bytes = (text: string) => ({ kind: "base64", shape: [], contents: [...Buffer.from(text)] });
const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

describe("tensors in a JSON body", () => {
  it.each([
    ["a list", "[1,2.5,-3e2]", numbers([3], [1, 2.5, -300])],
    ["a list with white space", " [ 1 ,\n2.5\t, -3e2 ]\r", numbers([3], [1, 2.5, -300])],
    ["a list of lists", "[[1,2],[3,4],[5,6]]", numbers([3, 2], [1, 2, 3, 4, 5, 6])],
    ["eight levels", "[[[[[[[[1],[-0]]]]]]]]", numbers([1, 1, 1, 1, 1, 1, 2, 1], [1, -0])],
    ["shape (0)", "[]", numbers([0], [])],
    ["shape (2, 0)", "[[],[ ]]", numbers([2, 0], [])],
    ["shape (1, 2, 0)", "[[[],[]]]", numbers([1, 2, 0], [])],
    ["names of non-finite numbers", '["NaN","Infinity","-Infinity",1]', numbers([4], [nan, inf, -inf, 1])],
    ["the bare tokens of Python", "[NaN, Infinity, -Infinity, -1]", numbers([4], [nan, inf, -inf, -1])],
  ])("reads %s", (_name, text, cut) => {
    expect(read(`{"input":${text}}`)).toEqual({ value: { input: [0] }, numberSpans: [cut] });
    expect(read(`{"a":1,"input":${text},"b":[2]}`)).toEqual({
      value: { a: 1, input: [0], b: [1] },
      numberSpans: [cut, numbers([1], [2])],
    });
  });

  it("reads data and base64 of a field's object, and leaves its shape and everything deeper alone", () => {
    const text =
      '{"input":{"dtype":"float32","shape":[2],"data":[1,2]},"target":{"shape":[5],"base64":"aGVsbG8="},"o":{"a":{"data":[1],"base64":"!"}}}';
    expect(read(text)).toEqual({
      value: {
        input: { dtype: "float32", shape: [2], data: [0] },
        target: { shape: [5], base64: "1" },
        o: { a: { data: [1], base64: "!" } },
      },
      numberSpans: [numbers([2], [1, 2]), bytes("hello")],
    });
  });

  it("takes every list and text at a tensor's place, so that no client can write a placeholder", () => {
    const reading = read('{"input":[0],"target":{"data":[7],"base64":"MA=="},"base64":"0","data":"1"}');
    expect(reading).toEqual({
      value: { input: [0], target: { data: [1], base64: "2" }, base64: "0", data: "1" },
      numberSpans: [numbers([1], [0]), numbers([1], [7]), bytes("0")],
    });
  });

  it("counts 32 number spans in the order of the text", () => {
    const names = Array.from({ length: 32 }, (_, at) => `a${at}`);
    const reading = read(`{${names.map((name, at) => `"${name}":[${at}]`).join()}}`);
    expect(reading).toEqual({
      value: Object.fromEntries(names.map((name, at) => [name, [at]])),
      numberSpans: names.map((_, at) => numbers([1], [at])),
    });
  });

  it("reads data at any depth of an Open Inference Protocol body, and no other list", () => {
    const text =
      '{"id":"1","inputs":[{"name":"input","shape":[1,2],"datatype":"FP32","data":[[1,2]]},{"name":"target","shape":[1],"data":[0]}],"data":[[3]],"parameters":{"a":[1]}}';
    expect(read(text, "inference")).toEqual({
      value: {
        id: "1",
        inputs: [
          { name: "input", shape: [1, 2], datatype: "FP32", data: [0] },
          { name: "target", shape: [1], data: [1] },
        ],
        data: [[3]],
        parameters: { a: [1] },
      },
      numberSpans: [numbers([1, 2], [1, 2]), numbers([1], [0])],
    });
    const problem = read('{"inputs":[{"data":[1]},{"data":[1,null]}]}', "inference") as Problem;
    expect(problem.errors[0]!.pointer).toBe("/inputs/1/data/1");
  });

  it.each([
    ["[[1],[2,3]]", "ragged_tensor", "/input/1"],
    ["[[1,2],[3]]", "ragged_tensor", "/input/1"],
    ["[1,[2]]", "ragged_tensor", "/input/1"],
    ["[[1],2]", "ragged_tensor", "/input/1"],
    ["[[],[1]]", "ragged_tensor", "/input/1"],
    ["[[1],[]]", "ragged_tensor", "/input/1"],
    ["[[],1]", "ragged_tensor", "/input/1"],
    ["[[],[[]]]", "ragged_tensor", "/input/1"],
    ["[[[]],[]]", "ragged_tensor", "/input/1"],
    ["[[[1],[2]],[[3],[4,5]]]", "ragged_tensor", "/input/1/1"],
    ["[[[1],[2]],[[3],4]]", "ragged_tensor", "/input/1/1"],
    ["[[[1],[2]],[[3],[[4]]]]", "ragged_tensor", "/input/1/1/0"],
    ["[[[[[[[[[1]]]]]]]]]", "rank_too_high", "/input"],
    ["[null]", "invalid_element", "/input/0"],
    ["[1,true]", "invalid_element", "/input/1"],
    ["[1,false]", "invalid_element", "/input/1"],
    ["[[1,2],[3,{}]]", "invalid_element", "/input/1/1"],
    ['[[1,2],[3,"4"]]', "invalid_element", "/input/1/1"],
    ['[""]', "invalid_element", "/input/0"],
    ['["nan"]', "invalid_element", "/input/0"],
    ['["-NaN"]', "invalid_element", "/input/0"],
    ['["Infinity "]', "invalid_element", "/input/0"],
    ['["\\u004eaN"]', "invalid_element", "/input/0"],
    [`[1,"${"a".repeat(1e6)}"]`, "invalid_element", "/input/1"],
  ])("refuses %.40s as %s at %s", (text, code, pointer) => {
    const problem = read(`{"input":${text}}`) as Problem;
    expect(problem.code).toBe(code);
    expect(problem.errors).toEqual([{ pointer, detail: expect.stringMatching(/^expected /) }]);
  });

  it.each([
    ["[1,2", "got the end of the body"],
    ["[1 2]}", 'byte 12: expected a number, a list, a comma or a closing bracket, got "2"'],
    ["[12x]}", 'byte 12: expected a number, a list, a comma or a closing bracket, got "x"'],
    ["[1.]}", 'byte 12: expected a number, a list, a comma or a closing bracket, got "]"'],
    ["[012]}", 'byte 11: expected a number, a list, a comma or a closing bracket, got "1"'],
    ["[Nan]}", 'byte 12: expected a number, a list, a comma or a closing bracket, got "n"'],
    ["[[1][2]]}", 'byte 13: expected a number, a list, a comma or a closing bracket, got "["'],
  ])("refuses %s with the first byte that is wrong", (text, message) => {
    expect((read(`{"input":${text}`) as Problem).message).toContain(message);
  });

  it.each([
    ["[nan]", 11, "n"],
    ["[1,nUll]", 13, "n"],
    ["[nulls]", 11, "n"],
    ["[null1]", 11, "n"],
    ["[tru]", 11, "t"],
    ["[[1],falsE]", 15, "f"],
    ["[inf]", 11, "i"],
  ])(
    "refuses %s, which is not JSON, as malformed_json at byte %i, in pieces of any size",
    (text, place, got) => {
      for (const size of [1, 2, 3, 1000]) {
        const problem = read(` {"input":${text}}`, "contract", { size }) as Problem;
        expect(problem.code).toBe("malformed_json");
        expect(problem.message).toBe(
          `byte ${place}: expected a number, a list, a comma or a closing bracket, got "${got}"`,
        );
      }
    },
  );

  it("says of a list that is ragged how long and deep it should be", () => {
    for (const [text, pointer] of [
      ["[[[1]],[[1,2]]]", "/a/1/0"],
      ["[[],1]", "/a/1"],
      ["[1,[]]", "/a/1"],
    ])
      expect((read(`{"a":${text}}`) as Problem).message).toBe(
        `${pointer}: expected a list of the same length and depth as those beside it`,
      );
  });

  it("says of null in a tensor that writers mean NaN with it, of booleans the numbers, and of other elements that they are no numbers", () => {
    const detail = (text: string) => (read(`{"input":${text}}`) as Problem).errors[0]!.detail;
    const expected = 'expected a number, "NaN", "Infinity" or "-Infinity"';
    const hint = ', got null; send NaN as "NaN", since orjson, serde_json and pydantic write it as null';
    expect(detail("[1,null]")).toBe(expected + hint);
    expect(detail("[[1],null]")).toBe(expected + hint);
    expect(detail("[0,true]")).toBe(`${expected}, got true; send 1, since no dtype is boolean`);
    expect(detail("[[false]]")).toBe(`${expected}, got false; send 0, since no dtype is boolean`);
    for (const text of ["[{}]", '["null"]']) expect(detail(text)).toBe(expected);
  });

  it("reads a field name with escapes as the name that it is, in pieces of any size", () => {
    const escaped =
      '{"\\u0069nput":{"shape":[2],"\\u0064\\u0061ta":[1,2]},"o":{"b\\u0061se64":"AAA="},"\\"\\\\\\/\\n\\u00e9\\u0022":true}';
    for (let size = 1; size <= escaped.length; size++) {
      expect(read(escaped, "contract", { size })).toEqual({
        value: {
          input: { shape: [2], data: [0] },
          o: { base64: "1" },
          '"\\/\né"': true,
        },
        numberSpans: [numbers([2], [1, 2]), { kind: "base64", shape: [], contents: [0, 0] }],
      });
    }
  });

  it("points to elements under a field name with escapes by the name that it is", () => {
    const problem = read('{"a\\"\\u005c\\u002f\\u007E\\u00e9":{"data":[null]}}') as Problem;
    expect(problem.errors[0]!.pointer).toBe('/a"\\~1~0é/data/0');
  });

  it("escapes names in pointers, and repeats at most 64 characters of them all", () => {
    expect((read('{"a~b/c":{"data":[null]}}') as Problem).errors[0]!.pointer).toBe("/a~0b~1c/data/0");
    expect((read(`{"${"x".repeat(1000)}":[null]}`) as Problem).errors[0]!.pointer).toBe(
      `/${"x".repeat(63)}.../0`,
    );
  });

  it("ends with ArenaFull where the region has no room, and writes nothing beyond it", () => {
    const small = new Arena(arena.start, arena.start + 65_536);
    const fence = small.end;
    const base64 = `{"a":{"base64":"${"AAAA".repeat(20_000)}"}}`;
    for (const text of [`{"a":[${"1,".repeat(8_000)}1]}`, `{"a":[${"NaN,".repeat(8_000)}1]}`, base64]) {
      kernel.u8.fill(0xa5, fence, fence + 64);
      const region = small.reserve(65_536);
      expect(() => scan(region, text)).toThrow(ArenaFull);
      region.release();
      expect(kernel.u8.subarray(fence, fence + 64).every((byte) => byte === 0xa5)).toBe(true);
    }
  });

  it("has room for every body in 4 bytes for each of its own, and 64 KiB", () => {
    const bodies = [
      `{"a":[${"1,".repeat(50_000)}1]}`,
      `{${Array.from({ length: 32 }, (_, at) => `"${at}":[1]`).join()}}`,
      `{"a":{"base64":"${"AAAA".repeat(50_000)}"}}`,
    ];
    for (const body of bodies) {
      inRegion(
        (region) => expect(scan(region, body).numberSpans.length).toBeGreaterThan(0),
        4 * body.length + 65_536,
      );
    }
  });
});

describe("a JSON body in pieces", () => {
  const bodies = [
    '{"input":[[1.5,-2.25e-3,0],[NaN,-Infinity,"Infinity"]] , "reduction":"m\\u00e9an\\n","b":[true,null],"o":{"shape":[2,-1.5],"data":[12345678901234567890.5,-0],"x":false}}',
    '{"a":{"base64":"aGVsbG8gd29ybGQhIGFuZCBzbyBvbiBhbmQgc28gb24="},"b":{"base64":"\\/+8="},"c":{"base64":""},"d":"é𝄞"}',
    ' {"input" : { "dtype":"float32" ,"shape":[2, 2],"data":[1,\t2,\n3,4]\r},"dim":-1,"weight":[] } ',
    '{"input":[NaN,"NaN",Infinity,"-Infinity",-Infinity],"a":NaN,"b":-Infinity,"c":null,"d":true,"e":false}',
    '{"input":[[[],[]],[[],[]]],"target":[[]]}',
    '{"input":[1,2',
    '{"input":[[1,2],[3,"x"]]}',
    '{"input":[[1,2],[3]]}',
    '{"input":[1.5,2.e]}',
    '{"a":{"base64":"aGVsbG8"}}',
    '{"a":nulx}',
    '{"a":1,"a":2}',
    `{"a":[${"1".repeat(1001)}]}`,
    `{"a":[1.${"0".repeat(1200)}x]}`,
    `{"a":[${"0.125,".repeat(30)}${"9".repeat(1000)}]}`,
  ];
  const small = bodies.filter((body) => body.length < 1000);

  it.each(bodies)("reads or refuses %.50s alike in pieces of 1, 2, 3, 7, 16 and 64 bytes", (body) => {
    const whole = read(body);
    for (const size of [1, 2, 3, 7, 16, 64]) expect(read(body, "contract", { size })).toEqual(whole);
  });

  it.each(small)("reads or refuses %.50s alike wherever it is cut in two", (body) => {
    const whole = read(body);
    for (let at = 0; at <= Buffer.byteLength(body); at++)
      expect(read(body, "contract", { at })).toEqual(whole);
  });

  it("reads bodies that are larger than the scanner's window, in any pieces", () => {
    const list = Array.from({ length: 60_000 }, (_, at) => Math.sin(at) * 10 ** ((at % 30) - 15));
    const text = Buffer.alloc(200_000, "lossd");
    const body = JSON.stringify({ input: list, o: { base64: text.toString("base64") } });
    const expected = {
      value: { input: [0], o: { base64: "1" } },
      numberSpans: [numbers([60_000], list), { kind: "base64", shape: [], contents: [...text] }],
    };
    for (const size of [Number.POSITIVE_INFINITY, 65_536, 66_561, 1000, 997]) {
      expect(read(body, "contract", { size })).toEqual(expected);
    }
  });

  it("reads 500 random nested tensors as JSON.parse does, in random pieces", () => {
    const tensor = fc
      .tuple(
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
        fc.infiniteStream(fc.double({ noDefaultInfinity: true, noNaN: true })),
      )
      .map(([shape, stream]) => {
        const build = (axis: number): unknown =>
          axis === shape.length
            ? stream.next().value
            : Array.from({ length: shape[axis]! }, () => build(axis + 1));
        return { shape, lists: build(0) as number[] };
      });
    fc.assert(
      fc.property(tensor, fc.integer({ min: 1, max: 40 }), fc.nat(3), ({ shape, lists }, size, indent) => {
        const body = JSON.stringify({ input: lists }, undefined, indent);
        const parsed = (JSON.parse(body) as { input: unknown[] }).input.flat(8) as number[];
        expect(read(body, "contract", { size })).toEqual({
          value: { input: [0] },
          numberSpans: [numbers(shape, parsed)],
        });
      }),
      { numRuns: 500, seed: 8 },
    );
  });

  it("keeps two bodies apart that arrive in turns", () => {
    inRegion((region) => {
      const other = arena.reserve(1 << 20);
      const readers = [region, other].map((place) => new JsonReader(kernel, place, "contract"));
      const texts = ['{"input":[1234.5678,2],"a":"first"}', '{"input":[[-8765.4321],[3]],"b":"second"}'];
      for (let at = 0; at < 50; at++) {
        for (const [which, reader] of readers.entries())
          reader.push(Buffer.from(texts[which]!.slice(at, at + 1)));
      }
      const [first, second] = readers.map((reader) => reader.end());
      expect(first!.value).toEqual({ input: [0], a: "first" });
      expect(second!.value).toEqual({ input: [0], b: "second" });
      expect(kernel.f64[first!.numberSpans[0]!.address / 8]).toBe(1234.5678);
      expect(kernel.f64[second!.numberSpans[0]!.address / 8]).toBe(-8765.4321);
      other.release();
    });
  });

  it("takes empty pieces", () => {
    const pieces: Pieces = { at: 0 };
    expect(read('{"a":1}', "contract", pieces)).toEqual({ value: { a: 1 }, numberSpans: [] });
    expect((read("") as Problem).code).toBe("malformed_json");
    expect((read("") as Problem).message).toBe("byte 0: expected a JSON object, got the end of the body");
  });
});
