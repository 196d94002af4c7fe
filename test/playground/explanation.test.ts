/** Explanations in the playground. Evaluates the arithmetic between the equals signs and compares it with the printed number. */

import fc from "fast-check";
import { beforeAll, describe, expect, it, vi } from "vitest";
import type { Results } from "../../playground/api.ts";
import { fetchResults } from "../../playground/api.ts";
import { factor } from "../../playground/arithmetic.ts";
import { EXAMPLES } from "../../playground/examples.ts";
import type { Body, LossRequest, Operation } from "../../playground/request.ts";
import { reductionOf } from "../../playground/request.ts";
import type { Nested } from "../../playground/slices.ts";
import { elementAt, toNumber } from "../../playground/slices.ts";
import { stepsOf } from "../../playground/steps.ts";
import { useService } from "../support/service.ts";

const service = useService();
beforeAll(() => {
  vi.stubGlobal("document", { baseURI: `${service().url}/` });
});

const fetchFor = (operation: Operation, body: Body): Promise<Results> => {
  const request: LossRequest = {
    operation,
    body,
    input: body.input as Nested,
    target: body.target as Nested | undefined,
    threeWays: false,
  };
  return fetchResults(request, "", new AbortController().signal);
};

const NUMBER = /\d+(?:\.\d+)?(?:e[-+]?\d+)?/g;

function evaluate(arithmetic: string, change: (number: number, place: number) => number): number {
  // Exponentials beyond a double are shares nevertheless.
  const scores = [...arithmetic.matchAll(/exp\(([^)]*)\)/g)].map(([, score]) =>
    Number(score!.replace("−", "-")),
  );
  const most = scores.filter(Number.isFinite).reduce((one, other) => Math.max(one, other), -Infinity);
  const script = arithmetic
    .replaceAll(/exp\(([^)∞]*)\)/g, (_, score: string) => `exp(${score} − ${factor(most)})`)
    .replaceAll("−", "-")
    .replaceAll("×", "*")
    .replaceAll("∞", "Infinity")
    .replaceAll("exp", "Math.exp")
    .replaceAll(NUMBER, (number, place: number) => `(${change(Number(number), place)})`);
  expect(script).toMatch(/^(?:Math\.exp|Infinity|NaN|[-+*/() \d.e])*$/);
  return Function(`return ${script}`)() as number;
}

/** Relative errors of results that are rounded to these types. */
const ERRORS: Readonly<Record<string, number>> = { float16: 2 ** -11, bfloat16: 2 ** -8 };

/** Whether a sentence's arithmetic gives its number, as exactly as the four digits that are shown of each operand allow, and differences in three. */
function expectTrue(sentence: string, value: number): void {
  const [equation = "", words = ""] = sentence.split(": ");
  const [name, ...sides] = equation.split(" = ");
  if (name!.startsWith("input")) {
    const [whole] = sides[0]!.split(",");
    expect(toNumber(whole!.replaceAll("−", "-").replace("∞", "Infinity")), sentence).toBe(value + 0);
    return;
  }
  expect(name, sentence).toMatch(/^(?:softmax|log_softmax|loss|grad_input|grad_target)(?:\[[\d, ]+\])?$/);
  const shown = toNumber(sides.at(-1)!.replaceAll("−", "-").replace("∞", "Infinity"));
  expect(shown, sentence).toBe(Number.isFinite(value) ? Number(value.toPrecision(4)) : value);
  const [arithmetic] = sides.slice(0, -1);
  if (arithmetic === undefined || arithmetic.includes("...")) return;
  const got = evaluate(arithmetic, (number) => number);
  if (!Number.isFinite(value)) {
    expect(got, sentence).toBe(value);
    return;
  }
  const type = /rounded to (\w+)/.exec(words)?.[1] ?? "";
  if (/^(?:softmax|log_softmax|grad_input)/.test(name!) && words.indexOf("target's weight") < 0) {
    // The rounding error of a probability grows with the magnitude of its logarithm.
    const error =
      (ERRORS[type] ?? 0) * (name!.startsWith("softmax") ? Math.max(1, -Math.log(value + 1e-300)) : 1);
    expect(Math.abs(got - value), sentence).toBeLessThanOrEqual((2e-3 + 2 * error) * Math.abs(value) + 2e-7);
    return;
  }
  const blurred = Array.from({ length: 24 }, (_, k) =>
    evaluate(arithmetic, (number, place) => number * (1 + 5e-4 * Math.sin(7 * k + 13 * place))),
  );
  const blur = blurred.reduce((most, one) => Math.max(most, Math.abs(one - got)), 0);
  expect(Math.abs(got - value), sentence).toBeLessThanOrEqual(2 * blur + 5e-4 * Math.abs(value) + 1e-7);
}

