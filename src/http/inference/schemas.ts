/** The Open Inference Protocol v2 (KServe's, with Triton's binary tensor data extension): schemas. */
import type { TSchema } from "typebox";
import { Type } from "typebox";
import { MAX_RANK } from "../../tensor/tensor.ts";
import { DATATYPES } from "../../wire/inference/reader.ts";
import { OPERANDS } from "../../wire/operands.ts";
import { MEMBERS } from "../losses/compute.ts";
import { optional } from "../losses/nulls.ts";
import { errorResponses } from "../server/problem-schemas.ts";

const Size = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

const Datatype = Type.Enum(Object.keys(DATATYPES), {
  $id: "InferenceDatatype",
  title: "InferenceDatatype",
  description: "Element type, by the protocol's name. BF16 is Triton's.",
});

const Parameters = Type.Record(
  Type.String(),
  Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]),
  {
    $id: "InferenceParameters",
    title: "InferenceParameters",
    description:
      "The operation's options by the names of the JSON contract (`reduction`, `return_grad`, ...), and `binary_data_output` for binary outputs. MLServer's `content_type` has no effect. null means absent.",
  },
);

/** Members that MLServer's codecs and types add to every parameters object. Numbers are read by their datatype only. */
const mlserver = {
  content_type: optional(Type.String({ description: "MLServer's codec, such as np. Has no effect." })),
  headers: Type.Optional(Type.Null({ description: "MLServer's types write it as null." })),
};

const Input = Type.Object(
  {
    name: Type.Enum([...OPERANDS], {
      description: "The field of the JSON contract.",
    }),
    shape: Type.Array(Size, { maxItems: MAX_RANK }),
    datatype: Type.Ref("InferenceDatatype#"),
    parameters: optional(
      Type.Object(
        {
          binary_data_size: optional(
            Type.Integer({
              minimum: 0,
              description: "Bytes of this input after the JSON, instead of `data`.",
            }),
          ),
          ...mlserver,
        },
        { additionalProperties: false },
      ),
    ),
    data: optional(
      Type.Array(Type.Union([Type.Ref("Real#"), Type.Ref("NestedTensor#")]), {
        description: "The elements, row-major, flat or nested in this shape.",
      }),
    ),
  },
  { $id: "InferenceInput", title: "InferenceInput", additionalProperties: false },
);

const OutputRequest = Type.Object(
  {
    name: Type.String(),
    parameters: optional(
      Type.Object(
        {
          binary_data: optional(Type.Boolean({ description: "Whether this output is binary." })),
          ...mlserver,
        },
        { additionalProperties: false },
      ),
    ),
  },
  { $id: "InferenceOutputRequest", title: "InferenceOutputRequest", additionalProperties: false },
);

export const InferenceRequest = Type.Object(
  {
    id: optional(Type.String({ maxLength: 1024, description: "Returned in the response." })),
    model_name: optional(
      Type.String({
        description: "The model of the path, which KServe's SDK repeats. Another model is rejected.",
      }),
    ),
    model_version: optional(
      Type.String({ description: "The version, 1. Empty means any. Another version is rejected." }),
    ),
    parameters: optional(Type.Ref("InferenceParameters#")),
    inputs: Type.Array(Type.Ref("InferenceInput#")),
    outputs: optional(
      Type.Array(Type.Ref("InferenceOutputRequest#"), {
        description: "The outputs to return, in this order. Default: all.",
      }),
    ),
  },
  { $id: "InferenceRequest", title: "InferenceRequest", additionalProperties: false },
);

const Output = Type.Object(
  {
    name: Type.String({
      description: `One of ${Object.values(MEMBERS)
        .filter((name) => name !== "warnings")
        .join(", ")}.`,
    }),
    shape: Type.Array(Size),
    datatype: Type.Ref("InferenceDatatype#"),
    parameters: Type.Optional(Type.Object({ binary_data_size: Size })),
    data: Type.Optional(
      Type.Array(Type.Ref("Real#"), {
        description: "The elements, flat, row-major. Non-finite numbers are strings.",
      }),
    ),
  },
  { $id: "InferenceOutput", title: "InferenceOutput" },
);

