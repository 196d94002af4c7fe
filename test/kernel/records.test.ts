/** Records that TypeScript writes by position and the kernels read by name, and constants of both sides. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { FoldKernel } from "../../src/kernel/fold.ts";
import { foldWriter } from "../../src/kernel/fold.ts";
import { klDivStep } from "../../src/kernel/kl-div.ts";
import { LINE_RECORDS_BYTES, LineFolds } from "../../src/kernel/line-sums.ts";
import { PICKS_RECORD_BYTES, picksStep } from "../../src/kernel/picks.ts";
import type { DType } from "../../src/tensor/dtype.ts";
import { DTYPES } from "../../src/tensor/dtype.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { kernel } from "./place.ts";

const KERNEL = new URL("../../src/kernel/", import.meta.url);
const ASSEMBLY = new URL("assembly/", KERNEL);
const READERS = { f64: "getFloat64", i64: "getBigInt64", u64: "getBigUint64", u32: "getUint32" } as const;
const SIZES = { f64: 8, i64: 8, u64: 8, u32: 4 } as const;

interface Field {
  readonly name: string;
  readonly type: keyof typeof READERS;
  readonly offset: number;
}

/** Returns the fields of a class of the assembly with the offsets that AssemblyScript gives them. */
function fieldsOf(file: string, name: string): { readonly fields: readonly Field[]; readonly bytes: number } {
  const source = readFileSync(new URL(file, ASSEMBLY), "utf8");
  const body = new RegExp(`class ${name} \\{\\n(.*?)\\n\\}`, "s").exec(source)![1]!;
  const fields: Field[] = [];
  let end = 0;
  for (const [, field, type] of body.matchAll(/^ {2}(\w+): (\w+);$/gm)) {
    const size = SIZES[type as Field["type"]];
    const offset = Math.ceil(end / size) * size;
    fields.push({ name: field!, type: type as Field["type"], offset });
    end = offset + size;
  }
  return { fields, bytes: end };
}

/** Reads the fields that are not 0. */
function readRecord(file: string, name: string, at: number): Record<string, number | bigint> {
  const view = new DataView(memory);
  const { fields } = fieldsOf(file, name);
  const values = fields.map((field) => [field.name, view[READERS[field.type]](at + field.offset, true)]);
  return Object.fromEntries(values.filter(([, value]) => Number(value) !== 0));
}

const AT = 1024;
const memory = new ArrayBuffer(8192);
/** Kernel whose steps end at once, in a memory of their own. */
const stub = {
  u8: new Uint8Array(memory),
  i32: new Int32Array(memory),
  i64: new BigInt64Array(memory),
  f64: new Float64Array(memory),
  exports: new Proxy(kernel.exports, {
    get: (exports, name) => (String(name).endsWith("Step") ? () => 1 : Reflect.get(exports, name)),
  }),
};
const recorder = stub as unknown as FoldKernel & typeof kernel;

let addresses = 5000;
/** Returns a tensor with an address of its own. */
const at = (dtype: DType): Tensor => ({ dtype, shape: [], address: ++addresses });
const codeOf = (dtype: DType): number => DTYPES[dtype].code;
const axis = { outer: 101, length: 102, inner: 103 };

