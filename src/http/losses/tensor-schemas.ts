/** How tensors and numbers stand in JSON: the schemas that every operation shares. */
import { Type } from "typebox";
import type { DType } from "../../tensor/dtype.ts";
import { DTYPES } from "../../tensor/dtype.ts";
import { MAX_RANK } from "../../tensor/tensor.ts";
import { optional } from "./optional.ts";

/** A tensor's value in a checked body: its numbers are already in the Arena, `[k]` or `"k"` stands for cut k. */
export type TensorJson = number | string | readonly unknown[] | TensorObject;

/** The flat and the base64 form. Exactly one of `data` and `base64` is there, which the reader checks. */
export interface TensorObject {
  readonly dtype?: DType | null;
  readonly shape: readonly number[];
  readonly data?: readonly unknown[] | null;
  readonly base64?: string | null;
}

const NonFinite = Type.Enum(["NaN", "Infinity", "-Infinity"], {
  $id: "NonFinite",
  title: "NonFinite",
  description: "A number that JSON has no literal for. Requests may also carry the bare tokens.",
});

const Real = Type.Union([Type.Number(), Type.Ref("NonFinite#")], {
  $id: "Real",
  title: "Real",
  description: "A number, or the name of a non-finite one.",
});

const DTypeName = Type.Enum(Object.keys(DTYPES) as DType[], {
  $id: "DType",
  title: "DType",
  description: "Element type, by PyTorch's name. int64, int32 and uint8 are for class indices.",
});

const Format = Type.Enum(["nested", "flat", "base64"], {
  $id: "Format",
  title: "Format",
  description:
    "How tensors are written in the answer: nested lists, or objects with `data` (flat) or `base64`. Default: the form in which `input` came.",
});

const NestedTensor = Type.Array(
  Type.Union([Type.Number(), Type.Ref("NonFinite#"), Type.Ref("NestedTensor#")]),
  {
    $id: "NestedTensor",
    title: "NestedTensor",
    description: `A tensor as nested lists of equal lengths, at most ${MAX_RANK} deep. \`[]\` has shape (0).`,
  },
);

const Tensor = Type.Object(
  {
    dtype: optional(Type.Unsafe<DType>({ $ref: "DType#" })),
    shape: Type.Array(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }), {
      maxItems: MAX_RANK,
      description: `Sizes, outermost first, at most ${MAX_RANK}. An empty list is a 0-dim tensor with one element.`,
    }),
    data: optional(
      Type.Array(Type.Ref("Real#"), {
        description: "The elements as a flat list, row-major. Either this or `base64`.",
      }),
    ),
    base64: optional(
      Type.String({
        contentEncoding: "base64",
        description:
          "The elements as raw little-endian bytes, row-major, in padded base64 (RFC 4648, section 4). Either this or `data`. Exact for every dtype.",
      }),
    ),
  },
  {
    $id: "Tensor",
    title: "Tensor",
    additionalProperties: false,
    description:
      "A tensor with its shape. Exactly one of `data` and `base64`. Without `dtype`: float32 for input; the input's dtype for weight, grad_output and probabilities; int64 for class indices. Answers always carry the dtype.",
  },
);

const TensorLike = Type.Union(
  [Type.Number(), Type.Ref("NonFinite#"), Type.Ref("NestedTensor#"), Type.Ref("Tensor#")],
  {
    $id: "TensorLike",
    title: "TensorLike",
    description: "A tensor: a bare number (0-dim), nested lists, or an object with shape and data or base64.",
  },
);

/** The shared schemas, in the order in which they refer to each other. */
export const TENSOR_SCHEMAS = [NonFinite, Real, DTypeName, Format, NestedTensor, Tensor, TensorLike];

/** A field that holds a tensor. */
export const tensorField = (description: string) =>
  Type.Unsafe<TensorJson>({ $ref: "TensorLike#", description });

/** A number of an answer, or one with a default. */
export const realField = (description: string, byDefault?: number) =>
  Type.Unsafe<number | "NaN" | "Infinity" | "-Infinity">({
    $ref: "Real#",
    ...(byDefault === undefined ? {} : { default: byDefault }),
    description,
  });

export const WARNINGS = Type.Optional(
  Type.Array(Type.String(), {
    description: "What PyTorch would warn of: deprecated options, an implicit dim, a mean over nothing.",
  }),
);
