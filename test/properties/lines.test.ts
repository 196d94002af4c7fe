/** The results of each line against the whole output, the float64 judge and finite differences, in every dtype, over any dim. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LINE_RECORDS_BYTES } from "../../src/kernel/line-sums.ts";
import { PICKS_RECORD_BYTES } from "../../src/kernel/picks.ts";
import type { Step } from "../../src/kernel/step.ts";
import type { LogSoftmaxOptions } from "../../src/loss/log-softmax.ts";
import { planLogSoftmax } from "../../src/loss/log-softmax.ts";
import { computeWhole } from "../../src/loss/plan.ts";
import type { FloatDType } from "../../src/tensor/dtype.ts";
import { axisOf, elementCount } from "../../src/tensor/tensor.ts";
import { bytesOf, numbersOf } from "../conformance/forms.ts";
import { inRegion, kernel, place, read } from "../kernel/place.ts";
import { expectSame } from "../support/almost.ts";
import * as oracle from "../support/oracle.ts";
import { normals } from "../support/random.ts";

const DTYPES = ["float64", "float32", "float16", "bfloat16"] as const;
const TOLERANCE = { float64: 1e-12, float32: 3e-6, float16: 4e-3, bfloat16: 3e-2 } as const;
const SPECIAL = [Number.NaN, Infinity, -Infinity, 0, 3e38, -3e38, 1e4, -1e4];

interface Numbers {
  readonly shape: readonly number[];
  readonly data: readonly number[];
  readonly dtype?: string;
}

interface Question {
  readonly input: Numbers & { readonly dtype: FloatDType };
  readonly options: Omit<LogSoftmaxOptions, "index" | "gradOutput" | "gradLse" | "gradEntropy">;
  readonly index?: Numbers;
  readonly gradOutput?: Numbers;
  readonly gradLse?: Numbers;
  readonly gradEntropy?: Numbers;
  readonly budget?: number;
}

type Answer = Readonly<Record<string, number[] | undefined>>;

/** Runs steps of a budget to their end, and fails if one does not advance. */
function run(steps: readonly Step[], budget: number): void {
  for (const step of steps) {
    let calls = 0;
    while (!step(budget)) if (++calls > 5e6) throw new Error("the step never ends");
  }
}

function ask({ input, options, budget = 1 << 18, ...tensors }: Question): Answer {
  return inRegion((region) => {
    const put = (numbers: Numbers | undefined, dtype: string) =>
      numbers && place(region, (numbers.dtype ?? dtype) as FloatDType, numbers.shape, numbers.data);
    const plan = planLogSoftmax(put(input, input.dtype)!, {
      ...options,
      index: put(tensors.index, "int64"),
      gradOutput: put(tensors.gradOutput, input.dtype),
      gradLse: put(tensors.gradLse, input.dtype),
      gradEntropy: put(tensors.gradEntropy, input.dtype),
    });
    const { steps, result } = computeWhole(kernel, plan, region.alloc(plan.bytes));
    run(steps, budget);
    const { warnings: _, ...results } = result();
    const entries = Object.entries(results).map(([name, tensor]) => {
      const planned = plan.outputs.find((output) => output.name === name)!;
      expect({ dtype: tensor.dtype, shape: tensor.shape }, name).toEqual({
        dtype: planned.dtype,
        shape: planned.shape,
      });
      if (tensor.dtype !== "int64") return [name, read(tensor)];
      const from = tensor.address / 8;
      return [name, Array.from(kernel.i64.subarray(from, from + elementCount(tensor.shape)), Number)];
    });
    expect(entries.map(([name]) => name).sort()).toEqual(plan.outputs.map(({ name }) => name).sort());
    return Object.fromEntries(entries);
  });
}

