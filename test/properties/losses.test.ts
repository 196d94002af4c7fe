/** Properties that hold for every input, asked of the service over HTTP with random tensors. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { base64, elementsOf } from "../conformance/forms.ts";
import * as oracle from "../support/oracle.ts";
import { useService } from "../support/service.ts";

const service = useService();
const runs = { numRuns: 60 };

type Row = readonly number[];

const number = fc.double({ min: -30, max: 30, noNaN: true });

/** A batch of logits with a class index for each row. */
const batch = fc
  .tuple(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 12 }))
  .chain(([rows, classes]) =>
    fc.record({
      logits: fc.array(fc.array(number, { minLength: classes, maxLength: classes }), {
        minLength: rows,
        maxLength: rows,
      }),
      target: fc.array(fc.integer({ min: 0, max: classes - 1 }), { minLength: rows, maxLength: rows }),
    }),
  );

const float64 = (rows: readonly Row[]) => ({
  dtype: "float64",
  shape: [rows.length, rows[0]!.length],
  data: rows.flat(),
});

async function ask(op: string, body: unknown) {
  const answer = await service().post(`/v1/${op}`, body);
  expect(answer.status, answer.text).toBe(200);
  return answer.json;
}

function expectClose(got: readonly number[], want: readonly number[], tolerance = 1e-10): void {
  expect(got.length).toBe(want.length);
  got.forEach((value, at) => {
    expect(Math.abs(value - want[at]!), `[${at}] ${value} ${want[at]}`).toBeLessThanOrEqual(
      tolerance * (1 + Math.abs(want[at]!)),
    );
  });
}

describe("log_softmax in float64", () => {
  it("gives rows whose exponentials add up to 1, within 1e-12", () =>
    fc.assert(
      fc.asyncProperty(batch, async ({ logits }) => {
        const { output } = await ask("log_softmax", { input: float64(logits), dim: 1, format: "nested" });
        for (const row of output as number[][]) {
          expect(Math.abs(row.reduce((sum, value) => sum + Math.exp(value), 0) - 1)).toBeLessThan(1e-12);
        }
      }),
      runs,
    ));

  it("does not change when a constant is added to a row, within 1e-10", () =>
    fc.assert(
      fc.asyncProperty(batch, number, async ({ logits }, shift) => {
        const plain = await ask("log_softmax", { input: float64(logits), dim: -1 });
        const shifted = await ask("log_softmax", {
          input: float64(logits.map((row) => row.map((value) => value + shift))),
          dim: -1,
        });
        expectClose(elementsOf(shifted.output).data, elementsOf(plain.output).data);
      }),
      runs,
    ));

  it("over dim 0 is the transpose of the transpose over dim 1, bit for bit in value within 1e-14", () =>
    fc.assert(
      fc.asyncProperty(batch, async ({ logits }) => {
        const turned = logits[0]!.map((_, column) => logits.map((row) => row[column]!));
        const columns = await ask("log_softmax", { input: float64(logits), dim: 0, format: "nested" });
        const rows = await ask("log_softmax", { input: float64(turned), dim: 1, format: "nested" });
        const back = logits.map((_, row) => turned.map((_, column) => rows.output[column][row] as number));
        expectClose(columns.output.flat(), back.flat(), 1e-14);
      }),
      runs,
    ));
});

/** Options through which gradients go. */
const options = fc.constantFrom(
  {},
  { label_smoothing: 0.2 },
  { reduction: "mean", temperature: 0.5 },
  { softcap: 2 },
  { softcap: 1, temperature: 3, label_smoothing: 0.1 },
  { dim: -1, shift: 1 },
  { lse_square_scale: 0.05 },
  { lse_square_scale: 0.1, softcap: 3, temperature: 0.5, label_smoothing: 0.1, reduction: "mean" },
);

