/** Options that several operations share, with PyTorch's names and defaults. */
import type { Static, TObject } from "typebox";
import { Type } from "typebox";
import type { LossOptions } from "../../loss/index-loss.ts";
import type { DType } from "../../tensor/dtype.ts";
import { isFloat } from "../../tensor/dtype.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { TensorFormat } from "../../wire/json/tensors.ts";
import type { OperandReader } from "./compute.ts";
import { optional } from "./nulls.ts";
import { resultNumber, resultTensor } from "./result-schemas.ts";
import { realField, tensorField } from "./tensor-schemas.ts";

/** Largest integer option, because larger JSON numbers are not exact. */
export const MAX_JSON_INTEGER = 2 ** 53;

const Reduction = Type.String({
  $id: "Reduction",
  title: "Reduction",
  description:
    "Reduction of the losses of all positions: none, mean (over the weights of the kept targets), or sum. elementwise_mean is a deprecated name of mean.",
});

const KlDivReduction = Type.String({
  $id: "KlDivReduction",
  title: "KlDivReduction",
  description:
    "Reduction of the losses of all elements: none, mean (over all elements), sum, or batchmean (the sum divided by the input's first size, or by 1 for a 0-dim input). Only batchmean is the mean divergence of the rows. elementwise_mean is a deprecated name of mean.",
});

const NonFiniteStyle = Type.Enum(["string", "null"], {
  $id: "NonFiniteStyle",
  title: "NonFiniteStyle",
  description:
    'Format of non-finite numbers in a JSON response: the strings "NaN", "Infinity" and "-Infinity", or null for clients whose numbers cannot be strings. Has no effect on tensors in base64.',
});

export const OPTION_SCHEMAS = [Reduction, KlDivReduction, NonFiniteStyle];

/** Returns a number field's value, in which a text names a non-finite number. */
export function realOf(field: number | string | undefined): number | undefined {
  return field === undefined ? undefined : Number(field);
}

/** Options of the JSON response format, independent of the operation. */
export const JSON_OPTIONS = ["format", "non_finite"] as const;

/** Creates a field for a dimension, null by default. */
export const dimField = (description: string) =>
  optional(
    Type.Integer({ minimum: -MAX_JSON_INTEGER, maximum: MAX_JSON_INTEGER, default: null, description }),
  );

/** Creates a field that is off by default. */
export const flag = (description: string) => optional(Type.Boolean({ default: false, description }));

export const returnGrad = flag("Whether to return `grad_input`, the gradient with respect to input.");

export const gradOutput = optional(
  tensorField(
    "The upstream gradient, of exactly the output's shape. Default 1 if the output has one element, otherwise required with return_grad.",
  ),
);

export const format = optional(
  Type.Unsafe<TensorFormat>({
    $ref: "Format#",
    description: "Format of the tensors in the response.",
  }),
);

export const nonFinite = optional(
  Type.Unsafe<"string" | "null">({
    $ref: "NonFiniteStyle#",
    default: "string",
    description: "Format of non-finite numbers in the response.",
  }),
);

/** Cast of the input, as in log_softmax. */
export const castDType = optional(
  Type.Unsafe<DType>({
    $ref: "DType#",
    default: null,
    description: "Float dtype to which the input is cast before computing, and dtype of the results.",
  }),
);

export const legacy = (description: string) =>
  optional(Type.Boolean({ default: null, deprecated: true, description }));

/** Request fields that transform logits. */
export const transformOptions = {
  temperature: optional(
    realField("Divides the logits, after softcap. Positive and finite. With half dtypes, use dtype.", 1),
  ),
  softcap: optional(
    realField(
      "Replaces the logits x by softcap * tanh(x / softcap), as Gemma 2 does. Positive and finite. Default: none.",
    ),
  ),
};

/** Request fields that nll_loss and cross_entropy share. */
export const lossRequestFields = {
  weight: optional(
    tensorField("Factor of each class, shape (C), in `dtype` or the input's dtype. Default: 1 for each."),
  ),
  sample_weight: optional(
    tensorField(
      "Factor of each position, in the target's shape without classes, any float dtype. The mean divides by the sum of the factors of the kept targets, each times the weight of its class. Default: 1 for each.",
    ),
  ),
  ignore_index: optional(
    Type.Integer({
      minimum: -MAX_JSON_INTEGER,
      maximum: MAX_JSON_INTEGER,
      default: -100,
      description:
        "Targets of this value have no loss and no gradient, and do not count in the mean. May be inside or outside [0, C). Class indices only.",
    }),
  ),
  reduction: optional(Type.Unsafe<string>({ $ref: "Reduction#", default: "mean" })),
  size_average: legacy("Deprecated: with reduce, overrides reduction."),
  reduce: legacy("Deprecated: with size_average, overrides reduction."),
  dim: dimField(
    "The dimension of the classes, from -rank to rank - 1: -1 for (batch, tokens, classes). If absent or null, 0 for one row and 1 for a batch, as in PyTorch.",
  ),
  shift: optional(
    Type.Integer({
      minimum: 0,
      maximum: MAX_JSON_INTEGER,
      default: 0,
      description:
        "Positions by which the targets are ahead of the logits, 1 for next-token targets: the loss of logits[..., :-shift, :] and target[..., shift:]. Class indices only, with the classes in the last dimension. The left-out logits have the gradient 0.",
    }),
  ),
  dtype: castDType,
  return_grad: returnGrad,
  grad_output: gradOutput,
  format,
  non_finite: nonFinite,
};

/** Values of {@link lossRequestFields}. */
export type LossFields = Static<TObject<typeof lossRequestFields>>;

/** Returns the dtype of the losses: `dtype` or the input's. An integer `dtype` is rejected later. */
export function lossDType({ dtype }: Pick<LossFields, "dtype">, input: Tensor): DType {
  return dtype !== undefined && isFloat(dtype) ? dtype : input.dtype;
}

/** Reads the options that nll_loss and cross_entropy share. Tensors without a dtype take that of the losses. */
export function readLossOptions(reader: OperandReader, fields: LossFields, input: Tensor): LossOptions {
  const dtype = lossDType(fields, input);
  return {
    dim: fields.dim,
    shift: fields.shift,
    dtype: fields.dtype,
    weight: reader.optional("weight", dtype),
    sampleWeight: reader.optional("sample_weight", dtype),
    gradOutput: reader.optional("grad_output", dtype),
    ignoreIndex: fields.ignore_index === undefined ? undefined : BigInt(fields.ignore_index),
    reduction: fields.reduction,
    sizeAverage: fields.size_average,
    reduce: fields.reduce,
    returnGrad: fields.return_grad,
  } satisfies Record<keyof LossOptions, unknown>;
}

/** Response members that nll_loss and cross_entropy share. */
export const lossResult = {
  loss: Type.Optional(
    resultNumber(
      "The mean or the sum, in `dtype` or the input's dtype. A mean over nothing is NaN, with a warning.",
    ),
  ),
  losses: Type.Optional(
    resultTensor(
      "With reduction none: one loss for each position, the target's shape. A shift leaves out the last positions.",
    ),
  ),
  total_weight: Type.Optional(
    resultNumber(
      "The divisor of the mean. For class indices, the weights of the kept targets added up, each times its sample_weight. For a sparse target, the sample_weight (or 1) of each position with a kept class. For probabilities, the sum of sample_weight, only if it is given. Means over shards combine as sum(loss * total_weight) / sum(total_weight).",
    ),
  ),
  grad_input: Type.Optional(
    resultTensor("With return_grad: the gradient with respect to input, of its shape and dtype."),
  ),
};
