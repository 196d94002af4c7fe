/** Triton's model configuration and statistics extensions: schemas and the configuration of each model. */
import { Type } from "typebox";
import type { ModelTensor, Operation } from "../losses/operation.ts";

const ConfigTensor = Type.Object(
  {
    name: Type.String(),
    data_type: Type.String({ description: "The datatype of the model's metadata with the prefix `TYPE_`." }),
    dims: Type.Array(Type.Integer(), {
      description: "Default shape. -1 is any size, and a 0-dim tensor has `[1]`.",
    }),
    optional: Type.Optional(Type.Boolean({ description: "Whether a request may omit it." })),
  },
  { $id: "InferenceConfigTensor", title: "InferenceConfigTensor" },
);

export const InferenceConfig = Type.Object(
  {
    name: Type.String(),
    platform: Type.String(),
    backend: Type.String(),
    version_policy: Type.Object({ latest: Type.Object({ num_versions: Type.Integer() }) }),
    max_batch_size: Type.Integer({ description: "0: the server does not batch requests." }),
    input: Type.Array(Type.Ref("InferenceConfigTensor#")),
    output: Type.Array(Type.Ref("InferenceConfigTensor#"), {
      description:
        "Output of every request with the default `reduction`. Clients request each output listed here. The model's metadata list the others.",
    }),
  },
  { $id: "InferenceConfig", title: "InferenceConfig" },
);

const Count = (description: string) =>
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description });

const Duration = Type.Object(
  { count: Count("Requests."), ns: Count("Nanoseconds in all.") },
  { $id: "InferenceDuration", title: "InferenceDuration" },
);

const duration = (description: string) => Type.Unsafe<unknown>({ $ref: "InferenceDuration#", description });

const computed = {
  compute_input: duration("Decoding the inputs."),
  compute_infer: duration("Computing the loss."),
  compute_output: duration("Encoding the outputs."),
};

const InferenceDurations = Type.Object(
  {
    success: duration(
      "Requests with status 200, from the end of the head to the end of the response. No other member includes reading from and writing to the network.",
    ),
    fail: duration("Requests with another status, or whose client left."),
    queue: duration("Waiting for memory and the body's first byte."),
    ...computed,
    cache_hit: duration("0: there is no cache."),
    cache_miss: duration("0: there is no cache."),
  },
  {
    $id: "InferenceDurations",
    title: "InferenceDurations",
    description: "queue and the compute members are those of requests with status 200.",
  },
);

const InferenceBatch = Type.Object(
  { batch_size: Count("Always 1."), ...computed },
  { $id: "InferenceBatch", title: "InferenceBatch" },
);

const InferenceModelStatistics = Type.Object(
  {
    name: Type.String(),
    version: Type.String(),
    last_inference: Count("Time of the last completed request, in milliseconds since 1970, or 0."),
    inference_count: Count("Requests with status 200, each of which is one inference."),
    execution_count: Count("The same: requests are not batched."),
    inference_stats: Type.Ref("InferenceDurations#"),
    batch_stats: Type.Array(Type.Ref("InferenceBatch#"), {
      description: "Empty until the first request has completed.",
    }),
  },
  { $id: "InferenceModelStatistics", title: "InferenceModelStatistics" },
);

export const InferenceStatistics = Type.Object(
  { model_stats: Type.Array(Type.Ref("InferenceModelStatistics#")) },
  { $id: "InferenceStatistics", title: "InferenceStatistics" },
);

/** Schemas, each after the schemas to which it refers. */
export const EXTENSION_SCHEMAS = [
  ConfigTensor,
  InferenceConfig,
  Duration,
  InferenceDurations,
  InferenceBatch,
  InferenceModelStatistics,
  InferenceStatistics,
];

/** Returns the configuration of a model, with the members of Triton's ModelConfig that clients read. */
export function configOf({ name, model: { inputs, outputs, mainOutput } }: Operation) {
  return {
    name,
    platform: "lossd",
    backend: "lossd",
    version_policy: { latest: { num_versions: 1 } },
    max_batch_size: 0,
    input: inputs.map((tensor) => ({ ...configTensor(tensor), optional: tensor.parameters.optional })),
    output: outputs.filter(({ name }) => name === mainOutput).map(configTensor),
  };
}

/** Clients reject a tensor without dims. */
function configTensor({ name, datatype, shape }: ModelTensor) {
  return { name, data_type: `TYPE_${datatype}`, dims: shape.length === 0 ? [1] : shape };
}