describe("cross_entropy in float64", () => {
  it("is log_softmax followed by nll_loss, gradient and all, within 1e-12", () =>
    fc.assert(
      fc.asyncProperty(batch, fc.constantFrom("mean", "sum"), async ({ logits, target }, reduction) => {
        const fused = await ask("cross_entropy", {
          input: float64(logits),
          target,
          reduction,
          return_grad: true,
        });
        const { output } = await ask("log_softmax", { input: float64(logits), dim: 1 });
        const nll = await ask("nll_loss", { input: output, target, reduction, return_grad: true });
        const back = await ask("log_softmax", {
          input: float64(logits),
          dim: 1,
          return_grad: true,
          grad_output: nll.grad_input,
        });
        expectClose([fused.loss], [nll.loss], 1e-12);
        expectClose(elementsOf(fused.grad_input).data, elementsOf(back.grad_input).data, 1e-12);
      }),
      runs,
    ));

  it("gives one-hot rows the loss and gradient of their indices, within 1e-12", () =>
    fc.assert(
      fc.asyncProperty(
        batch,
        fc.double({ min: 0, max: 1, noNaN: true }),
        async ({ logits, target }, label_smoothing) => {
          const hot = target.map((index) => logits[0]!.map((_, at) => Number(at === index)));
          const common = { input: float64(logits), label_smoothing, return_grad: true };
          const byIndex = await ask("cross_entropy", {
            ...common,
            target: { shape: [target.length], data: target },
          });
          const byRow = await ask("cross_entropy", { ...common, target: float64(hot) });
          expectClose([byRow.loss], [byIndex.loss], 1e-12);
          expectClose(elementsOf(byRow.grad_input).data, elementsOf(byIndex.grad_input).data, 1e-12);
        },
      ),
      runs,
    ));

  it("gives a batch the losses of its rows sent alone, bit for bit", () =>
    fc.assert(
      fc.asyncProperty(batch, async ({ logits, target }) => {
        const together = await ask("cross_entropy", {
          input: float64(logits),
          target: { shape: [target.length], data: target },
          reduction: "none",
        });
        const alone = await Promise.all(
          logits.map((row, at) =>
            ask("cross_entropy", {
              input: { dtype: "float64", shape: [row.length], data: row },
              target: { shape: [], data: [target[at]] },
            }),
          ),
        );
        // + 0: the sign of zero is not compared.
        expect(elementsOf(together.losses).data.map((loss) => loss + 0)).toEqual(
          alone.map(({ loss }) => loss + 0),
        );
      }),
      runs,
    ));

  it("combines the means of shards by total_weight into the mean of the whole, within 1e-12", () =>
    fc.assert(
      fc.asyncProperty(
        batch,
        fc.array(fc.double({ min: 0.1, max: 3, noNaN: true }), { minLength: 12, maxLength: 12 }),
        async ({ logits, target }, weights) => {
          const weight = {
            dtype: "float64",
            shape: [logits[0]!.length],
            data: weights.slice(0, logits[0]!.length),
          };
          const part = (from: number, to: number) =>
            ask("cross_entropy", {
              input: float64(logits.slice(from, to)),
              target: { shape: [to - from], data: target.slice(from, to) },
              weight,
            });
          const whole = await part(0, logits.length);
          const cut = Math.ceil(logits.length / 2);
          const shards = [
            await part(0, cut),
            ...(cut < logits.length ? [await part(cut, logits.length)] : []),
          ];
          const total = shards.reduce((sum, shard) => sum + shard.total_weight, 0);
          const mean = shards.reduce((sum, shard) => sum + shard.loss * shard.total_weight, 0) / total;
          expectClose([mean], [whole.loss], 1e-12);
        },
      ),
      runs,
    ));

  it("has the gradient of its central differences, within 1e-6", () =>
    fc.assert(
      fc.asyncProperty(batch, options, async ({ logits: wide, target }, some) => {
        const logits = wide.map((row) => row.map((value) => value / 10));
        const common = { target: { shape: [target.length], data: target }, reduction: "sum", ...some };
        const { grad_input } = await ask("cross_entropy", {
          ...common,
          input: float64(logits),
          return_grad: true,
        });
        const step = 1e-5;
        const at = (row: number, column: number, by: number) =>
          ask("cross_entropy", {
            ...common,
            input: float64(logits.map((r, i) => r.map((v, k) => (i === row && k === column ? v + by : v)))),
          });
        const [row, column] = [logits.length - 1, logits[0]!.length - 1];
        const difference =
          ((await at(row, column, step)).loss - (await at(row, column, -step)).loss) / (2 * step);
        expectClose([elementsOf(grad_input).data.at(-1)!], [difference], 1e-6);
      }),
      runs,
    ));
});

