/** How tensors and numbers stand in the JSON of an answer: open objects, since answers may gain fields, and null where non_finite asks for it. */
import { Type } from "typebox";

const ResultReal = Type.Union([Type.Number(), Type.Ref("NonFinite#"), Type.Null()], {
  $id: "ResultReal",
  title: "ResultReal",
  description:
    "A number of an answer, or the name of a non-finite one; null only where the request's non_finite is null.",
});

const ResultNested = Type.Array(Type.Union([Type.Ref("ResultReal#"), Type.Ref("ResultNested#")]), {
  $id: "ResultNested",
  title: "ResultNested",
  description: "A tensor of an answer as nested lists.",
});

const ResultTensor = Type.Object(
  {
    dtype: Type.Ref("DType#"),
    shape: Type.Array(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }), {
      description: "Sizes, outermost first. An empty list is a 0-dim tensor with one element.",
    }),
    data: Type.Optional(
      Type.Array(Type.Ref("ResultReal#"), {
        description: "The elements as a flat list, row-major, in an answer of format flat.",
      }),
    ),
    base64: Type.Optional(
      Type.String({
        contentEncoding: "base64",
        description:
          "The elements as raw little-endian bytes, row-major, in padded base64, in an answer of format base64.",
      }),
    ),
  },
  {
    $id: "ResultTensor",
    title: "ResultTensor",
    description: "A tensor of an answer with its dtype and shape, and either `data` or `base64`.",
  },
);

const ResultTensorLike = Type.Union(
  [Type.Ref("ResultReal#"), Type.Ref("ResultNested#"), Type.Ref("ResultTensor#")],
  {
    $id: "ResultTensorLike",
    title: "ResultTensorLike",
    description:
      "A tensor of an answer: a bare number (0-dim) or nested lists in format nested, otherwise an object with shape and data or base64.",
  },
);

/** The schemas of answers, in the order in which they refer to each other. */
export const RESULT_SCHEMAS = [ResultReal, ResultNested, ResultTensor, ResultTensorLike];

/** A member of an answer that is a tensor. */
export const resultTensor = (description: string) =>
  Type.Unsafe<unknown>({ $ref: "ResultTensorLike#", description });

/** A member of an answer that is one number. */
export const resultNumber = (description: string) =>
  Type.Unsafe<number | string | null>({ $ref: "ResultReal#", description });
