/** Steps of tables that are too large to be drawn to their ends. */
import "../../src/runtimes/node.ts";
import { expect, it } from "vitest";
import type { Body, Operation } from "../../playground/request/request.ts";
import { computeResults } from "../../playground/request/results.ts";
import type { CellRef, Step } from "../../playground/steps/step.ts";
import { lineageOf } from "../../playground/steps/step.ts";
import { stepsOf } from "../../playground/steps/steps.ts";
import type { Nested } from "../../playground/tensors/slices.ts";

function stepsFor(operation: Operation, body: Body): Step[] {
  const { input, target } = body as { input: Nested; target: Nested | undefined };
  return stepsOf(computeResults({ operation, body, input, target, classNames: [], threeWays: false }));
}

const stepOf = (steps: readonly Step[], id: string): Step => steps.find((step) => step.id === id)!;

const zeros = (rows: number, columns: number): number[][] =>
  Array.from({ length: rows }, () => new Array<number>(columns).fill(0));

it.each([
  ["each row of 2 × 40", zeros(2, 40), 1, "rows", [1, 0]],
  ["each column of 40 × 2", zeros(40, 2), 0, "columns", [0, 1]],
  ["each row of 2 × 3 × 40", [zeros(3, 40), zeros(3, 40)], 2, "rows", [1, 2, 0]],
] as const)("the probabilities of %s add up to 1", (_name, input, dim, of, at) => {
  const { sums } = stepOf(stepsFor("log_softmax", { input, dim }), "softmax");
  expect(sums!.of).toBe(of);
  expect(sums!.sumAt(at)).toBeCloseTo(1, 6);
});

it("explains the loss, with its z-loss, of a row of 128,256 classes", () => {
  const body = { input: zeros(1, 128_256), target: [0], lse_square_scale: 0.01 };
  const explained = stepOf(stepsFor("cross_entropy", body), "losses").explain([0]);
  expect(explained).toMatch(/^loss\[0\] = −\(−11\.76\) \+ 0\.01 × 11\.76² = 13\.15: /);
});

/** The cells of each step that a cell comes from. */
function countsOf(steps: readonly Step[], cell: CellRef): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { step } of lineageOf(steps, cell)) counts[step] = (counts[step] ?? 0) + 1;
  return counts;
}

/** Class indices, one for each row. */
const indices = (rows: number, index: number): number[] => new Array<number>(rows).fill(index);

it.each<[string, Operation, Body, Record<string, number>]>([
  [
    "100 × 100 scores",
    "cross_entropy",
    { input: zeros(100, 100), target: indices(100, 5) },
    { result: 1, losses: 32, log: 32, softmax: 32, input: 32 * 32 },
  ],
  [
    "100 × 100 scores, whose targets are not drawn",
    "cross_entropy",
    { input: zeros(100, 100), target: indices(100, 99) },
    { result: 1, losses: 32, log: 32, softmax: 32, input: 32 * 32 },
  ],
  [
    "100 × 100 scores and probabilities",
    "cross_entropy",
    { input: zeros(100, 100), target: Array.from({ length: 100 }, () => indices(100, 0.01)) },
    { result: 1, losses: 32, log: 32 * 32, softmax: 32 * 32, input: 32 * 32 },
  ],
  [
    "100 × 100 scores in kl_div",
    "kl_div",
    { input: zeros(100, 100), target: zeros(100, 100), from_logits: true },
    { result: 1, losses: 32 * 32, input: 32 * 32, target: 32 * 32 },
  ],
])("the loss of %s is followed to the cells that are drawn", (_name, operation, body, counts) => {
  expect(countsOf(stepsFor(operation, body), { step: "result", at: [] })).toEqual(counts);
});

it("explains the mean of 200,000 losses by the first 8", () => {
  const input = zeros(200_000, 2);
  const explained = stepOf(
    stepsFor("cross_entropy", { input, target: indices(200_000, 0) }),
    "result",
  ).explain([]);
  const sum = new Array(8).fill("0.6931").join(" + ");
  expect(explained).toBe(`loss = (${sum} + ...) / 200000 = 0.6931`);
});