/** Shapes with rows and columns, of one to several blocks of classes. */
const shaped: fc.Arbitrary<{ readonly shape: readonly number[]; readonly dim: number }> = fc.oneof(
  fc
    .array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 })
    .chain((shape) => fc.record({ shape: fc.constant(shape), dim: fc.nat(shape.length - 1) })),
  fc.record({
    shape: fc.constantFrom<(readonly number[])[]>(
      [3, 65],
      [2, 300],
      [9500, 3],
      [9300, 1],
      [5, 64],
      [1, 2049],
      [2, 4100],
      [1, 9001],
      [40, 70],
    ),
    dim: fc.constant(1),
  }),
  fc.record({
    shape: fc.constantFrom<(readonly number[])[]>(
      [2, 70, 5],
      [2, 5, 70],
      [1, 21, 17],
      [1, 2100, 3],
      [3, 2, 1100],
      [2, 33, 16],
      [1, 2, 9500],
    ),
    dim: fc.constant(1),
  }),
  fc.record({
    shape: fc.constantFrom<(readonly number[])[]>([70, 5], [2100, 2], [3, 1200]),
    dim: fc.constant(0),
  }),
);

const question = fc.record({
  shaped,
  seed: fc.nat(),
  scale: fc.constantFrom(0.01, 1, 8),
  special: fc.boolean(),
  /** Rounds logits, so that many are equal. */
  ties: fc.boolean(),
  /** Sorts logits, so that each class is a pick for a while. */
  rising: fc.boolean(),
  picks: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 10, max: 70 })),
  budget: fc.constantFrom(1, 7, 1000, 1 << 20),
  cast: fc.constantFrom(undefined, undefined, ...DTYPES),
});

function logits(asked: {
  shaped: { shape: readonly number[] };
  seed: number;
  scale: number;
  special: boolean;
  ties: boolean;
  rising: boolean;
}) {
  const { shape } = asked.shaped;
  const drawn = normals(elementCount(shape), asked.seed, asked.scale);
  const data = asked.ties ? drawn.map((value) => Math.round(value * 2) / 2) : drawn;
  if (asked.rising) data.sort((a, b) => a - b);
  if (asked.special)
    data.forEach((_, at) => {
      if ((at * 7919 + asked.seed) % 23 === 0) data[at] = SPECIAL[(at + asked.seed) % SPECIAL.length]!;
    });
  return data;
}

/** Elements of each line in row-major order of the lines, and the number of an element of a tensor with `size` per line. */
function linesOf(shape: readonly number[], dim: number) {
  const { outer, length, inner } = axisOf(shape, dim);
  return oracle.linesOf({ outer, classes: length, inner });
}