export const InferenceResponse = Type.Object(
  {
    model_name: Type.String(),
    model_version: Type.String(),
    id: Type.Optional(Type.String()),
    parameters: Type.Optional(Type.Object({ warnings: Type.String() })),
    outputs: Type.Array(Type.Ref("InferenceOutput#")),
  },
  { $id: "InferenceResponse", title: "InferenceResponse" },
);

const InferenceError = Type.Object(
  { error: Type.String({ description: "Description of the error, with the pointer into the body." }) },
  { $id: "InferenceError", title: "InferenceError" },
);

const TensorMetadata = Type.Object(
  {
    name: Type.String(),
    datatype: Type.String({
      description:
        "Default datatype. FP64, FP16 and BF16 are accepted instead of FP32, and INT32 and UINT8 instead of INT64. A target of probabilities has the input's shape and a float type.",
    }),
    shape: Type.Array(Type.Integer(), {
      description: "Default shape. -1 is any size. Other ranks are accepted as under /v1.",
    }),
    parameters: Type.Object(
      {
        optional: Type.Boolean({ description: "Whether a request or a response may omit it." }),
        variable_rank: Type.Boolean({ description: "Whether it may have another rank than the default." }),
      },
      { description: "Extra properties of a tensor, where MLServer has them." },
    ),
  },
  { $id: "InferenceTensorMetadata", title: "InferenceTensorMetadata" },
);

const ParameterMetadata = Type.Object(
  {
    type: Type.String({ description: "JSON types, joined by or." }),
    default: Type.Optional(Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()])),
    description: Type.String(),
  },
  { $id: "InferenceParameterMetadata", title: "InferenceParameterMetadata" },
);

export const InferenceModel = Type.Object(
  {
    name: Type.String(),
    versions: Type.Array(Type.String()),
    platform: Type.String(),
    inputs: Type.Array(Type.Ref("InferenceTensorMetadata#")),
    outputs: Type.Array(Type.Ref("InferenceTensorMetadata#")),
    parameters: Type.Record(Type.String(), Type.Ref("InferenceParameterMetadata#"), {
      description: "The options by their names.",
    }),
  },
  { $id: "InferenceModel", title: "InferenceModel" },
);

export const InferenceModels = Type.Object(
  { models: Type.Array(Type.String(), { description: "The names of all models, as KServe lists them." }) },
  { $id: "InferenceModels", title: "InferenceModels" },
);

export const InferenceServer = Type.Object(
  { name: Type.String(), version: Type.String(), extensions: Type.Array(Type.String()) },
  { $id: "InferenceServer", title: "InferenceServer" },
);

export const InferenceReady = Type.Object(
  {
    name: Type.Optional(Type.String()),
    live: Type.Optional(Type.Boolean()),
    ready: Type.Optional(Type.Boolean()),
  },
  { $id: "InferenceReady", title: "InferenceReady" },
);

/** Schemas, each after the schemas to which it refers. */
export const INFERENCE_SCHEMAS = [
  Datatype,
  Parameters,
  Input,
  OutputRequest,
  InferenceRequest,
  Output,
  InferenceResponse,
  InferenceError,
  TensorMetadata,
  ParameterMetadata,
  InferenceModel,
  InferenceModels,
  InferenceServer,
  InferenceReady,
];

/** Refers to a schema by its id. */
export const ref = (schema: TSchema) => Type.Ref(`${(schema as { $id?: string }).$id}#`);

/** Describes a response with its example, if there is one of the route itself. */
export const json = (description: string, schema: TSchema, example?: object) => ({
  description,
  content: { "application/json": { schema: ref(schema), ...(example && { example }) } },
});

/** Describes the responses of a route: the successful one, and errors of these statuses. */
export const responses = (
  description: string,
  schema: TSchema,
  errors: readonly number[] = [],
  example?: object,
) => ({
  200: json(description, schema, example),
  ...errorResponses("inference", errors),
});
