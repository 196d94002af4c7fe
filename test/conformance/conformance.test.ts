/**
 * PyTorch's answers through real HTTP, in each of the three forms of a tensor in JSON, in safetensors files, and as
 * inference requests.
 */
import { describe, expect, it } from "vitest";
import { useService } from "../support/service.ts";
import type { Case, CaseTensor } from "./case.ts";
import { requestOf, tensorsOf } from "./case.ts";
import { DECIDED_OTHERWISE, KNOWN_DTYPES, mismatch } from "./expected.ts";
import type { FileTensor } from "./files.ts";
import { base64Of, fileTensor, readTestFile, writeTestFile } from "./files.ts";
import { base64, elementsOf, flat, nested } from "./forms.ts";
import { inferenceCall, outputsOf } from "./inference.ts";
import { FILES, readCases } from "./read-cases.ts";

/** Cases with a number written as a JSON text, which a query string cannot tell from the number. */
const ASKS_WITH_TEXT = /^t2\/err\/.*[-/]text$/;

/** The plain build has kernels of its own, and the same bytes around them: there, one form reads, computes and prints. */
const IS_PLAIN = process.env.PLAIN_SIMD === "true";

const FORMS = IS_PLAIN ? { flat } : { flat, nested, base64 };
type TensorFormat = "flat" | "nested" | "base64";

/** Why a case cannot be asked in a form, if so. */
function notInForm(test: Case, form: TensorFormat): string | undefined {
  const tensors = tensorsOf(test);
  if (tensors.some(({ dtype }) => !KNOWN_DTYPES.has(dtype)) && !test.expect_error)
    return "its dtype is not in the contract";
  if (form !== "nested") return undefined;
  if (tensors.some(({ shape }) => shape.indexOf(0) >= 0 && shape.indexOf(0) < shape.length - 1)) {
    return "nested lists cannot say what stands behind a size of 0";
  }
  if (
    test.input.dtype !== "float32" ||
    tensors.some((tensor) => !isIndices(test, tensor) && tensor.dtype !== "float32")
  ) {
    return "nested lists carry no dtype: float32 only";
  }
  if (test.index !== undefined && test.index.dtype !== "int64") return "nested lists carry no dtype";
  const isSparse = test.target_weight !== undefined;
  const expected =
    test.target !== undefined && sameShape(test.target, test.input) && !isSparse ? "float32" : "int64";
  if (test.target !== undefined && test.target.dtype !== expected) return "nested lists carry no dtype";
  return undefined;
}

function isIndices(test: Case, tensor: CaseTensor): boolean {
  return tensor === test.target || tensor === test.index;
}

function sameShape(a: CaseTensor, b: CaseTensor): boolean {
  return a.shape.join() === b.shape.join();
}

for (const file of FILES) {
  const cases = readCases(file);
  for (const [form, write] of Object.entries(FORMS) as [TensorFormat, (tensor: CaseTensor) => unknown][]) {
    describe(`${file} in ${form} form`, () => {
      const service = useService();
      const asked = cases.filter(
        (test) => DECIDED_OTHERWISE[test.id] === undefined && notInForm(test, form) === undefined,
      );

      it.each(asked.map((test) => [test.id, test] as const))("%s", async (_id, test) => {
        const answer = await service().post(`/v1/${test.op}`, requestOf(test, write));
        expectAnswer(test, answer.status, answer.text, answer.json);
      });
    });
  }

  if (IS_PLAIN) continue;
  for (const inputLast of file === "kl-div-cases.jsonl" ? [false, true] : [false]) {
    describe(`${file} in safetensors files${inputLast ? " that stream" : ""}`, () => {
      const service = useService();
      const asked = cases.filter(
        (test) =>
          DECIDED_OTHERWISE[test.id] === undefined &&
          !notInForm(test, "flat") &&
          !ASKS_WITH_TEXT.test(test.id),
      );

      it.each(asked.map((test) => [test.id, test] as const))("%s", async (_id, test) => {
        const { path, body } = fileRequestOf(test, inputLast);
        const answer = await service().send("POST", path, body, {
          "content-type": "application/vnd.safetensors",
        });
        const { tensors } = answer.status === 200 ? readTestFile(answer.bytes) : { tensors: {} };
        const members = Object.entries<FileTensor>(tensors).map(([name, tensor]) => [name, base64Of(tensor)]);
        expectAnswer(test, answer.status, answer.text, Object.fromEntries(members));
      });
    });
  }
}

for (const file of IS_PLAIN ? [] : FILES) {
  for (const binary of [false, true]) {
    describe(`${file} as inference requests with ${binary ? "bytes" : "JSON"}`, () => {
      const service = useService();
      const asked = readCases(file).filter(
        (test) => DECIDED_OTHERWISE[test.id] === undefined && !notInForm(test, "flat"),
      );

      it.each(asked.map((test) => [test.id, test] as const))("%s", async (_id, test) => {
        const { headers, body } = inferenceCall(
          requestOf(test, (tensor) => tensor),
          binary,
        );
        const answer = await service().send("POST", `/v2/models/${test.op}/infer`, body, headers);
        const members = answer.status === 200 ? outputsOf(answer.bytes, answer.headers) : {};
        expectAnswer(test, answer.status, answer.text, members);
      });
    });
  }
}

/** The tensors of a case as a file, in the usual order or with the input last, and its options as a query string. */
function fileRequestOf(test: Case, inputLast: boolean): { path: string; body: Buffer } {
  const fields = requestOf(test, fileTensor) as Record<string, unknown>;
  const tensors: Record<string, FileTensor> = {};
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    if (value !== null && typeof value === "object") tensors[name] = value as FileTensor;
    else query.set(name, String(value));
  }
  const { input, ...others } = tensors;
  const body = inputLast
    ? writeTestFile({ ...others, input: input! }, { asTheyStand: true })
    : writeTestFile(tensors);
  return { path: `/v1/${test.op}?${query}`, body };
}

function expectAnswer(test: Case, status: number, text: string, members: Record<string, unknown>): void {
  if (test.expect_error) {
    expect(status, text).toBe(422);
    return;
  }
  expect(status, text).toBe(200);
  const failures = Object.entries(test.expect!).map(([name, want]) => {
    const got = name === "output" ? (members.output ?? members.losses ?? members.loss) : members[name];
    return mismatch(test, name, got === undefined ? undefined : elementsOf(got), want);
  });
  expect(failures.filter(Boolean)).toEqual([]);
}

it("every case that is decided otherwise exists and has a reason", () => {
  const ids = new Set(readCases("torch-cases.jsonl").map(({ id }) => id));
  for (const [id, reason] of Object.entries(DECIDED_OTHERWISE)) {
    expect(ids).toContain(id);
    expect(reason).not.toBe("");
  }
});