describe("sparse targets in float64", () => {
  const K = 2;
  const sparse = batch.chain((rows) =>
    fc.record({
      rows: fc.constant(rows),
      classes: fc.array(fc.integer({ min: 0, max: rows.logits[0]!.length - 1 }), {
        minLength: K * rows.logits.length,
        maxLength: K * rows.logits.length,
      }),
      weights: fc.array(fc.double({ min: 0, max: 2, noNaN: true }), {
        minLength: K * rows.logits.length,
        maxLength: K * rows.logits.length,
      }),
    }),
  );

  it("have the loss and gradient of the same probabilities, within 1e-12", () =>
    fc.assert(
      fc.asyncProperty(sparse, async ({ rows: { logits }, classes, weights }) => {
        const count = logits[0]!.length;
        const dense = logits.map((_, row) => {
          const probabilities: number[] = Array(count).fill(0);
          for (let k = 0; k < K; k++) {
            const at = row * K + k;
            probabilities[classes[at]!] = probabilities[classes[at]!]! + weights[at]!;
          }
          return probabilities;
        });
        const common = { input: float64(logits), return_grad: true };
        const bySparse = await ask("cross_entropy", {
          ...common,
          target: { shape: [logits.length, K], data: classes },
          target_weight: { dtype: "float64", shape: [logits.length, K], data: weights },
        });
        const byDense = await ask("cross_entropy", { ...common, target: float64(dense) });
        expect(bySparse.total_weight).toBe(logits.length);
        expectClose([bySparse.loss], [byDense.loss], 1e-12);
        expectClose(elementsOf(bySparse.grad_input).data, elementsOf(byDense.grad_input).data, 1e-12);
      }),
      runs,
    ));

  it("have the gradient of central differences in their weights and in the logits, within 1e-6", () =>
    fc.assert(
      fc.asyncProperty(sparse, async ({ rows, classes, weights }) => {
        const logits = rows.logits.map((row) => row.map((value) => value / 10));
        const samples = { dtype: "float64", shape: [logits.length], data: logits.map((_, at) => at + 0.5) };
        const asked = (x: readonly Row[], w: readonly number[], more = {}) =>
          ask("cross_entropy", {
            input: float64(x),
            target: { shape: [logits.length, K], data: classes },
            target_weight: { dtype: "float64", shape: [logits.length, K], data: w },
            sample_weight: samples,
            lse_square_scale: 0.02,
            ...more,
          });
        const more = { return_grad: true, return_grad_target_weight: true };
        const { grad_input, grad_target_weight } = await asked(logits, weights, more);
        const step = 1e-5;
        const weighted = (by: number) => asked(logits, weights.with(-1, weights.at(-1)! + by));
        const shifted = (by: number) =>
          asked(logits.with(-1, logits.at(-1)!.with(-1, logits.at(-1)!.at(-1)! + by)), weights);
        for (const [gradient, moved] of [
          [grad_target_weight, weighted],
          [grad_input, shifted],
        ] as const) {
          const difference = ((await moved(step)).loss - (await moved(-step)).loss) / (2 * step);
          expectClose([elementsOf(gradient).data.at(-1)!], [difference], 1e-6);
        }
      }),
      runs,
    ));
});

/** Two batches of logits of the same shape. */
const pair = batch.chain(({ logits }) => {
  const row = fc.array(number, { minLength: logits[0]!.length, maxLength: logits[0]!.length });
  return fc.record({
    x: fc.constant(logits),
    t: fc.array(row, { minLength: logits.length, maxLength: logits.length }),
  });
});