/** Every cell of every step. */
function expectAllTrue(results: Results): void {
  const { request, logProbs, losses, gradInput, gradTarget } = results;
  const values: Record<string, (at: readonly number[]) => number> = {
    input: (at) => toNumber(elementAt(request.input, at)),
    softmax: (at) => Math.exp(toNumber(elementAt(logProbs, at))),
    log: (at) => toNumber(elementAt(logProbs, at)),
    losses: (at) => toNumber(elementAt(losses!, at)),
    gradient: (at) => toNumber(elementAt(gradInput!, at)),
    "gradient-target": (at) => toNumber(elementAt(gradTarget!, at)),
  };
  for (const { id, slices, explain } of stepsOf(results)) {
    for (const { rows } of slices.slices) {
      for (const { at } of rows.flatMap(({ cells }) => cells)) expectTrue(explain(at), values[id]!(at));
    }
  }
}

/** Nested lists of a shape. */
function fill(shape: readonly number[], next: () => number | string): Nested {
  const [size, ...rest] = shape;
  return size === undefined ? next() : Array.from({ length: size }, () => fill(rest, next));
}

const shapes = fc.constantFrom([3], [1, 2], [2, 3], [3, 5], [2, 3, 2], [1, 2, 2, 3]);
const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });

describe("every cell is explained by arithmetic that gives its number", () => {
  it.each(EXAMPLES.map((example) => [example.title, example] as const))("in %s", async (_title, example) => {
    const { operation, input, target, options } = example;
    expectAllTrue(
      await fetchFor(operation, {
        input,
        ...(target === undefined ? {} : { target }),
        return_grad: true,
        ...options,
      }),
    );
  });

  it("of losses, for every kind of target, weights, smoothing, ignored positions, reductions and upstream gradients", async () => {
    const options = fc.record({
      shape: shapes,
      seed: seeds,
      kind: fc.constantFrom("nll", "index", "probabilities"),
      weighted: fc.boolean(),
      smoothing: fc.constantFrom(0, 0, 0.1, 0.5, 1),
      reduction: fc.constantFrom("mean", "sum", "none"),
      legacy: fc.constantFrom(
        {},
        {},
        { reduce: false },
        { size_average: false },
        { size_average: true, reduce: true },
      ),
      upstream: fc.boolean(),
      infinite: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(
        options,
        async ({ shape, seed, kind, weighted, smoothing, reduction, legacy, upstream, infinite }) => {
          let state = seed;
          const random = (): number => {
            state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
            return state / 2 ** 32;
          };
          const round = (value: number): number => Math.round(value * 10) / 10;
          const dim = shape.length === 1 ? 0 : 1;
          const classes = shape[dim]!;
          const positions = shape.toSpliced(dim, 1);
          const input = fill(shape, () =>
            infinite && random() < 0.1 ? "-Infinity" : round(4 * random() - 2),
          );
          const target =
            kind === "probabilities"
              ? fill(shape, () => round(random()))
              : fill(positions, () => (random() < 0.2 ? -100 : Math.floor(random() * classes)));
          const words = { reduction, ...legacy };
          const body = {
            input,
            target,
            ...words,
            return_grad: true,
            ...(weighted && { weight: fill([classes], () => round(random() * 2)) }),
            ...(kind !== "nll" && { label_smoothing: smoothing }),
            ...(kind === "probabilities" && { return_grad_target: true }),
            ...((upstream || reductionOf(words) === "none") && {
              grad_output: fill(reductionOf(words) === "none" ? positions : [], () =>
                round(random() * 2 - 1),
              ),
            }),
          };
          expectAllTrue(await fetchFor(kind === "nll" ? "nll_loss" : "cross_entropy", body));
        },
      ),
      { numRuns: 300 },
    );
  }, 60_000);

  it("and not by arithmetic where the weights of all targets are 0", async () => {
    const body = { input: [[2, 1]], target: [0], weight: [0, 1], label_smoothing: 0.5, return_grad: true };
    const gradient = stepsOf(await fetchFor("cross_entropy", body)).at(-1)!;
    expect(gradient.explain([0, 1])).toBe(
      "grad_input[0, 1] = NaN: total_weight, by which it is divided, is 0",
    );
  });

  it("of large scores, for every dtype, where the server rounds them first", async () => {
    const offsets = fc.constantFrom(-1e4, 1e3, 1234.5, 1e4);
    const rows = fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: 2, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(offsets, rows, async (offset, row) => {
        const input = [row.map((score) => score + offset)];
        expectAllTrue(await fetchFor("cross_entropy", { input, target: [1], return_grad: true }));
        for (const dtype of ["float64", "float32", "float16", "bfloat16"])
          expectAllTrue(await fetchFor("log_softmax", { input, dim: 1, dtype }));
      }),
      { numRuns: 100 },
    );
  }, 60_000);

  it("and says what the server makes of a score first, and of what it has no share", async () => {
    const input = [[70000, 1]];
    const [scores, softmax, log] = stepsOf(
      await fetchFor("log_softmax", { input, dim: 1, dtype: "float16" }),
    );
    expect(scores!.explain([0, 0])).toBe("input[0, 0] = 70000, rounded to float16 ∞");
    expect(softmax!.explain([0, 1])).toBe("softmax[0, 1] = NaN: softmax of a line with ∞ is undefined");
    expect(log!.explain([0, 0])).toMatch(/^log_softmax\[0, 0\] = ∞ − NaN = NaN: .*, rounded to float16$/);
  });

  it("with the digits that a difference needs", async () => {
    const input = [[1234.5678, 1234.9, 0]];
    const [scores, , log] = stepsOf(await fetchFor("log_softmax", { input, dim: 1 }));
    expect(scores!.explain([0, 0])).toBe("input[0, 0] = 1234.5678");
    expect(log!.explain([0, 0])).toMatch(/= 1234\.568 − 1235\.441 = −0\.873: /);
  });

  it("with the weights of a gradient beside their shares", async () => {
    const body = { input: [[2, 1]], target: [0], weight: [3, 1], reduction: "sum", return_grad: true };
    const gradient = stepsOf(await fetchFor("cross_entropy", body)).at(-1)!;
    expect(gradient.explain([0, 0])).toBe(
      "grad_input[0, 0] = 0.73106 × 3 − 3 = −0.8068: softmax times the sum of share × weight, minus this class's share × weight",
    );
    const smoothed = { ...body, label_smoothing: 0.5 };
    expect(
      stepsOf(await fetchFor("cross_entropy", smoothed))
        .at(-1)!
        .explain([0, 0]),
    ).toMatch(/− 0\.75 × 3 = /);
  });

  it("of log_softmax, for every dim", async () => {
    for (const shape of [[], [4], [2, 3], [2, 3, 2]]) {
      for (const dim of [null, ...shape.keys(), -1]) {
        let at = 0;
        const next = (): number => (at++ % 5) - 1.5;
        const body = { input: fill(shape, next), dim, return_grad: true, grad_output: fill(shape, next) };
        expectAllTrue(await fetchFor("log_softmax", body));
      }
    }
  });
});

describe("tables", () => {
  it("mark what is picked: not an ignored target, and in the input of nll_loss", async () => {
    const marked = async (operation: Operation, body: Body, id: string): Promise<string[]> => {
      const steps = stepsOf(await fetchFor(operation, { ...body, return_grad: true }));
      const step = steps.find((one) => one.id === id)!;
      const cells = step.slices.slices.flatMap(({ rows }) => rows.flatMap((row) => row.cells));
      return cells.filter(({ at }) => step.isPicked?.(at)).map(({ at }) => at.join());
    };
    const input = [
      [1, 2, 3],
      [3, 2, 1],
    ];
    const ignoring = { input, target: [2, 1], ignore_index: 1 };
    expect(await marked("cross_entropy", ignoring, "softmax")).toEqual(["0,2"]);
    expect(await marked("cross_entropy", ignoring, "gradient")).toEqual(["0,2"]);
    expect(await marked("nll_loss", { input, target: [2, 1] }, "input")).toEqual(["0,2", "1,1"]);
    expect(
      await marked(
        "cross_entropy",
        {
          input,
          target: [
            [0, 1, 0],
            [0.5, 0.5, 0],
          ],
        },
        "log",
      ),
    ).toEqual(["0,1", "1,0", "1,1"]);
  });
});
