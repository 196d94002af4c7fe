/** null stands for a member that is not given, wherever one may be left out: on /v1, in a tensor, in a query string, on /v2. */
import { describe, expect, it } from "vitest";
import { OPERATIONS } from "../../../src/http/losses/operations.ts";
import { OPERANDS } from "../../../src/wire/operands.ts";
import { fileBegin } from "../../conformance/files.ts";
import { useService } from "../../support/service.ts";

const service = useService();

const INPUT = [
  [0.5, -0.5, 1],
  [2, 0, 1],
];
const FLAT = { shape: [2, 3], data: INPUT.flat() };

interface RequestSchema {
  readonly properties: Readonly<Record<string, unknown>>;
  readonly required: readonly string[];
}

describe.each(
  OPERATIONS.map(({ name, request }) => [`/v1/${name}`, request as unknown as RequestSchema] as const),
)("%s", (path, { properties, required }) => {
  const target = path.endsWith("kl_div") ? INPUT : [2, 0];
  const given = required.includes("target") ? { input: INPUT, target } : { input: INPUT };
  const optional = Object.keys(properties).filter((name) => !required.includes(name));
  const nulls = Object.fromEntries(optional.map((name) => [name, null]));

  it("takes null for each member that may be left out, alone and all at once, as not given", async () => {
    const plain = await service().post(path, given);
    expect(plain.status).toBe(200);
    for (const name of optional) {
      const answer = await service().post(path, { ...given, [name]: null });
      expect([name, answer.text]).toEqual([name, plain.text]);
    }
    expect((await service().post(path, { ...nulls, ...given })).text).toBe(plain.text);
  });

  it("takes them so in the parameters of an inference, format and non_finite aside, and in every other place of one", async () => {
    const { format: _format, non_finite: _style, ...options } = nulls;
    for (const name of OPERANDS) delete options[name];
    const tensor = (name: string, datatype: string, shape: number[], data: unknown) => ({
      name,
      datatype,
      shape,
      data,
    });
    const inputs = [tensor("input", "FP32", [2, 3], INPUT)];
    if (target === INPUT) inputs.push(tensor("target", "FP32", [2, 3], INPUT));
    else if ("target" in given) inputs.push(tensor("target", "INT64", [2], [2, 0]));
    const model = `/v2/models${path.slice("/v1".length)}/infer`;
    const plain = await service().post(model, { inputs });
    expect(plain.status).toBe(200);
    const { outputs } = plain.json as { outputs: { name: string }[] };
    const withNulls = {
      id: null,
      model_name: null,
      model_version: null,
      parameters: { ...options, binary_data_output: null, content_type: null, headers: null },
      inputs: inputs.map((input, at) => ({
        ...input,
        parameters: at === 0 ? null : { binary_data_size: null, content_type: null, headers: null },
      })),
      outputs: outputs.map(({ name }, at) => ({
        name,
        parameters: at === 0 ? null : { binary_data: null, content_type: null, headers: null },
      })),
    };
    expect((await service().post(model, withNulls)).text).toBe(plain.text);
    expect((await service().post(model, { inputs, outputs: null, parameters: null })).text).toBe(plain.text);
  });

  it("refuses null for a member that it needs, and for one that it does not know", async () => {
    for (const name of required) {
      const { json } = await service().post(path, { ...given, [name]: null });
      expect([json.code, json.errors[0].pointer]).toEqual(["invalid_request", `/${name}`]);
    }
    const { json } = await service().post(path, { ...given, weigth: null });
    expect(json.errors).toEqual([{ pointer: "/weigth", detail: expect.stringContaining("unknown field") }]);
  });
});

describe("a tensor object", () => {
  it("takes null for dtype, and for the one of data and base64 that is not there", async () => {
    const base64 = Buffer.from(Float32Array.from(FLAT.data).buffer).toString("base64");
    const answer = async (input: unknown) => {
      const { status, text } = await service().post("/v1/log_softmax", { input, dim: 1, format: "flat" });
      expect(status, text).toBe(200);
      return text;
    };
    const plain = await answer(FLAT);
    expect(await answer({ ...FLAT, dtype: null, base64: null })).toBe(plain);
    expect(await answer({ shape: [2, 3], dtype: null, data: null, base64 })).toBe(plain);
    expect(await answer({ base64, data: null, shape: [2, 3] })).toBe(plain);
  });

  it("refuses null for both of data and base64, and for shape", async () => {
    const refused = async (input: unknown) =>
      (await service().post("/v1/log_softmax", { input, dim: 1 })).json.errors[0];
    expect(await refused({ shape: [1], data: null, base64: null })).toEqual({
      pointer: "/input",
      detail: "expected exactly one of data and base64",
    });
    expect(await refused({ ...FLAT, shape: null })).toEqual({
      pointer: "/input/shape",
      detail: "expected a list",
    });
  });

  it("refuses null among its numbers, and says that NaN is written otherwise", async () => {
    for (const input of [{ shape: [2], data: [1, null] }, [1, null]]) {
      const { status, json } = await service().post("/v1/log_softmax", { input, dim: 0 });
      expect([status, json.code]).toEqual([422, "invalid_element"]);
      expect(json.detail).toContain('got null; send NaN as "NaN"');
    }
  });
});

it("a safetensors request takes null in its query string for every option, and for a tensor that the file has not", async () => {
  const body = Buffer.concat([
    fileBegin({ input: { dtype: "F32", shape: [1, 1], data_offsets: [0, 4] } }),
    Buffer.alloc(4),
  ]);
  const query = "dim=null&dtype=null&return_grad=null&grad_output=null";
  const headers = { "content-type": "application/vnd.safetensors", accept: "application/json" };
  const answer = await service().send("POST", `/v1/log_softmax?${query}`, body, headers);
  expect([answer.status, answer.json.output]).toEqual([200, [[0]]]);
});

it("null for an option of one operation stays an unknown field of another, whichever is asked first", async () => {
  const body = '{"input": [[0, 0]], "target": [1], "label_smoothing": null}';
  for (const round of [1, 2]) {
    expect((await service().post("/v1/cross_entropy", body)).status, `round ${round}`).toBe(200);
    expect((await service().post("/v1/nll_loss", body)).json.detail).toMatch(
      /^\/label_smoothing: unknown field/,
    );
  }
});
