/** Routes of the Open Inference Protocol v2, with the operations as models. */
import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteShorthandOptions } from "fastify";
import type { TSchema } from "typebox";
import { Type } from "typebox";
import type { LossName } from "../../loss/names.ts";
import { LOSSES } from "../../loss/names.ts";
import { VERSION } from "../../version.ts";
import type { InferenceOperands } from "../../wire/inference/reader.ts";
import type { Engine } from "../body/admission.ts";
import { whenAdmitted } from "../body/admission.ts";
import type { ParserDone } from "../body/one-piece.ts";
import type { Responder } from "../losses/compute.ts";
import { prepare, problemAt, respond } from "../losses/compute.ts";
import type { Operation } from "../losses/operation.ts";
import { OPERATIONS } from "../losses/operations.ts";
import { keepPrepared, takePrepared } from "../losses/repeats.ts";
import { statisticsOf } from "../observe/inferences.ts";
import type { Sending } from "../send-result.ts";
import { LIVE_DESCRIPTION, READY_DESCRIPTION } from "../server/health.ts";
import { errorResponses } from "../server/problem-schemas.ts";
import type { Lifecycle } from "../server/shutdown.ts";
import { readiness } from "../server/shutdown.ts";
import { validatorOf } from "../server/validation.ts";
import { configOf, EXTENSION_SCHEMAS, InferenceConfig, InferenceStatistics } from "./extensions.ts";
import { describeOptions } from "./metadata.ts";
import { checkModel, checkNames, fieldProblem, optionsOf } from "./parameters.ts";
import type { InferenceBody, InferenceJson } from "./request.ts";
import { admitInference, givenMembers, readInference, readOperands } from "./request.ts";
import { sendInference } from "./response.ts";
import {
  INFERENCE_SCHEMAS,
  InferenceModel,
  InferenceModels,
  InferenceReady,
  InferenceRequest,
  InferenceResponse,
  InferenceServer,
} from "./schemas.ts";

const ref = (schema: TSchema) => Type.Ref(`${(schema as { $id?: string }).$id}#`);

/** Describes a response with its example, if there is one of the route itself. */
const json = (description: string, schema: TSchema, example?: object) => ({
  description,
  content: { "application/json": { schema: ref(schema), ...(example && { example }) } },
});

const responses = (
  description: string,
  schema: TSchema,
  errors: readonly number[] = [],
  example?: object,
) => ({
  200: json(description, schema, example),
  ...errorResponses("inference", errors),
});

/** Gives readiness one format for both statuses. */
const readinessResponses = (description: string, errors: readonly number[], model = {}) => ({
  ...responses(description, InferenceReady, errors, { ...model, ready: true }),
  503: json("Not ready: send no new requests.", InferenceReady, { ...model, ready: false }),
});

export async function registerInference(
  app: FastifyInstance,
  engine: Engine,
  lifecycle: Lifecycle,
  metricsText: () => Promise<string>,
): Promise<void> {
  for (const schema of [...INFERENCE_SCHEMAS, ...EXTENSION_SCHEMAS]) app.addSchema(schema);
  // Registers a scope whose bodies may have any media type, or none.
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", (request: FastifyRequest, payload: IncomingMessage, done: ParserDone) =>
      readInference(request, payload, done),
    );
    registerServer(scope, lifecycle);
    registerStatistics(scope, "/v2/models", "", metricsText);
    for (const operation of OPERATIONS) {
      for (const version of ["", "/versions/1"] as const) {
        const model = modelOf(operation, version);
        registerMetadata(scope, lifecycle, model);
        registerConfig(scope, model);
        registerStatistics(scope, model.path, model.suffix, metricsText, [model.name]);
        registerInfer(scope, engine, model);
      }
    }
  });
}

function registerServer(app: FastifyInstance, lifecycle: Lifecycle): void {
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

interface Model {
  readonly operation: Operation;
  readonly name: LossName;
  readonly path: string;
  /** Suffix of the operation ids of its routes. */
  readonly suffix: string;
}

function modelOf(operation: Operation, version: "" | "/versions/1"): Model {
  const { name, operationId } = operation;
  const suffix = `${operationId[0]!.toUpperCase()}${operationId.slice(1)}${version === "" ? "" : "V1"}`;
  return { operation, name, path: `/v2/models/${name}${version}`, suffix };
}

function registerMetadata(
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

function registerConfig(app: FastifyInstance, { operation, name, path, suffix }: Model): void {
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
function registerStatistics(
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

function registerInfer(app: FastifyInstance, engine: Engine, { operation, name, path, suffix }: Model): void {
  const { summary, description, request } = operation;
  const options: RouteShorthandOptions = {
    onRequest: (asked, _reply, done) => whenAdmitted(admitInference(engine, operation, asked), done),
    config: { operation: name, model: name },
    schema: {
      operationId: `infer${suffix}`,
      tags: ["inference"],
      summary,
      description: `${description} Options are \`parameters\`; tensors are JSON, or bytes behind the JSON.`,
      consumes: ["application/json"],
      body: ref(InferenceRequest),
      response: responses("The outputs.", InferenceResponse, [401, 408, 411, 413, 415, 422, 503]),
    },
  };
  const contract = { schema: request, find: (id: string) => app.getSchema(id) };
  const validateFields = validatorOf(app, { $ref: `${request.$id}#` });
  app.post(`${path}/infer`, options, (asked: FastifyRequest, reply: FastifyReply) => {
    const loss = asked.context.loss!;
    const json = asked.body as InferenceJson;
    const isWhole = json.reader === undefined;
    const repeated = isWhole ? takePrepared(loss, options, json) : undefined;
    if (repeated !== undefined) return respond(reply, loss, repeated);
    const body = givenMembers(json.value as InferenceBody);
    checkModel(name, body);
    checkNames(operation.model, body);
    const fields = optionsOf(body, validateFields, contract);
    const infer = (operands: InferenceOperands): Sending => {
      const prepared = prepare(loss, operation, operands, fields, responderOf(operation, body, operands));
      return respond(reply, loss, isWhole ? keepPrepared(loss, options, json, prepared) : prepared);
    };
    const operands = readOperands(asked, json, body);
    if (!(operands instanceof Promise)) return infer(operands);
    return operands.then(async (read) => (await infer(read)) ?? reply);
  });
}

function responderOf(operation: Operation, body: InferenceBody, operands: InferenceOperands): Responder {
  return {
    isNested: false,
    send: (reply, loss, members) => sendInference(reply, loss, operation, body, members),
    locate: (error) => (error.element === undefined ? fieldProblem(body, error) : problemAt(error, operands)),
  };
}
