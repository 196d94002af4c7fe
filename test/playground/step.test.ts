/** The cells that a cell comes from, through all steps. */
import "../../src/runtimes/node.ts";
import { describe, expect, it } from "vitest";
import { EXAMPLES } from "../../playground/request/examples.ts";
import type { Body, Operation } from "../../playground/request/request.ts";
import { computeResults } from "../../playground/request/results.ts";
import type { Step } from "../../playground/steps/step.ts";
import { cellsOf, keyOf, lineageOf } from "../../playground/steps/step.ts";
import { stepsOf } from "../../playground/steps/steps.ts";
import type { Nested } from "../../playground/tensors/slices.ts";

function stepsFor(operation: Operation, body: Body): Step[] {
  const { input, target } = body as { input: Nested; target: Nested | undefined };
  return stepsOf(computeResults({ operation, body, input, target, classNames: [], threeWays: false }));
}

const lineage = (operation: Operation, body: Body, step: string, at: readonly number[]): string[] =>
  lineageOf(stepsFor(operation, body), { step, at }).map(keyOf).sort();

const INPUT = [
  [1, 2],
  [3, 4],
];

describe("a cell comes from", () => {
  it.each<[string, Operation, Body, string, number[], string[]]>([
    ["nothing, as a score", "cross_entropy", { target: [0, 1] }, "input", [0, 1], []],
    [
      "all scores of its row, as a probability",
      "cross_entropy",
      { target: [0, 1] },
      "softmax",
      [1, 0],
      ["input:1,0", "input:1,1"],
    ],
    [
      "the target's probability, as a loss",
      "cross_entropy",
      { target: [0, 1] },
      "losses",
      [1],
      ["input:1,0", "input:1,1", "log:1,1", "softmax:1,1"],
    ],
    ["nothing, as the loss of an ignored target", "cross_entropy", { target: [-100, 1] }, "losses", [0], []],
    [
      "its probability, as a gradient",
      "cross_entropy",
      { target: [0, 1], return_grad: true },
      "gradient",
      [0, 0],
      ["input:0,0", "input:0,1", "softmax:0,0"],
    ],
    [
      "the input at the target, as a loss of nll_loss",
      "nll_loss",
      { target: [0, 1] },
      "losses",
      [1],
      ["input:1,1"],
    ],
    [
      "all losses, as the loss",
      "nll_loss",
      { target: [0, 1] },
      "result",
      [],
      ["input:0,0", "input:1,1", "losses:0", "losses:1"],
    ],
    [
      "transformed scores, with a temperature",
      "log_softmax",
      { dim: 0, temperature: 2 },
      "log",
      [0, 1],
      ["input:0,1", "input:1,1", "softmax:0,1", "transformed:0,1", "transformed:1,1"],
    ],
    [
      "its two operands, in kl_div",
      "kl_div",
      { target: INPUT, log_target: true },
      "losses",
      [0, 1],
      ["input:0,1", "target:0,1"],
    ],
    [
      "the lines of both operands, in kl_div of scores",
      "kl_div",
      { target: INPUT, from_logits: true },
      "losses",
      [0, 1],
      ["input:0,0", "input:0,1", "target:0,0", "target:0,1"],
    ],
    [
      "the scores of its row, as a prediction",
      "cross_entropy",
      { target: [0, 1], return_predictions: true },
      "predictions",
      [1],
      ["input:1,0", "input:1,1"],
    ],
  ])("%s", (_name, operation, body, step, at, cells) => {
    expect(lineage(operation, { input: INPUT, ...body }, step, at)).toEqual(
      [`${step}:${at.join()}`, ...cells].sort(),
    );
  });

  it.each(EXAMPLES.map((example) => [example.title, example] as const))(
    "cells that are drawn, and of its own row but for the one loss, in %s",
    (_title, { operation, input, target, options }) => {
      const steps = stepsFor(operation, {
        input,
        ...(target !== undefined && { target }),
        return_grad: true,
        ...options,
      });
      const cells = steps.flatMap(cellsOf);
      const drawn = new Set(cells.map(keyOf));
      for (const cell of cells) {
        const position = steps.find(({ id }) => id === cell.step)!.positionOf?.(cell.at);
        for (const source of lineageOf(steps, cell)) {
          expect(drawn, `${keyOf(cell)} from ${keyOf(source)}`).toContain(keyOf(source));
          const other = steps.find(({ id }) => id === source.step)!.positionOf?.(source.at);
          if (position !== undefined) expect(other, `${keyOf(cell)} from ${keyOf(source)}`).toEqual(position);
        }
      }
    },
  );
});

it("correct is 0 for an ignored target, and its step says by what its sum is divided for the accuracy", () => {
  const body = { input: INPUT, target: [1, -100], return_predictions: true, return_correct: true };
  const { note, slices } = stepsFor("cross_entropy", body).find(({ id }) => id === "correct")!;
  expect(slices.slices[0]!.rows.map(({ cells }) => cells[0]!.value)).toEqual([1, 0]);
  expect(note).toContain("divided by the number of targets that are not ignored");
});
