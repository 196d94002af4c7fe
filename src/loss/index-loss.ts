/** Losses over class indices, shared by `nll_loss` and `cross_entropy` after their checks. */
import type { LossKernel } from "../kernel/kernel.ts";
import type { LogitTransform } from "../kernel/logits.ts";
import type { DType, FloatDType } from "../tensor/dtype.ts";
import type { Axis, Tensor } from "../tensor/tensor.ts";
import { axisOf, sameShape } from "../tensor/tensor.ts";
import type { GradOptions, GradOutputPlan } from "./grad-output.ts";
import { gradOutputFault, planGradOutput } from "./grad-output.ts";
import { IndexRun } from "./index-run.ts";
import type { LossError } from "./loss-error.ts";
import type { LossResult } from "./loss-result.ts";
import type { ComputeDType } from "./numbers.ts";
import { computeDType, planCast } from "./numbers.ts";
import type { Output, Plan, RowWindow, Run, Slot } from "./plan.ts";
import { Layout, planWindow, SCRATCH_BYTES } from "./plan.ts";
import type { PositionTerms, SampleOptions, TermsPlan } from "./position-terms.ts";
import { planTerms } from "./position-terms.ts";
import type { Reduction, ReductionOptions } from "./reduction.ts";
import type { PiecePlan } from "./row-pieces.ts";
import { planPieces } from "./row-pieces.ts";
import type { Shift } from "./shift.ts";
import { lossShapeOf } from "./shift.ts";

/** Common options of `nll_loss` and `cross_entropy`. */
export interface LossOptions extends ReductionOptions, GradOptions, SampleOptions {
  /** Dimension of the classes, from -rank to rank - 1. Default 0 for a 1-D input, otherwise 1, as in PyTorch. */
  readonly dim?: number | null | undefined;
  /**
   * Positions by which the targets are ahead of the logits, along the target's last dimension. The first `shift` targets
   * and the last `shift` rows are left out. Needs the classes in the last dimension. Default 0.
   */
  readonly shift?: number | undefined;
  /** Casts the input to this float dtype before computing, which is also the dtype of the losses. */
  readonly dtype?: DType | null | undefined;
  /** Weight of each class, (C), in `dtype` or the input's dtype. */
  readonly weight?: Tensor | undefined;
  /** Target value without loss and gradient, any int64. Default -100. */
  readonly ignoreIndex?: bigint | undefined;
}

/** PyTorch's default of `ignore_index`. */
export const IGNORE_INDEX = -100n;

/** Several classes for each position, as the top k of a teacher. */
export interface SparseTarget {
  /** Classes per position. */
  readonly picks: number;
  /** Weight of each class, in the target's shape. */
  readonly weight: Tensor & { dtype: FloatDType };
  readonly returnGrad: boolean;
}

/** Checked operands of a loss over class indices. A `smoothing` of 0 disables it. */
export interface IndexLoss {
  readonly op: "nll" | "crossEntropy" | "sparseTarget";
  readonly input: Tensor;
  /** Dtype of the losses, to which the input is cast. */
  readonly dtype: FloatDType;
  /** Class dimension. */
  readonly classAxis: number;
  readonly shift: Shift | undefined;
  readonly transform: LogitTransform | undefined;
  readonly target: Tensor;
  /** For `sparseTarget` only. */
  readonly sparse: SparseTarget | undefined;
  readonly terms: PositionTerms;
  readonly weight: Tensor | undefined;
  readonly reduction: Reduction;
  readonly ignoreIndex: bigint;
  readonly smoothing: number;
  readonly returnGrad: boolean;
  readonly gradOutput: Tensor | undefined;
}

/** Settings for a streamed input. */
export interface IndexStreaming {
  readonly windowBytes: number;
  /** Whether the weight arrives after the input, which rules out a gradient, label smoothing and terms of positions. */
  readonly weightComesLast: boolean;
}

