/** Schemas of tensors and numbers in JSON responses. Objects are open because responses may gain fields. */
import { Type } from "typebox";

const ResultReal = Type.Union([Type.Number(), Type.Ref("NonFinite#"), Type.Null()], {
  $id: "ResultReal",
  title: "ResultReal",
  description:
    "Number in a response, or the name of a non-finite number. null only if the request's non_finite is null.",
});

const ResultNested = Type.Array(Type.Union([Type.Ref("ResultReal#"), Type.Ref("ResultNested#")]), {
  $id: "ResultNested",
  title: "ResultNested",
  description: "Tensor in a response as nested lists.",
});

const ResultTensor = Type.Object(
  {
    dtype: Type.Ref("DType#"),
    shape: Type.Array(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }), {
      description: "Sizes, outermost first. An empty list is a 0-dim tensor with one element.",
    }),
    data: Type.Optional(
      Type.Array(Type.Ref("ResultReal#"), {
        description: "The elements as a flat list, row-major, in format flat.",
      }),
    ),
    base64: Type.Optional(
      Type.String({
        contentEncoding: "base64",
        description:
          "The elements as raw little-endian bytes, row-major, in padded base64, in format base64.",
      }),
    ),
  },
  {
    $id: "ResultTensor",
    title: "ResultTensor",
    description: "Tensor in a response with its dtype and shape, and either `data` or `base64`.",
  },
);

const ResultTensorLike = Type.Union(
  [Type.Ref("ResultReal#"), Type.Ref("ResultNested#"), Type.Ref("ResultTensor#")],
  {
    $id: "ResultTensorLike",
    title: "ResultTensorLike",
    description:
      "Tensor in a response: a bare number (0-dim) or nested lists in format nested, otherwise an object with shape and data or base64.",
  },
);

/** Schemas of responses, each after the schemas to which it refers. */
export const RESULT_SCHEMAS = [ResultReal, ResultNested, ResultTensor, ResultTensorLike];

/** Creates a tensor member of a response. */
export const resultTensor = (description: string) =>
  Type.Unsafe<unknown>({ $ref: "ResultTensorLike#", description });

/** Creates a number member of a response. */
export const resultNumber = (description: string) =>
  Type.Unsafe<number | string | null>({ $ref: "ResultReal#", description });
