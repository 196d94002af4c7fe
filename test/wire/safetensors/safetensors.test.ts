/** The header of a safetensors file: what the reference implementation writes is read, what we write it reads, the rest is refused. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ProblemCode } from "../../../src/problems.ts";
import { PROBLEMS, Problem } from "../../../src/problems.ts";
import type { DType } from "../../../src/tensor/dtype.ts";
import { DTYPES } from "../../../src/tensor/dtype.ts";
import type { Entry, Header, TensorInfo } from "../../../src/wire/safetensors/header.ts";
import {
  checkDataBytes,
  MAX_HEADER_BYTES,
  readHeader,
  readHeaderLength,
  writeHeader,
} from "../../../src/wire/safetensors/header.ts";

const FILES: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(join(import.meta.dirname, "files.json"), "utf8"),
);

function refusal(work: () => unknown): Problem {
  try {
    work();
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

const read = (json: string | Uint8Array, dataBytes?: number): Header =>
  readHeader(typeof json === "string" ? Buffer.from(json) : json, dataBytes);

/** What a whole file says. */
function readFile(file: Uint8Array): Header {
  const length = readHeaderLength(file.subarray(0, 8), file.length);
  return readHeader(file.subarray(8, 8 + length), file.length - 8 - length);
}

function prefix(length: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(length);
  return bytes;
}

const tensor = (name: string, dtype: DType, shape: readonly number[], begin: number, end: number): Entry => ({
  name,
  dtype,
  shape,
  begin,
  end,
});

const ONE = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}';

describe("a file of the reference implementation", () => {
  it.each<[string, Entry[]]>([
    ["nothing", []],
    [
      "a loss",
      [
        tensor("target", "int64", [2], 0, 16),
        tensor("input", "float32", [2, 3], 16, 40),
        tensor("weight", "float32", [3], 40, 52),
      ],
    ],
    ["metadata", [tensor("input", "float64", [2, 3], 0, 48)]],
    ["float16", [tensor("input", "float16", [2, 3], 0, 12)]],
    ["bfloat16", [tensor("input", "bfloat16", [3], 0, 6)]],
    ["small integers", [tensor("a", "int32", [2], 0, 8), tensor("b", "uint8", [3], 8, 11)]],
    ["no elements", [tensor("a", "float32", [2, 0], 0, 0), tensor("b", "float32", [0, 3], 0, 0)]],
    [
      "some elements between none",
      [tensor("a", "int64", [0], 0, 0), tensor("b", "int32", [2], 0, 8), tensor("c", "uint8", [1, 0], 8, 8)],
    ],
    ["a number", [tensor("", "float32", [], 0, 4)]],
    ["8 dimensions", [tensor("input", "float32", [1, 1, 1, 2, 1, 1, 1, 1], 0, 8)]],
    [
      "odd names",
      ["10", "9", "__proto__", "a/b~c", "constructor"].map((name, at) =>
        tensor(name, "uint8", [1], at, at + 1),
      ),
    ],
  ])("with %s is read, and written byte for byte", (name, entries) => {
    const file = Buffer.from(FILES[name]!, "base64");
    const header = readFile(file);
    expect(header.entries).toEqual(entries);
    expect(header.dataBytes).toBe(entries.at(-1)?.end ?? 0);
    expect(header.metadata).toEqual(name === "metadata" ? { 'é"\\\n\u0001/': "π 𝄞" } : {});
    const written = writeHeader(header.entries, header.metadata);
    expect(written).toEqual(file.subarray(0, written.length));
    expect(written.length).toBe(file.length - header.dataBytes);
  });

  it("is here for every case", () => {
    expect(Object.keys(FILES)).toHaveLength(11);
  });
});

const hasPackage = spawnSync("python3", ["-c", "import safetensors, numpy"]).status === 0;

