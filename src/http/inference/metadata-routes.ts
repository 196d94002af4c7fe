/** GET routes of the Open Inference Protocol: health and metadata, with Triton's configuration and statistics of models. */
import type { FastifyInstance, FastifyReply } from "fastify";
import type { LossName } from "../../loss/names.ts";
import { LOSSES } from "../../loss/names.ts";
import { VERSION } from "../../version.ts";
import type { Operation } from "../losses/operation.ts";
import { statisticsOf } from "../observe/inferences.ts";
import { LIVE_DESCRIPTION, READY_DESCRIPTION } from "../server/health.ts";
import type { Lifecycle } from "../server/shutdown.ts";
import { readiness } from "../server/shutdown.ts";
import { configOf, InferenceConfig, InferenceStatistics } from "./extensions.ts";
import { describeOptions } from "./metadata.ts";
import {
  InferenceModel,
  InferenceModels,
  InferenceReady,
  InferenceServer,
  json,
  responses,
} from "./schemas.ts";

/** Gives readiness one format for both statuses. */
const readinessResponses = (description: string, errors: readonly number[], model = {}) => ({
  ...responses(description, InferenceReady, errors, { ...model, ready: true }),
  503: json("Not ready: send no new requests.", InferenceReady, { ...model, ready: false }),
});

export function registerServer(app: FastifyInstance, lifecycle: Lifecycle): void {
  // Requires no token for routes without a 401 response.
  const schema = (operationId: string, summary: string, description: string, response: object) => ({
    schema: {
      operationId,
      tags: ["inference"],
      summary,
      description,
      response,
      ...(401 in response ? {} : { security: [] }),
    },
  });
  const extensions = ["binary_tensor_data", "model_configuration", "statistics"];
  const server = { name: "lossd", version: VERSION, extensions };
  const models = { models: LOSSES };
  app.get(
    "/v2",
    schema(
      "inferenceServer",
      "The server and its extensions",
      "`extensions` are those of Triton: tensors as bytes, model configuration and statistics.",
      responses("The server.", InferenceServer, [401], server),
    ),
    async () => server,
  );
  app.get(
    "/v2/models",
    schema(
      "inferenceModels",
      "The models",
      "One model for each loss. Its only version is 1, and paths may omit it.",
      responses("The models.", InferenceModels, [401], models),
    ),
    async () => models,
  );
  const live = { live: true };
  app.get(
    "/v2/health/live",
    schema(
      "inferenceLive",
      "Whether the process works",
      LIVE_DESCRIPTION,
      responses("It works.", InferenceReady, [], live),
    ),
    async () => live,
  );
  const ready = readinessResponses("Send requests.", []);
  app.get(
    "/v2/health/ready",
    schema("inferenceReady", "Whether to send traffic", READY_DESCRIPTION, ready),
    async (_request, reply) => readyResponse(lifecycle, reply),
  );
}

function readyResponse(lifecycle: Lifecycle, reply: FastifyReply): { ready: boolean } {
  const { ready, status } = readiness(lifecycle);
  reply.code(status);
  return { ready };
}

/** Operation under one of its paths. */
export interface Model {
  readonly operation: Operation;
  readonly name: LossName;
  readonly path: string;
  /** Suffix of the operation ids of its routes. */
  readonly suffix: string;
}

export function modelOf(operation: Operation, version: "" | "/versions/1"): Model {
  const { name, operationId } = operation;
  const suffix = `${operationId[0]!.toUpperCase()}${operationId.slice(1)}${version === "" ? "" : "V1"}`;
  return { operation, name, path: `/v2/models/${name}${version}`, suffix };
}

export function registerMetadata(
  app: FastifyInstance,
  lifecycle: Lifecycle,
  { operation, name, path, suffix }: Model,
): void {
  const metadata = {
    name,
    versions: ["1"],
    platform: "lossd",
    inputs: operation.model.inputs,
    outputs: operation.model.outputs,
    parameters: describeOptions(operation.request),
  };
  const schema = {
    operationId: `model${suffix}`,
    tags: ["inference"],
    summary: `Inputs, outputs and parameters of ${name}`,
    description:
      "Names, datatypes and shapes of the tensors, where -1 is any size, and the options with their types and defaults.",
    response: responses("The model.", InferenceModel, [401], metadata),
  };
  app.get(path, { schema }, async () => metadata);
  const ready = {
    operationId: `modelReady${suffix}`,
    tags: ["inference"],
    summary: `Whether ${name} takes requests`,
    description: "All models are ready while the server is.",
    response: readinessResponses("It does.", [401], { name }),
  };
  app.get(`${path}/ready`, { schema: ready }, async (_request, reply) => ({
    name,
    ...readyResponse(lifecycle, reply),
  }));
}

export function registerConfig(app: FastifyInstance, { operation, name, path, suffix }: Model): void {
  const config = configOf(operation);
  const schema = {
    operationId: `modelConfig${suffix}`,
    tags: ["inference"],
    summary: `Configuration of ${name}, as Triton's model configuration extension has it`,
    description:
      "For clients that need it, such as nvidia-pytriton. `output` has the main output only, because such clients request every output.",
    response: responses("The configuration.", InferenceConfig, [401], config),
  };
  app.get(`${path}/config`, { schema }, async () => config);
}

/** Serves the statistics of `models`, or of all, from the metrics, which have the counts of the cluster. */
export function registerStatistics(
  app: FastifyInstance,
  path: string,
  suffix: string,
  metricsText: () => Promise<string>,
  models?: readonly LossName[],
): void {
  const schema = {
    operationId: models === undefined ? "statistics" : `modelStatistics${suffix}`,
    tags: ["inference"],
    summary: `Inferences of ${models?.[0] ?? "every model"}, as Triton's statistics extension counts them`,
    description: "Requests under /v2 since the start, of all workers. /metrics has the same counts.",
    // Of a server without requests.
    response: responses("The statistics.", InferenceStatistics, [401, 503], statisticsOf("", models)),
  };
  app.get(`${path}/stats`, { schema }, async () => statisticsOf(await metricsText(), models));
}
