/** Which uploads can be computed row by row: what a row needs has to come before it. */
import type { LossResult } from "../../loss/index-loss.ts";
import type { RowFold } from "../../loss/rows.ts";
import type { Steps } from "../../loss/workspace.ts";
import { sameShape } from "../../tensor/tensor.ts";
import type { Header } from "../../wire/safetensors.ts";
import type { Answer, Job, LossBody } from "../job.ts";
import { lossMembers, MEMBERS } from "./options.ts";

/** How an operation computes the rows of an upload. */
export interface Streaming {
  /** The member of the answer that leaves while rows come, if one does. */
  readonly leaves: "output" | "grad_input" | undefined;
  /** Tensors whose elements are needed only after the last row. */
  readonly last: readonly string[];
  /** Opens the computation once all tensors but the input and the last ones are there. */
  readonly open: (job: Job) => Steps<RowFold<Answer>>;
}

/** Why an upload has to be in memory at once. */
export interface Obstacle {
  readonly obstacle: string;
}

interface LossOptions extends LossBody {
  readonly label_smoothing?: number | string;
}

/** Opens a loss over class indices; `weightComesLast` says whether the weight's elements are there. */
export type OpenLoss = (job: Job, weightComesLast: boolean) => Steps<RowFold<LossResult>>;

/** How nll_loss or cross_entropy takes an upload, from the order of its tensors. */
export function planLoss(options: LossOptions, { entries }: Header, open: OpenLoss): Streaming | Obstacle {
  const names = entries.map(({ name }) => name);
  const comesLast = (name: string): boolean => names.indexOf(name) > names.indexOf("input");
  const [input, target] = ["input", "target"].map((name) => entries.find((entry) => entry.name === name)!);
  const { return_grad: wantsGrad = false } = options;
  if (sameShape(input!.shape, target!.shape)) {
    return { obstacle: "each row of a target of the input's shape is needed beside its logits" };
  }
  for (const name of ["target", "grad_output"]) {
    if (comesLast(name)) return { obstacle: `it would stream with ${name} before input` };
  }
  const weightComesLast = comesLast("weight");
  const smoothing = Number(options.label_smoothing ?? 0) > 0;
  if (weightComesLast && (wantsGrad || smoothing)) {
    const what = wantsGrad ? "the gradient needs" : "label_smoothing needs";
    return { obstacle: `${what} the weight at every row: it would stream with weight before input` };
  }
  return {
    leaves: wantsGrad ? "grad_input" : undefined,
    last: weightComesLast ? ["weight"] : [],
    *open(job) {
      return answering(yield* open(job, weightComesLast));
    },
  };
}

/** A loss whose results have the names of the contract. */
function answering(fold: RowFold<LossResult>): RowFold<Answer> {
  return {
    axis: fold.axis,
    outline: fold.outline.map((part) => ({ ...part, name: MEMBERS[part.name] })),
    known: lossMembers(fold.known),
    warnings: fold.warnings,
    rows: (address, first, count) => fold.rows(address, first, count),
    *end() {
      return lossMembers(yield* fold.end());
    },
  };
}