/** Plans a loss with checked operands. The run rejects an upstream gradient that does not fit. */
export class IndexPlan implements Plan<LossResult> {
  readonly loss: IndexLoss;
  readonly input: Tensor;
  readonly axis: Axis;
  readonly lossShape: readonly number[];
  readonly compute: ComputeDType;
  readonly weightComesLast: boolean;
  readonly outputs: readonly Output<keyof LossResult>[];
  readonly rowsOutput: "gradInput" | undefined;
  readonly bytes: number;
  readonly window: RowWindow | undefined;
  readonly scratch: Slot;
  readonly castWeight: Slot<ComputeDType> | undefined;
  /** Targets of the rows, without those that a shift leaves out. */
  readonly shiftedTarget: Slot | undefined;
  readonly pieces: PiecePlan | undefined;
  readonly terms: TermsPlan;
  readonly gradTargetWeight: Slot | undefined;
  readonly losses: Slot | undefined;
  readonly gradOutput: GradOutputPlan | undefined;
  /**
   * Thrown after the targets have been checked, because PyTorch reads targets in the forward pass and `grad_output` in
   * the backward pass.
   */
  readonly gradFault: LossError | undefined;
  readonly warnings: readonly string[];

  constructor(loss: IndexLoss, warnings: readonly string[], streaming?: IndexStreaming) {
    const { input, dtype, classAxis, shift, target, sparse, weight, reduction, gradOutput } = loss;
    const { returnGrad } = loss;
    this.loss = loss;
    this.input = input;
    this.warnings = warnings;
    this.compute = computeDType({ dtype });
    this.weightComesLast = streaming?.weightComesLast ?? false;
    this.axis = axisOf(input.shape, classAxis);
    // Asserts the shapes because only the input's positions are counted from here on. The checks have already rejected
    // a mismatch in PyTorch's words.
    const expected = input.shape.toSpliced(classAxis, 1, ...(sparse === undefined ? [] : [sparse.picks]));
    if (!sameShape(target.shape, expected) || (sparse && !sameShape(sparse.weight.shape, expected)))
      throw new Error(`a target of [${target.shape}] passed the checks`);
    const lossShape = lossShapeOf(input.shape, classAxis, shift);
    this.lossShape = lossShape;
    const outputShape = reduction === "none" ? lossShape : [];
    const wantsGrad = returnGrad || sparse?.returnGrad === true;
    this.gradFault = wantsGrad ? gradOutputFault(gradOutput, outputShape) : undefined;
    const plansGrad = wantsGrad && this.gradFault === undefined;

    const layout = new Layout();
    this.scratch = layout.add("uint8", [SCRATCH_BYTES]);
    this.window = streaming && planWindow(layout, input, this.axis, streaming.windowBytes);
    this.castWeight = planCast(layout, weight, this.compute);
    const { compute } = this;
    this.terms = planTerms(layout, loss.terms, { dtype, compute, reduction, lossShape, shift });
    this.gradTargetWeight = sparse?.returnGrad
      ? layout.add(sparse.weight.dtype, sparse.weight.shape)
      : undefined;
    const keepsLosses = reduction === "none" || this.weightComesLast;
    this.shiftedTarget = shift && layout.add(target.dtype, lossShape);
    this.pieces = planPieces(layout, input, this.axis, loss);
    this.losses = keepsLosses ? layout.add(dtype, lossShape) : undefined;
    this.gradOutput = plansGrad ? planGradOutput(layout, gradOutput, dtype, reduction) : undefined;
    this.bytes = layout.bytes;

    this.rowsOutput = returnGrad ? "gradInput" : undefined;
    this.outputs = [
      reduction === "none" ? { name: "losses", dtype, shape: lossShape } : { name: "loss", dtype, shape: [] },
      ...(loss.terms.returnZLoss && reduction !== "none"
        ? [{ name: "zLoss" as const, dtype, shape: [] }]
        : []),
      { name: "totalWeight", dtype: compute, shape: [] },
      ...this.terms.outputs,
      ...(returnGrad ? [{ name: "gradInput" as const, dtype: input.dtype, shape: input.shape }] : []),
      ...(this.gradTargetWeight === undefined
        ? []
        : [{ ...this.gradTargetWeight, name: "gradTargetWeight" as const }]),
    ];
  }

  start(kernel: LossKernel, block: number): Run<LossResult> {
    return new IndexRun(this, kernel, block);
  }
}