describe("the fields of a record", () => {
  it("of a fold lie where the kernels read them", () => {
    const [x, out, target, gradTarget] = [at("bfloat16"), at("float32"), at("int32"), at("float32")];
    const [weight, losses, gradOutput, sampleWeight] = [
      at("float32"),
      at("float32"),
      at("float32"),
      at("float32"),
    ];
    const [zLosses, targetWeight, gradTargetWeight] = [at("float32"), at("float16"), at("float16")];
    const [predictions, correct] = [at("int64"), at("uint8")];
    const sums = {
      loss: { sum: 1.5, rest: 2.5 },
      smooth: { sum: 3.5, rest: 4.5 },
      zLoss: { sum: 5.5, rest: 6.5 },
    };
    const write = foldWriter(recorder, AT, {
      axis,
      wide: true,
      x,
      out,
      target,
      gradTarget,
      weight,
      losses,
      lossDType: "float16",
      gradOutput,
      sampleWeight,
      smoothing: 0.25,
      ignoreIndex: -100n,
      zLossScale: 8.5,
      zLosses,
      picks: 9,
      targetWeight,
      gradTargetWeight,
      predictions,
      correct,
    });
    write({ gradOutputScalar: 7.5, sums });
    expect(readRecord("struct.ts", "Fold", AT)).toEqual({
      gradOutputScalar: 7.5,
      smoothing: 0.25,
      ignoreIndex: -100n,
      lossSum: 1.5,
      lossRest: 2.5,
      smoothSum: 3.5,
      smoothRest: 4.5,
      zLossScale: 8.5,
      zLossSum: 5.5,
      zLossRest: 6.5,
      outer: 101,
      classes: 102,
      inner: 103,
      wide: 1,
      x: x.address,
      xDtype: codeOf("bfloat16"),
      out: out.address,
      target: target.address,
      targetDtype: codeOf("int32"),
      gradTarget: gradTarget.address,
      weight: weight.address,
      losses: losses.address,
      lossDtype: codeOf("float16"),
      gradOutput: gradOutput.address,
      sampleWeight: sampleWeight.address,
      zLosses: zLosses.address,
      picks: 9,
      targetWeight: targetWeight.address,
      targetWeightDtype: codeOf("float16"),
      gradTargetWeight: gradTargetWeight.address,
      predictions: predictions.address,
      correct: correct.address,
    });
    expect(fieldsOf("struct.ts", "Fold").bytes).toBeLessThanOrEqual(recorder.exports.foldBytes);
  });

  it("of lines lie where the kernels read them", () => {
    const [x, lse, entropy, gradLse, gradEntropy] = [
      at("float32"),
      at("float32"),
      at("float32"),
      at("float16"),
      at("bfloat16"),
    ];
    const sums = { address: 11, pitch: 12 };
    const folds = new LineFolds(recorder, AT, { axis, wide: false, x, sums, lse, entropy, maxima: 13 });
    const linesAt = AT + 2 * recorder.exports.foldBytes;
    expect(readRecord("struct.ts", "Fold", AT).lines).toBe(linesAt);
    folds.gradient({ first: 21, end: 22 }, { out: x, gradOutput: undefined, gradLse, gradEntropy })(1);
    expect(readRecord("line-sums.ts", "LineSums", linesAt)).toEqual({
      first: 21,
      stop: 22,
      sums: 11,
      pitch: 12,
      lse: lse.address,
      entropy: entropy.address,
      gradLse: gradLse.address,
      gradLseDtype: codeOf("float16"),
      gradEntropy: gradEntropy.address,
      gradEntropyDtype: codeOf("bfloat16"),
      maxima: 13,
    });
    expect(readRecord("struct.ts", "Fold", AT + recorder.exports.foldBytes)).toMatchObject({
      lines: linesAt,
      position: 21,
    });
    expect(LINE_RECORDS_BYTES).toBeGreaterThanOrEqual(
      2 * recorder.exports.foldBytes + recorder.exports.lineSumsBytes,
    );
  });

  it("of picks lie where the kernels read them", () => {
    const [x, index, values, grad, base] = [
      at("float16"),
      at("int32"),
      at("float16"),
      at("bfloat16"),
      at("float32"),
    ];
    const sums = { address: 11, pitch: 12 };
    const picks = {
      axis,
      wide: true,
      x,
      sums,
      count: 40,
      index,
      values,
      grad,
      base,
      entries: 14,
      maxima: 13,
    };
    picksStep(recorder, AT, "topK", picks, { first: 21, end: 22 })(1);
    const { capacity, ...record } = readRecord("picks.ts", "Picks", AT);
    expect(record).toEqual({
      x: x.address,
      dtype: codeOf("float16"),
      wide: 1,
      classes: 102,
      inner: 103,
      picks: 40,
      first: 21,
      end: 22,
      sums: 11,
      pitch: 12,
      index: index.address,
      indexDtype: codeOf("int32"),
      values: values.address,
      grad: grad.address,
      gradDtype: codeOf("bfloat16"),
      base: base.address,
      entries: 14,
      maxima: 13,
      position: 21,
    });
    expect(Number(capacity)).toBeGreaterThan(40);
    expect(PICKS_RECORD_BYTES).toBeGreaterThanOrEqual(fieldsOf("picks.ts", "Picks").bytes);
  });

  it("of kl_div lie where the kernels read them", () => {
    const [x, target, losses, gradInput] = [at("float16"), at("bfloat16"), at("float32"), at("float16")];
    const [gradTarget, gradOutput] = [at("bfloat16"), at("float32")];
    const state = { gradOutputScalar: 7.5, sum: { sum: 1.5, rest: 2.5 } };
    klDivStep(
      recorder,
      AT,
      {
        count: 31,
        logTarget: true,
        x,
        target,
        losses,
        lossDType: "float16",
        gradInput,
        gradTarget,
        gradOutput,
        divisor: 8.5,
      },
      state,
    )(1);
    expect(state.sum).toEqual({ sum: 1.5, rest: 2.5 });
    expect(readRecord("kl-div.ts", "KlDiv", AT)).toEqual({
      gradOutputScalar: 7.5,
      divisor: 8.5,
      lossSum: 1.5,
      lossRest: 2.5,
      count: 31,
      logTarget: 1,
      x: x.address,
      xDtype: codeOf("float16"),
      target: target.address,
      targetDtype: codeOf("bfloat16"),
      losses: losses.address,
      lossDtype: codeOf("float16"),
      gradInput: gradInput.address,
      gradTarget: gradTarget.address,
      gradOutput: gradOutput.address,
    });
  });
});

/** Returns the constants of a folder's files that are plain numbers. */
function constantsOf(folder: URL): Map<string, number> {
  const files = readdirSync(folder).filter((file) => file.endsWith(".ts"));
  const sources = files.map((file) => readFileSync(new URL(file, folder), "utf8"));
  const constants = sources.flatMap((source) => [
    ...source.matchAll(/^(?:export )?const ([A-Z_]+)(?:: \w+)? = ([\d_]+);/gm),
  ]);
  return new Map(constants.map(([, name, value]) => [name!, Number(value!.replaceAll("_", ""))]));
}

it("constants that TypeScript shares with the kernels by name are equal", () => {
  const theirs = constantsOf(ASSEMBLY);
  const shared = [...constantsOf(KERNEL)].filter(([name]) => theirs.has(name));
  expect(shared.map(([name]) => name).toSorted()).toEqual([
    "COUNTS_BYTES",
    "FOLD_BYTES",
    "MAX_WIDTH",
    "ROW_BLOCK",
    "SMALL_ROW",
  ]);
  for (const [name, value] of shared) expect(theirs.get(name), name).toBe(value);
});