describe("kl_div in float64", () => {
  const soften = (rows: readonly Row[], by: number): number[][] =>
    rows.map((row) => row.map((value) => value / by));
  const layoutOf = (rows: readonly Row[]): oracle.Layout => ({
    outer: rows.length,
    classes: rows[0]!.length,
    inner: 1,
  });

  it("from logits is the oracle's, both gradients and all, within 1e-10, and never below -1e-12", () =>
    fc.assert(
      fc.asyncProperty(pair, fc.constantFrom(0.5, 1, 4), async ({ x, t }, temperature) => {
        const body = { input: float64(x), target: float64(t), from_logits: true, temperature };
        const grads = { return_grad: true, return_grad_target: true };
        const got = await ask("kl_div", { ...body, ...grads, reduction: "batchmean" });
        const g = x.flat().map(() => 1 / x.length);
        const want = oracle.klDivOfLogits(x.flat(), t.flat(), layoutOf(x), { temperature, g });
        const loss = want.losses.reduce((sum, value) => sum + value, 0) / x.length;
        expectClose([got.loss], [loss]);
        expect(got.loss).toBeGreaterThan(-1e-12);
        expectClose(elementsOf(got.grad_input).data, want.gradInput);
        expectClose(elementsOf(got.grad_target).data, want.gradTarget);
      }),
      runs,
    ));

  it("of a distribution with itself is 0 within 1e-12, and so is its gradient", () =>
    fc.assert(
      fc.asyncProperty(pair, async ({ x }) => {
        const body = { input: float64(x), target: float64(x), from_logits: true, reduction: "sum" };
        const { loss, grad_input } = await ask("kl_div", { ...body, return_grad: true });
        expectClose([loss, ...elementsOf(grad_input).data], [0, ...x.flat().map(() => 0)], 1e-12);
      }),
      runs,
    ));

  it("is cross_entropy of probabilities minus their entropy, within 1e-10", () =>
    fc.assert(
      fc.asyncProperty(pair, async ({ x, t }) => {
        const logs = oracle.logSoftmax(t.flat(), layoutOf(t));
        const p = { ...float64(t), data: logs.map(Math.exp) };
        const entropy = -logs.reduce((sum, log) => sum + Math.exp(log) * log, 0);
        const input = await ask("log_softmax", { input: float64(x), dim: 1, format: "flat" });
        const { loss } = await ask("kl_div", { input: input.output, target: p, reduction: "sum" });
        const cross = await ask("cross_entropy", { input: float64(x), target: p, reduction: "sum" });
        expectClose([loss], [cross.loss - entropy]);
      }),
      runs,
    ));

  it.each([
    ["probabilities", {}],
    ["log-probabilities", { log_target: true }],
    ["logits", { from_logits: true, temperature: 2.5 }],
    ["logits along dim 0", { from_logits: true, dim: 0 }],
  ])("has both gradients of its central differences, from %s, within 1e-6", (_kind, options) =>
    fc.assert(
      fc.asyncProperty(pair, fc.constantFrom("mean", "batchmean"), async (rows, reduction) => {
        const isLogits = "from_logits" in options;
        const x = soften(rows.x, 10).map((row) => row.map((value) => (isLogits ? value : value - 3)));
        const t = soften(rows.t, 10).map((row) =>
          row.map((value) => (Object.keys(options).length > 0 ? value : Math.exp(value) + 0.1)),
        );
        const common = { ...options, reduction };
        const lossOf = async (input: readonly Row[], target: readonly Row[]) =>
          (await ask("kl_div", { ...common, input: float64(input), target: float64(target) })).loss as number;
        const grads = await ask("kl_div", {
          ...common,
          input: float64(x),
          target: float64(t),
          return_grad: true,
          return_grad_target: true,
        });
        const step = 1e-5;
        const moved = (list: readonly Row[], by: number): number[][] =>
          list.map((row, i) =>
            row.map((value, k) => (i === list.length - 1 && k === row.length - 1 ? value + by : value)),
          );
        const byInput = ((await lossOf(moved(x, step), t)) - (await lossOf(moved(x, -step), t))) / (2 * step);
        const byTarget =
          ((await lossOf(x, moved(t, step))) - (await lossOf(x, moved(t, -step)))) / (2 * step);
        expectClose([elementsOf(grads.grad_input).data.at(-1)!], [byInput], 1e-6);
        expectClose([elementsOf(grads.grad_target).data.at(-1)!], [byTarget], 1e-6);
      }),
      { numRuns: 30 },
    ),
  );
});

describe("the wire", () => {
  it("gives the same bytes for any split of the body into chunks", () =>
    fc.assert(
      fc.asyncProperty(
        batch,
        fc.array(fc.nat(10_000), { maxLength: 12 }),
        async ({ logits, target }, cuts) => {
          const body = Buffer.from(
            JSON.stringify({
              input: float64(logits),
              target: { shape: [target.length], data: target },
              return_grad: true,
            }),
          );
          const whole = await service().post("/v1/cross_entropy", body.toString());
          const places = [...new Set(cuts.map((cut) => cut % body.length))].sort((a, b) => a - b);
          async function* pieces() {
            let from = 0;
            for (const to of [...places, body.length]) {
              yield body.subarray(from, to);
              from = to;
              await new Promise((resolve) => setImmediate(resolve));
            }
          }
          const split = await service().send("POST", "/v1/cross_entropy", pieces(), {
            "content-type": "application/json",
          });
          expect(split.text).toBe(whole.text);
        },
      ),
      runs,
    ));

  it.each(["float64", "float32", "float16", "bfloat16"] as const)(
    "prints and reads %s without loss: flat and base64 answers hold the same bits",
    (dtype) =>
      fc.assert(
        fc.asyncProperty(batch, async ({ logits }) => {
          const input = { ...float64(logits), dtype };
          const flat = await ask("log_softmax", { input, dim: 1, format: "flat" });
          const binary = await ask("log_softmax", { input, dim: 1, format: "base64" });
          expect(flat.output.dtype).toBe(dtype);
          expect(base64({ ...flat.output, data: flat.output.data })).toEqual(binary.output);
        }),
        runs,
      ),
  );
});
