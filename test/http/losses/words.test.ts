/** Refusals of usual mistakes say what was meant, and warnings why a mean divides by 0. */
import { expect, it } from "vitest";
import { useService } from "../../support/service.ts";

const service = useService();
const CE = "/v1/cross_entropy";
const NLL = "/v1/nll_loss";
const ONE = [[1, 2]];
const HALVES = { dtype: "bfloat16", shape: [2], data: [1, 1] };
const NUMBER = 'a number, "NaN", "Infinity" or "-Infinity"';
const INDEX = "a class index, an integer";
const EITHER = `${INDEX}, or a probability, a number`;

it.each([
  ["a class by its name", NLL, { input: ONE, target: ["cat"] }, `/target/0: expected ${INDEX}`],
  ["true as a class", NLL, { input: ONE, target: [true] }, `/target/0: expected ${INDEX}`],
  ["a name where probabilities fit", CE, { input: ONE, target: ["cat"] }, `/target/0: expected ${EITHER}`],
  [
    "a name in a flat target",
    CE,
    { input: ONE, target: { shape: [1], data: ["cat"] } },
    `/target/data/0: expected ${EITHER}`,
  ],
  ["a name among logits", CE, { input: [["cat"]], target: [0] }, `/input/0/0: expected ${NUMBER}`],
  [
    "-100 as uint8",
    NLL,
    { input: ONE, target: { dtype: "uint8", shape: [1], data: [-100] } },
    "/target/data/0: expected an integer that uint8 holds",
  ],
  [
    "2^53 + 2 as int64",
    NLL,
    { input: ONE, target: { dtype: "int64", shape: [1], data: [2 ** 53 + 2] } },
    "/target/data/0: expected an integer that int64 holds, up to 2^53",
  ],
  [
    "true among weights",
    NLL,
    { input: ONE, target: [0], weight: [true, 1] },
    `/weight/0: expected ${NUMBER}, got true; send 1, since no dtype is boolean`,
  ],
  [
    "a class alone for one row",
    CE,
    { input: ONE, target: 0 },
    "/target: Expected input batch_size (1) to match target batch_size (0). A target for one row is [0], a list of one class index, not 0",
  ],
  [
    "a list of one for a row alone",
    CE,
    { input: [1, 2], target: [0] },
    "/target: Expected target to be 0D when input is 1D, but got target.dim=1. One row of logits takes a class index alone, such as 0, not [0]",
  ],
  [
    "K classes for a row without their weights",
    CE,
    { input: [[1, 2, 3]], target: [[0, 2]] },
    "/target: 0D or 1D target tensor expected, multi-target not supported (got [1, 2]). K classes for each row are a sparse target, which cross_entropy takes with target_weight",
  ],
  [
    "a weight in the input's dtype beside another dtype",
    CE,
    {
      input: { dtype: "bfloat16", shape: [1, 2], data: [1, 2] },
      dtype: "float32",
      target: [0],
      weight: HALVES,
    },
    "/weight: expected scalar type Float but found BFloat16: weight must have the dtype of the loss, float32, which is the input's unless dtype is set",
  ],
  [
    "another number of rows",
    CE,
    { input: [[1], [2]], target: 0 },
    "/target: Expected input batch_size (2) to match target batch_size (0).",
  ],
])("%s", async (_title, path, body, detail) => {
  expect((await service().post(path, body)).json.detail).toBe(detail);
});

it.each([
  ["[]", 'byte 0: expected a JSON object, got "["'],
  ['"x"', 'byte 0: expected a JSON object, got "\\""'],
])("the body %s, which is JSON, is refused as no object", async (body, detail) => {
  const { json } = await service().post(CE, body);
  expect([json.code, json.title, json.detail]).toEqual([
    "malformed_json",
    "The body is not a JSON object",
    detail,
  ]);
});

it.each([
  ['{"input": [[1, 2]], "target": [0]}', true],
  ['\n  {"input": [[1, 2]], "target": [0]}', true],
  ["PK\u0003\u0004 some other file", false],
])("%j as safetensors: that it looks like JSON is said: %s", async (body, isSaid) => {
  const { json } = await service().send("POST", CE, body, { "content-type": "application/vnd.safetensors" });
  expect(json.code).toBe("malformed_safetensors");
  const hint = "; this looks like JSON; send it with Content-Type: application/json";
  expect(json.detail.endsWith(hint)).toBe(isSaid);
});

it.each([
  ["ignored class indices", { target: [-100] }, "every target equals ignore_index"],
  [
    "an ignored sparse target",
    { target: [[-100]], target_weight: [[1]] },
    "no position has a class other than ignore_index",
  ],
  [
    "a sparse target without classes",
    { target: { shape: [1, 0], data: [] }, target_weight: { shape: [1, 0], data: [] } },
    "no position has a class other than ignore_index",
  ],
  ["a weight of 0", { target: [0], weight: [0, 1] }, "the weights of the targets add up to 0"],
])("of the mean of %s", async (_title, body, reason) => {
  const input = "shape" in Object(body.target) ? { shape: [1, 2], data: [0, 1] } : [[0, 1]];
  const { json } = await service().post(CE, { input, ...body });
  expect(json.warnings).toEqual([`${reason}, so the mean divides by 0, as in PyTorch`]);
});

it.each([8, 136, 248])(
  "a safetensors file of a header of %i bytes as JSON gets its media type",
  async (length) => {
    const file = Buffer.concat([
      Buffer.from([length, 0, 0, 0, 0, 0, 0, 0]),
      Buffer.from("{}".padEnd(length)),
    ]);
    const { json } = await service().send("POST", CE, file, { "content-type": "application/json" });
    expect(json.code).toBe("malformed_json");
    expect(json.detail).toMatch(
      /; send a safetensors file with Content-Type: application\/vnd\.safetensors$/,
    );
  },
);

it("an inference request with binary data and no Inference-Header-Content-Length gets the header's name", async () => {
  const input = { name: "input", shape: [2], datatype: "FP32", parameters: { binary_data_size: 8 } };
  const text = JSON.stringify({ inputs: [input] });
  const body = Buffer.concat([Buffer.from(text), Buffer.alloc(8)]);
  const { json } = await service().send("POST", "/v2/models/log_softmax/infer", body, {});
  expect(json.error).toBe(
    `byte ${text.length}: expected the end of the body, got the byte 0x00; send the length of the JSON before binary data as Inference-Header-Content-Length`,
  );
});
