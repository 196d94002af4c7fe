/** float16 and bfloat16 results in JSON: clients read doubles, so each number has the digits of the float32 of the same value. */
import { describe, expect, it } from "vitest";
import { fileTensor, writeTestFile } from "../../conformance/files.ts";
import { bytesOf, numbersOf } from "../../conformance/forms.ts";
import { useService } from "../../support/service.ts";

const service = useService();

/** The answers of nll_loss with one class and reduction none: the numbers of `input` with the other sign. */
const DOORS = {
  nested: (dtype: string, bytes: Buffer) => postBase64(dtype, bytes, "nested"),
  flat: (dtype: string, bytes: Buffer) => postBase64(dtype, bytes, "flat"),
  "JSON for a safetensors body": async (dtype: string, bytes: Buffer) => {
    const count = bytes.length / 2;
    const body = writeTestFile({
      input: { dtype, shape: [count, 1], bytes },
      target: fileTensor({ dtype: "int64", shape: [count], data: Array(count).fill(0) }),
    });
    const answer = await service().send("POST", "/v1/nll_loss?reduction=none", body, {
      "content-type": "application/vnd.safetensors",
      accept: "application/json",
    });
    expect(answer.status, answer.text).toBe(200);
    return answer.json.losses as unknown[];
  },
  "/v2": async (dtype: string, bytes: Buffer) => {
    const shape = [bytes.length / 2, 1];
    const datatype = dtype === "float16" ? "FP16" : "BF16";
    const input = { name: "input", shape, datatype, parameters: { binary_data_size: bytes.length } };
    const target = { name: "target", shape: [shape[0]], datatype: "INT64", data: Array(shape[0]).fill(0) };
    const json = Buffer.from(JSON.stringify({ inputs: [input, target], parameters: { reduction: "none" } }));
    const answer = await service().send("POST", "/v2/models/nll_loss/infer", Buffer.concat([json, bytes]), {
      "inference-header-content-length": String(json.length),
    });
    expect(answer.status, answer.text).toBe(200);
    const losses = answer.json.outputs.find(({ name }: { name: string }) => name === "losses");
    return losses.data as unknown[];
  },
};

async function postBase64(dtype: string, bytes: Buffer, format: "nested" | "flat"): Promise<unknown[]> {
  const count = bytes.length / 2;
  const answer = await service().post("/v1/nll_loss", {
    input: { dtype, shape: [count, 1], base64: bytes.toString("base64") },
    target: Array(count).fill(0),
    reduction: "none",
    format,
  });
  expect(answer.status, answer.text).toBe(200);
  return format === "nested" ? answer.json.losses : answer.json.losses.data;
}

const PATTERNS = Buffer.from(Uint16Array.from({ length: 65_536 }, (_, pattern) => pattern).buffer);

describe.each(Object.entries(DOORS))("%s", (_door, ask) => {
  it.each(["float16", "bfloat16"])(
    "writes all 65,536 %s so that JSON.parse, rounded to float32, is exactly the number",
    async (dtype) => {
      const exact = numbersOf(dtype, PATTERNS).map((value) => -value);
      const got = (await ask(dtype, PATTERNS)).map(Number);
      expect(got).toHaveLength(65_536);
      const at = exact.findIndex((value, pattern) => {
        const read = Math.fround(got[pattern]!);
        return Number.isNaN(value) ? !Number.isNaN(read) : read !== value;
      });
      expect(at < 0 ? "all" : `pattern ${at}: ${got[at]}, expected ${exact[at]}`).toBe("all");
    },
  );

  it("writes what has at most 9 significant digits as exactly itself: bfloat16 5504, 5.46875, 16,777,216", async () => {
    const values = [5504, 5.46875, 16_777_216, -255, 0.0078125, 1e30];
    const bytes = bytesOf("bfloat16", values);
    const exact = numbersOf("bfloat16", bytes).map((value) => -value);
    const short = exact.filter((value) => value === Number(value.toPrecision(9)));
    const got = await ask("bfloat16", bytes);
    expect(short).toHaveLength(5);
    expect(got).toEqual(expect.arrayContaining(short));
    const halves = [5504, 5.46875, 65_504, -2047, 0.000_030_517_578_125];
    expect(await ask("float16", bytesOf("float16", halves))).toEqual(
      halves.map((value) => (value === halves[4] ? -0.000_030_517_578 : -value)),
    );
  });
});

it("writes 0-dim results the same way: the sum of one bfloat16 is 5504, not 5500", async () => {
  const answer = await service().post("/v1/nll_loss", {
    input: { dtype: "bfloat16", shape: [1, 1], data: [-5504] },
    target: [0],
    reduction: "sum",
  });
  expect(answer.text).toContain('"loss":5504,');
});
