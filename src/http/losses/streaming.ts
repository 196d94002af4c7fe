/** Decides which safetensors bodies can be computed row by row, because a row's other operands must arrive before it. */
import type { IndexStreaming } from "../../loss/index-loss.ts";
import { sameShape } from "../../tensor/tensor.ts";
import type { Header } from "../../wire/safetensors/header.ts";
import type { LossFields } from "./options.ts";

/** Plan for computing the rows of a body as they arrive. */
export interface Streaming {
  /** Response member that is sent while rows arrive, if any. */
  readonly streamedOutput: "output" | "grad_input" | undefined;
  /** Tensors whose elements are needed only after the last row. */
  readonly trailing: readonly "weight"[];
}

/** Streamed input, of which a plan knows only shape and dtype. */
export type StreamedInput = IndexStreaming;

/** Reason for a body to be in memory at once. */
export interface NotStreamable {
  readonly reason: string;
}

/** Returns the reason not to stream a body whose tensors are `names` in order, if one of `needed`, which every row needs, comes after the input. */
export function lateTensor(names: readonly string[], needed: readonly string[]): NotStreamable | undefined {
  const late = needed.find((name) => comesAfterInput(names, name));
  return late === undefined ? undefined : { reason: `it would stream with ${late} before input` };
}

/** Whether a body has a tensor of this name, and behind the input. */
function comesAfterInput(names: readonly string[], name: string): boolean {
  return names.indexOf(name) > names.indexOf("input");
}

interface StreamFields extends LossFields {
  readonly label_smoothing?: number | string;
  readonly lse_square_scale?: number | string;
}

/** Decides how nll_loss or cross_entropy reads a body, from the order of its tensors. */
export function lossStreaming(options: StreamFields, { entries }: Header): Streaming | NotStreamable {
  const names = entries.map(({ name }) => name);
  const [input, target] = ["input", "target"].map((name) => entries.find((entry) => entry.name === name)!);
  const { return_grad: wantsGrad = false } = options;
  if (sameShape(input!.shape, target!.shape) && !names.includes("target_weight")) {
    return { reason: "each row of a target of the input's shape is needed beside its logits" };
  }
  const late = lateTensor(names, ["target", "sample_weight", "target_weight", "grad_output"]);
  if (late !== undefined) return late;
  const weightComesLast = comesAfterInput(names, "weight");
  const needs: Readonly<Record<string, boolean>> = {
    "the gradient": wantsGrad,
    label_smoothing: Number(options.label_smoothing ?? 0) > 0,
    lse_square_scale: Number(options.lse_square_scale ?? 0) > 0,
    sample_weight: names.includes("sample_weight"),
    target_weight: names.includes("target_weight"),
  };
  const need = Object.keys(needs).find((name) => needs[name]);
  if (weightComesLast && need !== undefined)
    return { reason: `${need} needs the weight at every row: it would stream with weight before input` };
  return {
    streamedOutput: wantsGrad ? "grad_input" : undefined,
    trailing: weightComesLast ? ["weight"] : [],
  };
}
