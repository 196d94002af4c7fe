/** PyTorch's cases through the library and through the server: the same bits. */
import * as lossd from "lossd";
import { expect, it } from "vitest";
import type { Case } from "../conformance/case.ts";
import { requestOf } from "../conformance/case.ts";
import type { FileTensor } from "../conformance/files.ts";
import { fileTensor, readTestFile, writeTestFile } from "../conformance/files.ts";
import { numbersOf } from "../conformance/forms.ts";
import { FILES, readCases } from "../conformance/read-cases.ts";
import { camelCase, elementsOf, isAsked, resultsOf, textOf } from "../runtimes/conformance.ts";
import { useService } from "../support/service.ts";

const service = useService();

/** The server's results, each a tensor. Undefined if it rejects the case. */
async function serverResults(test: Case): Promise<Readonly<Record<string, FileTensor>> | undefined> {
  const tensors: Record<string, FileTensor> = {};
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(requestOf(test, fileTensor))) {
    if (value !== null && typeof value === "object") tensors[name] = value as FileTensor;
    else query.set(name, String(value));
  }
  const headers = { "content-type": "application/vnd.safetensors" };
  const answer = await service().send("POST", `/v1/${test.op}?${query}`, writeTestFile(tensors), headers);
  return answer.status === 200 ? readTestFile(answer.bytes).tensors : undefined;
}

it.each(FILES)(
  "%s",
  async (file) => {
    const cases = readCases(file).filter((test) => isAsked(test) && test.expect !== undefined);
    expect(cases.length).toBeGreaterThan(100);
    for (const test of cases) {
      const tensors = await serverResults(test);
      const results = resultsOf(lossd, test);
      expect(tensors, test.id).toBeDefined();
      for (const [name, { dtype, bytes }] of Object.entries(tensors!)) {
        const got = textOf(elementsOf(results[camelCase(name)])!.data);
        expect(got, `${test.id}: ${name}`).toBe(textOf(numbersOf(dtype, bytes)));
      }
      expect(Object.keys(tensors!).map(camelCase).sort()).toEqual(
        Object.keys(results)
          .filter((name) => name !== "warnings")
          .sort(),
      );
    }
  },
  60_000,
);
