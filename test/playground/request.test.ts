/** Options of the playground's requests, resolved like the API resolves them. */
import { expect, it } from "vitest";
import type { Operation } from "../../playground/request/request.ts";
import { classNamesOf, dimOf, reductionOf } from "../../playground/request/request.ts";
import { transformScore } from "../../playground/request/scores.ts";
import type { Nested } from "../../playground/tensors/slices.ts";
import { useService } from "../support/service.ts";

const service = useService();

it.each([
  [{}, "mean"],
  [{ reduction: "none" }, "none"],
  [{ reduction: "elementwise_mean" }, "mean"],
  [{ reduction: "none", size_average: false }, "sum"],
  [{ reduction: "sum", reduce: true }, "mean"],
  [{ size_average: true, reduce: false }, "none"],
])("%j reduces by %s, as the API does", async (words, reduction) => {
  const body = { input: [[1, 2]], target: [0], ...words };
  expect(reductionOf(words)).toBe(reduction);
  const { json } = await service().post("/v1/cross_entropy", body);
  const same = await service().post("/v1/cross_entropy", {
    ...body,
    size_average: null,
    reduce: null,
    reduction,
  });
  expect([json.loss, json.losses]).toEqual([same.json.loss, same.json.losses]);
});

it.each<[Operation, Nested, number | undefined, number]>([
  ["log_softmax", 1, undefined, 0],
  ["log_softmax", 1, -1, 0],
  ["log_softmax", [[[1, 2]]], undefined, 0],
  ["log_softmax", [[1, 2]], undefined, 1],
  ["cross_entropy", [1, 2], undefined, 0],
  ["cross_entropy", [[[1, 2]]], undefined, 1],
  ["cross_entropy", [[[1, 2]]], -1, 2],
  ["nll_loss", [[1, 2]], 0, 0],
  ["nll_loss", [[1, 2]], 7, 1],
])("%s of %j with dim %s has its classes in dimension %i", (operation, input, dim, expected) => {
  const request = {
    operation,
    body: { input, dim },
    input,
    target: undefined,
    classNames: [],
    threeWays: false,
  };
  expect(dimOf(request)).toBe(expected);
});

it.each([
  { softcap: 1.5 },
  { temperature: 0.3 },
  { softcap: 30, temperature: 2 },
  { softcap: 2, dtype: "float64" },
  { softcap: 2, dtype: "float16" },
  { temperature: 3, dtype: "bfloat16" },
])("transforms scores by %j as the server does", async (options) => {
  const row = [-40, -3.3, -0.1, 0, 0.2, 1.7, 25, "Infinity", "-Infinity"].slice(
    0,
    "softcap" in options ? 9 : 7,
  );
  const request = {
    operation: "cross_entropy",
    body: options,
    input: row,
    target: undefined,
    classNames: [],
    threeWays: false,
  } as const;
  // The loss of the smaller of two scores tells their difference.
  for (const score of row) {
    const target = Number(Number(score) > 0);
    const { dtype } = options as { dtype?: string };
    const body = { input: [score, 0], target, ...options, reduction: "sum" };
    const { json } = await service().post("/v1/cross_entropy", body);
    const same = [transformScore(request, Number(score)), 0];
    const plain = { input: same, target, reduction: "sum", ...(dtype && { dtype }) };
    const expected = await service().post("/v1/cross_entropy", plain);
    expect(Math.abs(json.loss - expected.json.loss)).toBeLessThanOrEqual(2e-7 * Math.abs(json.loss));
  }
});

it.each([
  ["cat,dog , a bird", ["cat", "dog", "a bird"]],
  ["cat,,bird", ["cat", "class 1", "bird"]],
  [" , ,bird", ["class 0", "class 1", "bird"]],
  ["cat,, ,", ["cat"]],
  [",", []],
  ["", []],
])("%j names the classes %j, each in its place", (text, names) => {
  expect(classNamesOf(text)).toEqual(names);
});
