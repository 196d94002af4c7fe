/**
 * PyTorch's answers through real HTTP, in each of the three forms of a tensor in JSON, in safetensors files, and as
 * inference requests.
 */
import { describe, expect, it } from "vitest";
import { chunked } from "../support/chunked.ts";
import type { Service } from "../support/service.ts";
import { useService } from "../support/service.ts";
import type { Case, CaseTensor } from "./case.ts";
import { requestOf, tensorsOf } from "./case.ts";
import { DECIDED_OTHERWISE, KNOWN_DTYPES, mismatch } from "./expected.ts";
import type { FileTensor } from "./files.ts";
import { base64Of, fileRequestOf, readTestFile } from "./files.ts";
import { base64, elementsOf, flat, nested } from "./forms.ts";
import { inferenceCall, outputsOf } from "./inference.ts";
import { FILES, readCases } from "./read-cases.ts";

/** Cases with a number written as a JSON text, which a query string cannot tell from the number. */
const ASKS_WITH_TEXT = /^t2\/err\/.*[-/]text$/;

/** The plain build has kernels of its own, and the same bytes around them: there, one form reads, computes and prints. */
const IS_PLAIN = process.env.PLAIN_SIMD === "true";

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

interface Reply {
  readonly status: number;
  readonly text: string;
  /** The results of a response with status 200. */
  readonly members: Record<string, unknown>;
}

/** A form of request and response, with the reason why it cannot carry a case, if so. */
interface Form {
  readonly name: string;
  readonly excludes: (test: Case) => string | boolean | undefined;
  readonly ask: (service: Service, test: Case) => Promise<Reply>;
}

function jsonForm(format: TensorFormat, write: (tensor: CaseTensor) => unknown): Form {
  return {
    name: `${format} form`,
    excludes: (test) => notInForm(test, format),
    ask: async (service, test) => {
      const { status, text, json } = await service.post(`/v1/${test.op}`, requestOf(test, write));
      return { status, text, members: json };
    },
  };
}

/** A file in one piece, or one that streams: chunked, with the input last. */
function fileForm(streams: boolean): Form {
  return {
    name: `a safetensors file${streams ? " that streams" : ""}`,
    excludes: (test) => notInForm(test, "flat") ?? ASKS_WITH_TEXT.test(test.id),
    ask: async (service, test) => {
      const { path, body } = fileRequestOf(test, { inputLast: streams });
      const headers = { "content-type": "application/vnd.safetensors" };
      const sent = streams ? chunked(body) : body;
      const { status, text, bytes } = await service.send("POST", path, sent, headers);
      const tensors = status === 200 ? readTestFile(bytes).tensors : {};
      const members = Object.entries<FileTensor>(tensors).map(([name, tensor]) => [name, base64Of(tensor)]);
      return { status, text, members: Object.fromEntries(members) };
    },
  };
}

function inferenceForm(binary: boolean): Form {
  return {
    name: `an inference request with ${binary ? "bytes" : "JSON"}`,
    excludes: (test) => notInForm(test, "flat"),
    ask: async (service, test) => {
      const fields = requestOf(test, (tensor) => tensor);
      const { headers, body } = inferenceCall(fields, binary);
      const answer = await service.send("POST", `/v2/models/${test.op}/infer`, body, headers);
      const { status, text, bytes } = answer;
      return { status, text, members: status === 200 ? outputsOf(bytes, answer.headers) : {} };
    },
  };
}

function formsOf(): Form[] {
  if (IS_PLAIN) return [jsonForm("flat", flat)];
  const json = [jsonForm("flat", flat), jsonForm("nested", nested), jsonForm("base64", base64)];
  return [...json, fileForm(false), fileForm(true), inferenceForm(false), inferenceForm(true)];
}

describe.each(FILES)("%s, in every form that carries the case", (file) => {
  const service = useService();
  const forms = formsOf();
  const cases = readCases(file)
    .filter(({ id }) => DECIDED_OTHERWISE[id] === undefined)
    .map((test) => [test.id, test, forms.filter(({ excludes }) => !excludes(test))] as const)
    .filter(([, , carriers]) => carriers.length > 0);

  // One test for all forms of a case, because a test of its own takes as long as a request.
  it.each(cases)("%s", async (_id, test, carriers) => {
    const faults: string[] = [];
    for (const { name, ask } of carriers)
      for (const fault of faultsOf(test, await ask(service(), test))) faults.push(`${name}: ${fault}`);
    expect(faults).toEqual([]);
  });
});

/** How a reply differs from PyTorch's results. */
function faultsOf(test: Case, { status, text, members }: Reply): string[] {
  const expected = test.expect_error ? 422 : 200;
  if (status !== expected) return [`status ${status}, expected ${expected}: ${text}`];
  if (test.expect_error) return [];
  return Object.entries(test.expect!).flatMap(([name, want]) => {
    const got = name === "output" ? (members.output ?? members.losses ?? members.loss) : members[name];
    return mismatch(test, name, got === undefined ? undefined : elementsOf(got), want) ?? [];
  });
}

it("every case that is decided otherwise exists and has a reason", () => {
  const ids = new Set(readCases("torch-cases.jsonl").map(({ id }) => id));
  for (const [id, reason] of Object.entries(DECIDED_OTHERWISE)) {
    expect(ids).toContain(id);
    expect(reason).not.toBe("");
  }
});
