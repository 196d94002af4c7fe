/** How numbers that JSON has no literal for come in an answer: as the request's `non_finite` says. */
import { expect, it } from "vitest";
import { tensor, writeTestFile } from "../../conformance/files.ts";
import { useService } from "../../support/service.ts";

const service = useService();
const CE = "/v1/cross_entropy";
const MASKED = {
  input: [
    [0, 0],
    [1, "-Infinity"],
    [0, "NaN"],
  ],
  dim: 1,
};
const NOTHING = { input: [[0, 1]], target: [-100] };

const ask = async (path: string, body: unknown) => {
  const { status, json, text } = await service().post(path, body);
  expect(status, text).toBe(200);
  return json;
};

it.each([{}, { non_finite: "string" }])("strings are the default, and what %j gives", async (option) => {
  const { output } = await ask("/v1/log_softmax", { ...MASKED, ...option });
  expect(output.slice(1)).toEqual([
    [0, "-Infinity"],
    ["NaN", "NaN"],
  ]);
  expect((await ask(CE, { ...NOTHING, ...option })).loss).toBe("NaN");
});

it("non_finite null gives null for each of them, in nested lists, in data and in a loss, and numbers stay", async () => {
  const nested = await ask("/v1/log_softmax", { ...MASKED, non_finite: "null" });
  expect(nested.output).toEqual([
    [expect.closeTo(-Math.LN2, 6), expect.closeTo(-Math.LN2, 6)],
    [0, null],
    [null, null],
  ]);
  const flat = await ask("/v1/log_softmax", { ...MASKED, non_finite: "null", format: "flat" });
  expect(flat.output.data).toEqual(nested.output.flat());
  const { loss, total_weight: total } = await ask(CE, { ...NOTHING, non_finite: "null" });
  expect([loss, total]).toEqual([null, 0]);
});

it("non_finite null changes nothing in base64, which holds all of them", async () => {
  const bytes = { ...MASKED, format: "base64" };
  const { output } = await ask("/v1/log_softmax", { ...bytes, non_finite: "null" });
  expect(output).toEqual((await ask("/v1/log_softmax", bytes)).output);
});

it("non_finite=null of a query string is the word, where null is otherwise an option left out", async () => {
  const file = writeTestFile({
    input: tensor("float32", [1, 2], () => 0),
    target: tensor("int64", [1], () => -100),
  });
  const headers = { "content-type": "application/vnd.safetensors", accept: "application/json" };
  const send = (style: string) => service().send("POST", `${CE}?non_finite=${style}`, file, headers);
  expect((await send("null")).json.loss).toBeNull();
  expect((await send("string")).json.loss).toBe("NaN");
  expect((await send("zero")).json.errors[0].pointer).toBe("/non_finite");
});