describe("the reference implementation, where Python has it", () => {
  it.skipIf(!hasPackage)("reads the files that we write", () => {
    const folder = mkdtempSync(join(tmpdir(), "lossd-"));
    try {
      const tensors: TensorInfo[] = Object.keys(DTYPES).map((dtype, at) => ({
        name: ["a", "é", "10", "9", "__proto__", "x/y", 'q"\\'][at]!,
        dtype: dtype as DType,
        shape: [[2, 3], [], [0, 4], [5], [1, 1, 1, 1, 1, 1, 1, 2], [3], [7]][at]!,
      }));
      const metadata = { format: "lossd", 'é"\\\n\u0001': "π 𝄞", "": "" };
      const start = writeHeader(tensors, metadata);
      const { entries, dataBytes } = readHeader(start.subarray(8), undefined);
      const data = Buffer.from(Array.from({ length: dataBytes }, (_, at) => (at * 37) % 251));
      const path = join(folder, "file.safetensors");
      writeFileSync(path, Buffer.concat([start, data]));
      const script = join(import.meta.dirname, "files.py");
      const reading = JSON.parse(execFileSync("python3", [script, path], { encoding: "utf8" }));
      expect(reading.metadata).toEqual(metadata);
      expect(Object.keys(reading.tensors)).toHaveLength(tensors.length);
      const names = { float64: "F64", float32: "F32", float16: "F16", bfloat16: "BF16" } as const;
      const integers = { int64: "I64", int32: "I32", uint8: "U8" } as const;
      for (const { name, dtype, shape, begin, end } of entries) {
        expect(Object.getOwnPropertyDescriptor(reading.tensors, name)?.value).toEqual({
          dtype: { ...names, ...integers }[dtype],
          shape,
          data: Buffer.from(data.subarray(begin, end)).toString("hex"),
        });
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("the length of a header", () => {
  it.each([2n, 8n, BigInt(MAX_HEADER_BYTES)])("may be %s bytes", (length) => {
    expect(readHeaderLength(prefix(length), undefined)).toBe(Number(length));
    expect(readHeaderLength(prefix(length), Number(length) + 8)).toBe(Number(length));
  });

  it("is read from a view into a larger buffer", () => {
    const bytes = Buffer.concat([Buffer.from([255, 255, 255]), prefix(300n), Buffer.from([255])]);
    expect(readHeaderLength(bytes.subarray(3), undefined)).toBe(300);
  });

  it.each<[string, Uint8Array, number | undefined, ProblemCode]>([
    ["no bytes", Buffer.alloc(0), undefined, "malformed_safetensors"],
    ["7 bytes", Buffer.alloc(7), undefined, "malformed_safetensors"],
    ["a length of 0", prefix(0n), undefined, "malformed_safetensors"],
    ["a length of 1", prefix(1n), undefined, "malformed_safetensors"],
    ["JSON", Buffer.from('{"input":[1]}'), undefined, "malformed_safetensors"],
    ["a length beyond the format's", prefix(100_000_001n), undefined, "malformed_safetensors"],
    ["a length of 2^63", prefix(2n ** 63n), undefined, "malformed_safetensors"],
    ["the greatest length", prefix(2n ** 64n - 1n), 1000, "malformed_safetensors"],
    ["a length beyond the body", prefix(64n), 71, "malformed_safetensors"],
    ["a length beyond a body that has ended", prefix(64n), 8, "malformed_safetensors"],
    [
      "a length beyond our limit",
      prefix(BigInt(MAX_HEADER_BYTES) + 1n),
      undefined,
      "safetensors_header_too_large",
    ],
    ["the format's greatest length", prefix(100_000_000n), 1e9, "safetensors_header_too_large"],
    ["a length beyond our limit and the body", prefix(100_000_000n), 100, "safetensors_header_too_large"],
  ])("is refused for %s", (_name, bytes, bodyBytes, code) => {
    expect(refusal(() => readHeaderLength(bytes, bodyBytes)).code).toBe(code);
  });
});

const entry = (more: string): string => `{"a":{${more}}}`;
const shaped = (shape: string, offsets = "0,4", dtype = '"F32"'): string =>
  entry(`"dtype":${dtype},"shape":${shape},"data_offsets":[${offsets}]`);

/** Two tensors of 4 bytes at these offsets. */
const two = (a: string, b: string): string =>
  `{"a":{"dtype":"F32","shape":[1],"data_offsets":[${a}]},"b":{"dtype":"F32","shape":[1],"data_offsets":[${b}]}}`;

describe("a header", () => {
  it.each<[string, string | Uint8Array, RegExp]>([
    ["no bytes", "", /^byte 0 .*expected "\{", got the end$/],
    ["an end within", '{"a":{"dtype":"F3', /^byte 14 .*a terminated string/],
    ["an end before its brace", `{"a":${ONE}`, /^byte 53 .*"," or "\}", got the end$/],
    ["a space before its brace", " {}", /^byte 0 .*expected "\{", got " "$/],
    ["a byte-order mark", "\ufeff{}", /^byte 0 /],
    ["a list", "[]", /^byte 0 .*got "\["$/],
    ["a text", '"a"', /^byte 0 /],
    ["null", "null", /^byte 0 /],
    ["UTF-16", Buffer.from("{}", "utf16le"), /^byte 1 .*got "\\u0000"$/],
    ["a byte that is not UTF-8", Buffer.from('{"\xff":1}', "latin1"), /not UTF-8/],
    [
      "an overlong brace",
      Buffer.concat([Buffer.from("{"), Buffer.from([0xc1, 0xbd]), Buffer.from("}")]),
      /not UTF-8/,
    ],
    ["a second object", "{}{}", /^byte 2 .*expected spaces/],
    ["a line feed as padding", "{} \n", /^byte 3 /],
    ["a zero as padding", "{}\0", /^byte 2 /],
    ["a comma at its end", `{"a":${ONE},}`, /^byte 54 .*a name in quotes, got "\}"$/],
    ["a comma at its start", `{,"a":${ONE}}`, /^byte 1 /],
    ["two commas", `{"a":${ONE},,"b":${ONE}}`, /^byte 54 /],
    ["no colon", `{"é" ${ONE}}`, /^byte 6 .*expected ":"/],
    ["a name without quotes", `{a:${ONE}}`, /^byte 1 /],
    ["a name that is a number", `{1:${ONE}}`, /^byte 1 /],
    ["a name in single quotes", `{'a':${ONE}}`, /^byte 1 /],
    ["a control character in a name", `{"\n":${ONE}}`, /^byte 1 .*control/],
    ["an unknown escape", `{"\\x41":${ONE}}`, /^byte 1 .*escapes/],
    ["half an escape", '{"\\', /^byte 1 /],
    ["half a surrogate pair", `{"\\ud800":${ONE}}`, /^byte 1 /],
    ["a comment", `{/**/"a":${ONE}}`, /^byte 1 /],
    ["nothing where a tensor belongs", '{"a":}', /^byte 5 /],
    ["nothing where a size belongs", shaped("[1,]"), /^byte 31 .*an integer, got "\]"$/],
    ["a sign where a size belongs", shaped("[+1]"), /^byte 29 /],
    ["a list that a brace closes", shaped("[1}"), /^byte 30 .*"," or "\]"/],
    ["a NaN", '{"a":NaN}', /^byte 5 /],
  ])("is malformed with %s", (_name, json, message) => {
    const problem = refusal(() => read(json));
    expect(problem.message).toMatch(message);
    expect([problem.code, problem.errors]).toEqual(["malformed_safetensors", []]);
  });

  it.each<[string, string, ProblemCode, string]>([
    ["two faults, of which it names the first", `{"a":${ONE},"b":1,"a":1}`, "invalid_safetensors", "/b"],
    ["a name twice", `{"a":${ONE},"a":${ONE}}`, "duplicate_key", "/a"],
    ["a name twice, once with escapes", `{"a/":${ONE},"\\u0061\\/":${ONE}}`, "duplicate_key", "/a~1"],
    ["__proto__ twice", `{"__proto__":${ONE},"__proto__":${ONE}}`, "duplicate_key", "/__proto__"],
    ["__metadata__ twice", '{"__metadata__":{},"__metadata__":{}}', "duplicate_key", "/__metadata__"],
    ["dtype twice", entry('"dtype":"F32","dtype":"F32"'), "duplicate_key", "/a/dtype"],
    ["data_offsets twice", shaped("[1]", '0,4],"data_offsets":[0,4'), "duplicate_key", "/a/data_offsets"],
    [
      "a key of the metadata twice",
      '{"__metadata__":{"x~":"","y":"","x~":""}}',
      "duplicate_key",
      "/__metadata__/x~0",
    ],
    ["metadata that are a list", '{"__metadata__":[]}', "invalid_safetensors", "/__metadata__"],
    ["metadata that are a tensor", `{"__metadata__":${ONE}}`, "invalid_safetensors", "/__metadata__/shape"],
    ["a number in the metadata", '{"__metadata__":{"a":1}}', "invalid_safetensors", "/__metadata__/a"],
    ["null in the metadata", '{"__metadata__":{"a":null}}', "invalid_safetensors", "/__metadata__/a"],
    ["an object in the metadata", '{"__metadata__":{"a":{}}}', "invalid_safetensors", "/__metadata__/a"],
    ["a tensor that is a number", '{"a":1}', "invalid_safetensors", "/a"],
    ["a tensor that is null", '{"a":null}', "invalid_safetensors", "/a"],
    ["a tensor that is a text", '{"a/b":"F32"}', "invalid_safetensors", "/a~1b"],
    ["a tensor that is a list", '{"a":["F32",[1],[0,4]]}', "invalid_safetensors", "/a"],
    ["endless brackets", `{"a":${"[".repeat(1_000_000)}`, "invalid_safetensors", "/a"],
    ["endless braces", '{"a":'.repeat(200_000), "invalid_safetensors", "/a/a"],
    ["an empty tensor", '{"a":{}}', "invalid_safetensors", "/a"],
    ["no dtype", entry('"shape":[1],"data_offsets":[0,4]'), "invalid_safetensors", "/a"],
    ["no shape", entry('"dtype":"F32","data_offsets":[0,4]'), "invalid_safetensors", "/a"],
    ["no data_offsets", entry('"dtype":"F32","shape":[1]'), "invalid_safetensors", "/a"],
    [
      "another member",
      entry('"dtype":"F32","shape":[1],"data_offsets":[0,4],"x/":1'),
      "invalid_safetensors",
      "/a/x~1",
    ],
    ["a member __proto__", entry('"__proto__":{}'), "invalid_safetensors", "/a/__proto__"],
    ["a dtype that is a number", entry('"dtype":7'), "invalid_safetensors", "/a/dtype"],
    ["a shape that is a number", entry('"shape":7'), "invalid_safetensors", "/a/shape"],
    ["a shape that is an object", entry('"shape":{"0":1}'), "invalid_safetensors", "/a/shape"],
    ["9 dimensions", shaped("[1,1,1,1,1,1,1,1,1]"), "rank_too_high", "/a/shape"],
    ["endless dimensions", shaped(`[${"1,".repeat(400_000)}1]`), "rank_too_high", "/a/shape"],
    ["2^53 bytes", shaped("[1073741824,2097152]"), "shape_data_mismatch", "/a/shape"],
    [
      "2^53 bytes beside a size of 0",
      shaped("[4503599627370496,0]", "0,0"),
      "shape_data_mismatch",
      "/a/shape",
    ],
    [
      "bytes beyond doubles",
      shaped(`[${Array(8).fill(Number.MAX_SAFE_INTEGER).join()}]`),
      "shape_data_mismatch",
      "/a/shape",
    ],
    ["more elements than bytes", shaped("[2]"), "shape_data_mismatch", "/a/shape"],
    ["no elements but bytes", shaped("[0]"), "shape_data_mismatch", "/a/shape"],
    ["bytes of another dtype", shaped("[1]", "0,4", '"F64"'), "shape_data_mismatch", "/a/shape"],
    ["data_offsets that are null", entry('"data_offsets":null'), "invalid_safetensors", "/a/data_offsets"],
    ["no offsets", shaped("[1]", ""), "invalid_safetensors", "/a/data_offsets"],
    ["one offset", shaped("[1]", "4"), "invalid_safetensors", "/a/data_offsets"],
    ["three offsets", shaped("[1]", "0,4,4"), "invalid_safetensors", "/a/data_offsets"],
    ["an end before the begin", shaped("[1]", "4,0"), "invalid_safetensors", "/a/data_offsets"],
    ["a first tensor behind a hole", shaped("[1]", "4,8"), "invalid_safetensors", "/a/data_offsets"],
    ["a hole between tensors", two("0,4", "8,12"), "invalid_safetensors", "/b/data_offsets"],
    ["tensors that overlap", two("2,6", "0,4"), "invalid_safetensors", "/a/data_offsets"],
    ["tensors that share their data", two("0,4", "0,4"), "invalid_safetensors", "/b/data_offsets"],
    [
      "a tensor without data within another",
      `{"b":${ONE},"a":{"dtype":"U8","shape":[0],"data_offsets":[2,2]}}`,
      "invalid_safetensors",
      "/a/data_offsets",
    ],
    [
      "a tensor without data behind the end",
      '{"a":{"dtype":"U8","shape":[0],"data_offsets":[1,1]}}',
      "invalid_safetensors",
      "/a/data_offsets",
    ],
  ])("is refused with %s", (_name, json, code, pointer) => {
    const problem = refusal(() => read(json));
    expect([problem.code, problem.errors[0]?.pointer]).toEqual([code, pointer]);
  });

  it.each(
    [
      ...["-1", "-0", "1.0", "1e0", "1E2", "0.5", "-1.5", "01", "00", "0x1", "1_0", "1a"],
      ...["9007199254740992", "18446744073709551616", "1e400", "9".repeat(100_000)],
      ...['"1"', "null", "true", "[1]", "{}"],
    ].map((value) => [value.slice(0, 30), value]),
  )("takes no size and no offset that is %s", (_name, value) => {
    for (const [json, pointer] of [
      [shaped(`[1,${value}]`), "/a/shape/1"],
      [shaped("[1]", `0,${value}`), "/a/data_offsets/1"],
      [shaped("[1]", `${value},4`), "/a/data_offsets/0"],
    ] as const) {
      const problem = refusal(() => read(json));
      expect([problem.code, problem.errors[0]?.pointer]).toEqual(["invalid_safetensors", pointer]);
    }
  });

  it.each([
    ...["BOOL", "F4", "F6_E2M3", "F6_E3M2", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E5M2FNUZ", "F8_E4M3FNUZ"],
    ...["I8", "I16", "U16", "U32", "U64", "C64", "f32", "F32 ", "float32", "", "constructor", "__proto__"],
  ])("takes no dtype %j, and says which it takes", (dtype) => {
    const problem = refusal(() => read(shaped("[1]", "0,4", JSON.stringify(dtype))));
    expect([problem.code, problem.errors[0]?.pointer]).toEqual(["dtype_not_supported", "/a/dtype"]);
    expect(problem.message).toContain(`F64, F32, F16, BF16, I64, I32, U8, got ${dtype}`);
  });

  it("is refused where the body has more data than it says, or less", () => {
    const header = read(`{"a":${ONE}}`, 4);
    expect(header.dataBytes).toBe(4);
    checkDataBytes(header, 4);
    for (const [dataBytes, got] of [
      [0, "0"],
      [3, "3"],
      [5, "more"],
      [8, "more"],
    ] as const) {
      for (const work of [() => read(`{"a":${ONE}}`, dataBytes), () => checkDataBytes(header, dataBytes)]) {
        const problem = refusal(work);
        expect(problem.code).toBe("malformed_safetensors");
        expect(problem.message).toContain(`expected 4 bytes of tensors after the header, got ${got}`);
      }
    }
    expect(refusal(() => read("{}", 1)).code).toBe("malformed_safetensors");
  });

  it("repeats at most 64 characters of a name", () => {
    const long = "q".repeat(500);
    for (const json of [
      `{"${long}":1}`,
      `{"${long}":{"${long}":1}}`,
      `{"${long}":${ONE},"${long}":${ONE}}`,
      `{"__metadata__":{"${long}":1}}`,
      `{"${long}":{"dtype":"${long}"}}`,
      `{"${long}":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`,
    ]) {
      expect(refusal(() => read(json)).message).not.toContain("q".repeat(65));
    }
  });
});

describe("a header that is taken", () => {
  it("may have white space between its parts and spaces behind them", () => {
    const json = ` { "a"\t:\r\n${ONE.replaceAll(/([[\]{}:,])/g, " $1\n")} , "__metadata__" : { } }        `;
    expect(read(json.slice(1), 4).entries).toEqual([tensor("a", "float32", [1], 0, 4)]);
    expect(read("{ }", 0)).toEqual({ entries: [], metadata: {}, dataBytes: 0 });
  });

  it("may have null in the place of its metadata, as the reference implementation takes it, but no other word", () => {
    expect(read('{"__metadata__": null }', 0)).toEqual({ entries: [], metadata: {}, dataBytes: 0 });
    const { message } = refusal(() => read('{"__metadata__":nullx}'));
    expect(message).toMatch(/^byte 20 of the header: expected "," or "}"/);
  });

  it("may name its members in any order and with escapes", () => {
    const json = '{"\\u0061":{"data_offsets":[0,4],"sh\\u0061pe":[1],"dtype":"F\\u00332"}}';
    expect(read(json).entries).toEqual([tensor("a", "float32", [1], 0, 4)]);
  });

  it("gives its tensors in the order of their data, those without data in its own", () => {
    const names = (json: string): string[] => read(json).entries.map(({ name }) => name);
    const none = '{"dtype":"U8","shape":[0],"data_offsets":[4,4]}';
    expect(names(two("4,8", "0,4"))).toEqual(["b", "a"]);
    expect(names(`{"z":${none},"1":${ONE},"y":${none},"0":${none}}`)).toEqual(["1", "z", "y", "0"]);
    expect(names(`{"a":${ONE},"b":${none.replaceAll("4", "0")}}`)).toEqual(["b", "a"]);
  });

  it("may describe more bytes than there is memory, up to 2^53 - 1", () => {
    const most = Number.MAX_SAFE_INTEGER;
    expect(read(shaped(`[${most}]`, `0,${most}`, '"U8"'), most).dataBytes).toBe(most);
    expect(read(shaped("[65536,65536,1024]", "0,17592186044416")).dataBytes).toBe(2 ** 44);
  });

  it("changes no prototype, and its metadata have none", () => {
    const json = `{"__metadata__":{"__proto__":"a","constructor":"b"},"__proto__":${ONE}}`;
    const { entries, metadata } = read(json);
    expect(entries.map(({ name }) => name)).toEqual(["__proto__"]);
    expect(Object.entries(metadata)).toEqual([
      ["__proto__", "a"],
      ["constructor", "b"],
    ]);
    expect(Object.getPrototypeOf(metadata)).toBeNull();
    expect(read("{}").metadata.toString).toBeUndefined();
    expect(({} as { dtype?: unknown }).dtype).toBeUndefined();
  });

  it("may have the greatest length, in tensors or in metadata, and is read soon", () => {
    const tensors = Array.from({ length: 10_000 }, (_, at) => ({
      name: `layer.${at}.weight`,
      dtype: "float32" as const,
      shape: [2, 3],
    }));
    const many = writeHeader(tensors, {});
    expect(many.length).toBeLessThan(MAX_HEADER_BYTES);
    const notes = `{"__metadata__":{${Array.from({ length: 1000 }, (_, at) => `"${at}":""`).join()}}}`;
    const escapes = `{"__metadata__":{"a":"${'\\"'.repeat(500_000)}"}}`;
    const started = performance.now();
    expect(readFile(Buffer.concat([many, Buffer.alloc(240_000)])).entries).toHaveLength(10_000);
    expect(Object.keys(read(notes).metadata)).toHaveLength(1000);
    expect(read(escapes).metadata.a).toBe('"'.repeat(500_000));
    expect(refusal(() => read(`{"a":${" ".repeat(1_000_000)}`)).code).toBe("malformed_safetensors");
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

const text = fc.string({ unit: "binary", maxLength: 8 });
const info: fc.Arbitrary<TensorInfo> = fc.record({
  name: fc.oneof(text, fc.constantFrom("0", "12", "__proto__", "constructor", "toString")),
  dtype: fc.constantFrom(...(Object.keys(DTYPES) as DType[])),
  shape: fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 8 }),
});
const infos = fc
  .uniqueArray(info, { selector: ({ name }) => name, maxLength: 6 })
  .map((tensors) => tensors.filter(({ name }) => name !== "__metadata__"));
const notes = fc.dictionary(text, text, { maxKeys: 3 });

/** Fails where a header breaks a promise that its readers rely on. */
function expectSound({ entries, metadata, dataBytes }: Header, length: number): void {
  let at = 0;
  for (const { dtype, shape, begin, end } of entries) {
    expect(begin).toBe(at);
    expect(shape.length).toBeLessThanOrEqual(8);
    expect(shape.every((size) => Number.isSafeInteger(size) && size >= 0)).toBe(true);
    const bytes = shape.reduce((product, size) => product * BigInt(size), BigInt(DTYPES[dtype].bytes));
    expect(BigInt(end - begin)).toBe(bytes);
    at = end;
  }
  expect(dataBytes).toBe(at);
  expect(Number.isSafeInteger(at)).toBe(true);
  expect(new Set(entries.map(({ name }) => name)).size).toBe(entries.length);
  for (const value of Object.values(metadata)) expect(typeof value).toBe("string");
  expect(entries.length * 40).toBeLessThanOrEqual(length);
}

describe("headers at random", () => {
  it("are read as they were written, begin their data at a multiple of 8, and are JSON", () => {
    fc.assert(
      fc.property(infos, notes, (tensors, metadata) => {
        const start = writeHeader(tensors, metadata);
        expect(start.length % 8).toBe(0);
        const dataBytes = readHeader(start.subarray(8), undefined).dataBytes;
        const header = readHeader(start.subarray(8, 8 + readHeaderLength(start, undefined)), dataBytes);
        expect(header.entries.map(({ name, dtype, shape }) => ({ name, dtype, shape }))).toEqual(tensors);
        expect(Object.entries(header.metadata)).toEqual(Object.entries(metadata));
        expectSound(header, start.length);
        const json = JSON.parse(start.subarray(8).toString());
        expect(Object.keys(json).length).toBe(tensors.length + Number(Object.keys(metadata).length > 0));
      }),
      { numRuns: 1000, seed: 20 },
    );
  });

  it("have U+FFFD for what is no Unicode", () => {
    const start = writeHeader([{ name: "a\ud800", dtype: "uint8", shape: [0] }], { "\udc00": "\ud800b" });
    const { entries, metadata } = read(start.subarray(8), 0);
    expect(entries[0]!.name).toBe("a\ufffd");
    expect(Object.entries(metadata)).toEqual([["\ufffd", "\ufffdb"]]);
  });

  it("are read soundly or refused with a documented 4xx, for 100,000 mutations", () => {
    const random = mulberry(21);
    const files = Object.values(FILES).map((file) => Buffer.from(file, "base64"));
    const written = fc.sample(fc.tuple(infos, notes), { numRuns: 200, seed: 22 });
    const headers = [
      ...files.map((file) => file.subarray(8, 8 + Number(file.readBigUInt64LE()))),
      ...written.map(([tensors, metadata]) => writeHeader(tensors, metadata).subarray(8)),
    ];
    const codes = new Map<string, number>();
    for (let run = 0; run < 100_000; run++) {
      const isFile = run % 4 === 0;
      let bytes = isFile ? pick(files, random) : pick(headers, random);
      for (let count = 1 + below(3, random); count > 0; count--) bytes = mutate(bytes, random);
      const code = isFile ? outcomeOfFile(bytes) : outcome(bytes, undefined);
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    for (const code of codes.keys()) {
      if (code === "read") continue;
      const { status } = PROBLEMS[code as ProblemCode];
      expect(status >= 400 && status < 500, code).toBe(true);
    }
    // Both sides of every border were met.
    expect([...codes.keys()].sort()).toEqual([
      ...["dtype_not_supported", "duplicate_key", "invalid_safetensors", "malformed_safetensors"],
      ...["rank_too_high", "read", "safetensors_header_too_large", "shape_data_mismatch"],
    ]);
    expect(codes.get("read")).toBeGreaterThan(1000);
  }, 120_000);
});

/** "read", or the code of the refusal. What is read has to be sound, and JSON that says the same. */
function outcome(bytes: Buffer, dataBytes: number | undefined): string {
  let header: Header;
  try {
    header = readHeader(bytes, dataBytes);
  } catch (error) {
    if (error instanceof Problem) return error.code;
    throw error;
  }
  expectSound(header, bytes.length);
  const json: object = JSON.parse(bytes.toString());
  for (const { name, shape, begin, end } of header.entries) {
    const { value } = Object.getOwnPropertyDescriptor(json, name)!;
    expect([shape, [begin, end]]).toEqual([value.shape, value.data_offsets]);
  }
  return "read";
}

function outcomeOfFile(file: Buffer): string {
  try {
    const end = 8 + readHeaderLength(file, undefined);
    return outcome(file.subarray(8, end), Math.max(0, file.length - end));
  } catch (error) {
    if (error instanceof Problem) return error.code;
    throw error;
  }
}

function below(limit: number, random: () => number): number {
  return Math.floor(random() * limit);
}

function pick<Item>(items: ArrayLike<Item>, random: () => number): Item {
  return items[below(items.length, random)]!;
}

const INSERTED = '{}[]:,"\\ \n\t0123456789.eE+-nulltrueF64I8U_\0\x7f\xff';

function mutate(bytes: Buffer, random: () => number): Buffer {
  const at = below(bytes.length, random);
  const cut = (from: number, to: number, between: Uint8Array): Buffer =>
    Buffer.concat([bytes.subarray(0, from), between, bytes.subarray(to)]);
  const character = Buffer.from(pick(INSERTED, random), "latin1");
  switch (below(8, random)) {
    case 0:
      return cut(at, at + 1, Buffer.from([(bytes[at] ?? 0) ^ (1 << below(8, random))]));
    case 1:
      return bytes.subarray(0, at);
    case 2:
    case 3: {
      const digits = [...bytes.keys()].filter((place) => bytes[place]! >= 48 && bytes[place]! <= 57);
      const place = pick(digits, random) ?? 0;
      return cut(place, place + 1, Buffer.from(String(below(10, random))));
    }
    case 4:
      return cut(at, at, character);
    case 5:
      return cut(at, at + 1, character);
    case 6:
      return cut(at, at + 1 + below(8, random), Buffer.alloc(0));
    default:
      return cut(at, at, bytes.subarray(at, at + below(70, random)));
  }
}

/** Numbers from 0 to 1 that are the same in every run. */
function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
