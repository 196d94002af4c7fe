/** Schemas of tensors and numbers in JSON, shared by all operations. */
import { Type } from "typebox";
import type { DType } from "../../tensor/dtype.ts";
import { DTYPES } from "../../tensor/dtype.ts";
import { MAX_RANK } from "../../tensor/tensor.ts";
import { optional } from "./nulls.ts";

/** Tensor's value in a valid body. Its numbers are already in the Arena, so `[k]` or `"k"` stands for number span k. */
export type TensorJson = number | string | readonly unknown[] | TensorObject;

/** Flat or base64 format. Has exactly one of `data` and `base64`, which the reader checks. */
export interface TensorObject {
  readonly dtype?: DType | null;
  readonly shape: readonly number[];
  readonly data?: readonly unknown[] | null;
  readonly base64?: string | null;
}

const NonFinite = Type.Enum(["NaN", "Infinity", "-Infinity"], {
  $id: "NonFinite",
  title: "NonFinite",
  description: "Number without a JSON literal. Requests may also use the bare tokens.",
});

const Real = Type.Union([Type.Number(), Type.Ref("NonFinite#")], {
  $id: "Real",
  title: "Real",
  description: "Number, or the name of a non-finite number.",
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
    "Format of tensors in the response: nested lists, or objects with `data` (flat) or `base64`. Default: the format of `input`.",
});

const NestedTensor = Type.Array(
  Type.Union([Type.Number(), Type.Ref("NonFinite#"), Type.Ref("NestedTensor#")]),
  {
    $id: "NestedTensor",
    title: "NestedTensor",
    description: `Tensor as nested lists of equal lengths, at most ${MAX_RANK} deep. \`[]\` has shape (0).`,
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
      "Tensor with its shape. Has exactly one of `data` and `base64`. Without `dtype`: float32 for input; the input's dtype for weight, upstream gradients and probabilities; int64 for class indices. Responses always have the dtype.",
  },
);

const TensorLike = Type.Union(
  [Type.Number(), Type.Ref("NonFinite#"), Type.Ref("NestedTensor#"), Type.Ref("Tensor#")],
  {
    $id: "TensorLike",
    title: "TensorLike",
    description: "Tensor: a bare number (0-dim), nested lists, or an object with shape and data or base64.",
  },
);

/** Shared schemas, each after the schemas to which it refers. */
export const TENSOR_SCHEMAS = [NonFinite, Real, DTypeName, Format, NestedTensor, Tensor, TensorLike];

/** Creates a tensor field. */
export const tensorField = (description: string) =>
  Type.Unsafe<TensorJson>({ $ref: "TensorLike#", description });

/** Creates a number field. */
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