describe.each(DTYPES)("of %s", (dtype) => {
  it("values of an index have the bits of the whole output, in any division into steps", () => {
    fc.assert(
      fc.property(question, (asked) => {
        const { shape, dim } = asked.shaped;
        const input = { dtype, shape, data: logits(asked) };
        const options = { dim, dtype: asked.cast };
        const { output } = ask({ input, options });
        const sizes = shape.with(dim, asked.picks);
        const classes = shape[dim]!;
        const data = normals(elementCount(sizes), asked.seed + 5, 1).map(
          (value) => Math.floor(Math.abs(value) * 1e6) % classes,
        );
        const index = { shape: sizes, data, dtype: classes < 256 && asked.ties ? "uint8" : "int64" };
        const { values } = ask({ input, options, index, budget: asked.budget });
        const want = Array<number>(data.length).fill(0);
        const from = linesOf(sizes, dim);
        linesOf(shape, dim).forEach((line, p) => {
          for (const at of from[p]!) want[at] = output![line[data[at]!]!]!;
        });
        expectSame(values, want);
      }),
      { numRuns: 150 },
    );
  });

  it("the top k are the first k of the whole output in stable descending order, in any division into steps", () => {
    fc.assert(
      fc.property(question, fc.option(fc.nat(10_000), { freq: 1 }), (asked, many) => {
        const { shape, dim } = asked.shaped;
        const classes = shape[dim]!;
        const topK = Math.min(Math.max(many ?? asked.picks, 1), classes);
        const input = { dtype, shape, data: logits(asked) };
        const options = { dim, dtype: asked.cast };
        const { output } = ask({ input, options });
        const { values, indices } = ask({ input, options: { ...options, topK }, budget: asked.budget });
        const to = linesOf(shape.with(dim, topK), dim);
        const wantValues = Array<number>(elementCount(shape.with(dim, topK))).fill(0);
        const wantIndices = [...wantValues];
        linesOf(shape, dim).forEach((line, p) => {
          const best = line.map((at, c) => ({ value: output![at]!, c }));
          best.sort((a, b) => b.value - a.value || a.c - b.c);
          to[p]!.forEach((at, k) => {
            wantValues[at] = best[k]!.value;
            wantIndices[at] = best[k]!.c;
          });
        });
        expectSame(indices, wantIndices);
        expectSame(values, wantValues);
      }),
      { numRuns: 150 },
    );
  });

  const tolerance = TOLERANCE[dtype];

  it("logsumexp and entropy are the judge's, beside the output, an index or the top k", () => {
    fc.assert(
      fc.property(question, fc.constantFrom("output", "index", "topK"), (asked, kind) => {
        const { shape, dim } = asked.shaped;
        const input = { dtype, shape, data: logits({ ...asked, scale: Math.min(asked.scale, 1) }) };
        const options = { dim, returnLse: true, returnEntropy: true, topK: kind === "topK" ? 1 : undefined };
        const index = kind === "index" ? { shape: shape.with(dim, 0), data: [] } : undefined;
        const got = ask({ input, options, budget: asked.budget, ...(index && { index }) });
        const x = stored(dtype, input.data);
        const want = linesOf(shape, dim).map((line) => oracle.summaryOf(line.map((at) => x[at]!)));
        expectClose(
          got.lse!,
          want.map(({ lse }) => lse),
          tolerance,
        );
        expectClose(
          got.entropy!,
          want.map(({ entropy }) => entropy),
          tolerance,
        );
        if (kind === "output") expectSame(got.output, ask({ input, options: { dim } }).output!);
      }),
      { numRuns: 100 },
    );
  });

  it("the gradient is the judge's, of any upstream gradients together, in any division into steps", () => {
    fc.assert(
      fc.property(
        question,
        fc.constantFrom("output", "index", "topK"),
        fc.record({ first: fc.boolean(), lse: fc.boolean(), entropy: fc.boolean() }),
        (asked, kind, given) => {
          const { shape, dim } = asked.shaped;
          const classes = shape[dim]!;
          const { seed } = asked;
          const data = logits({ ...asked, special: false, scale: Math.min(asked.scale, 2) });
          const input = { dtype, shape, data };
          const picks = kind === "topK" ? Math.min(classes, asked.picks + 1) : asked.picks;
          const sizes = kind === "output" ? shape : shape.with(dim, picks);
          const line = shape.toSpliced(dim, 1);
          const first = given.first || !(given.lse || given.entropy);
          const of = (size: readonly number[], by: number) => ({
            shape: size,
            data: stored(dtype, normals(elementCount(size), seed + by, 1)),
          });
          const upstreams = {
            ...(first && { gradOutput: of(sizes, 1) }),
            ...(given.lse && { gradLse: of(line, 2) }),
            ...(given.entropy && { gradEntropy: of(line, 3) }),
          };
          const index = {
            shape: sizes,
            data: normals(elementCount(sizes), seed + 4, 1).map(
              (value) => Math.floor(Math.abs(value) * 1e6) % classes,
            ),
          };
          const got = ask({
            input,
            options: {
              dim,
              returnGrad: true,
              returnLse: given.lse || kind === "output",
              returnEntropy: given.entropy,
              topK: kind === "topK" ? picks : undefined,
            },
            budget: asked.budget,
            ...(kind === "index" && { index }),
            ...upstreams,
          });
          const x = stored(dtype, data);
          const chosen = linesOf(sizes, dim);
          const want = Array<number>(data.length).fill(0);
          linesOf(shape, dim).forEach((at, p) => {
            const g = at.map(() => 0);
            if (upstreams.gradOutput !== undefined) {
              chosen[p]!.forEach((pick, k) => {
                const c = kind === "output" ? k : kind === "index" ? index.data[pick]! : got.indices![pick]!;
                g[c] = g[c]! + upstreams.gradOutput!.data[pick]!;
              });
            }
            const dx = oracle.lineGradient(
              at.map((each) => x[each]!),
              {
                g,
                lse: upstreams.gradLse?.data[p] ?? 0,
                entropy: upstreams.gradEntropy?.data[p] ?? 0,
              },
            );
            at.forEach((each, c) => {
              want[each] = dx[c]!;
            });
          });
          expectClose(got.gradInput!, want, tolerance * 3);
        },
      ),
      { numRuns: 150 },
    );
  });
});

/** Numbers as a dtype stores them. */
function stored(dtype: FloatDType, data: readonly number[]): number[] {
  return numbersOf(dtype, bytesOf(dtype, data));
}

function expectClose(got: readonly number[], want: readonly number[], tolerance: number): void {
  expect(got.length).toBe(want.length);
  const scale = want.reduce(
    (most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most),
    1,
  );
  const at = want.findIndex((value, index) => {
    if (!Number.isFinite(value)) return !Object.is(got[index], value);
    return !(Math.abs(got[index]! - value) <= tolerance * Math.min(scale, Math.max(1, Math.abs(value)) * 4));
  });
  expect(at < 0 ? "close" : `[${at}] is ${got[at]}, not ${want[at]}`).toBe("close");
}

it("gradients in float64 are the central differences of their outputs, within 1e-6", () => {
  fc.assert(
    fc.property(question, fc.constantFrom("values", "lse", "entropy"), fc.nat(), (asked, output, chosen) => {
      const { shape, dim } = asked.shaped;
      const data = normals(elementCount(shape), asked.seed, 1);
      const name = ({ values: "gradOutput", lse: "gradLse", entropy: "gradEntropy" } as const)[output];
      const sizes = output === "values" ? shape.with(dim, 2) : shape.toSpliced(dim, 1);
      const classes = shape[dim]!;
      const g = normals(elementCount(sizes), asked.seed + 1, 1);
      const index = {
        shape: shape.with(dim, 2),
        data: normals((data.length / classes) * 2, asked.seed + 2, 1).map(
          (v) => Math.floor(Math.abs(v) * 1e6) % classes,
        ),
      };
      const value = (by: number, returnGrad = false) => {
        const moved = data.map((x, at) => (at === chosen % data.length ? x + by : x));
        return ask({
          input: { dtype: "float64", shape, data: moved },
          options: { dim, returnGrad, returnLse: output === "lse", returnEntropy: output === "entropy" },
          index,
          ...(returnGrad && { [name]: { shape: sizes, data: g } }),
        });
      };
      const total = (answer: Answer) => answer[output]!.reduce((sum, y, at) => sum + y * g[at]!, 0);
      const step = 1e-5;
      const difference = (total(value(step)) - total(value(-step))) / (2 * step);
      const got = value(0, true).gradInput![chosen % data.length]!;
      expect(Math.abs(got - difference)).toBeLessThanOrEqual(1e-6 * (1 + Math.abs(difference)));
    }),
    { numRuns: 100 },
  );
});

it("the records of the kernels have the planned sizes", () => {
  const { foldBytes, lineSumsBytes, picksBytes } = kernel.exports;
  expect(LINE_RECORDS_BYTES).toBe(2 * foldBytes + lineSumsBytes);
  expect(PICKS_RECORD_BYTES).toBe(picksBytes);
});
