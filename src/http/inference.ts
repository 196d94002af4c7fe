/** The Open Inference Protocol v2: the operations as models, for the clients that the field has. */
import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteShorthandOptions } from "fastify";
import type { TSchema } from "typebox";
import { Type } from "typebox";
import { LossRefusal } from "../loss/refusal.ts";
import { VERSION } from "../version.ts";
import type { Engine } from "./admission.ts";
import { compute } from "./compute.ts";
import type { ModelName } from "./contract/inference.ts";
import {
  INFERENCE_SCHEMAS,
  InferenceModel,
  InferenceModels,
  InferenceReady,
  InferenceRequest,
  InferenceResponse,
  InferenceServer,
  MODEL_TENSORS,
} from "./contract/inference.ts";
import {
  configOf,
  EXTENSION_SCHEMAS,
  InferenceConfig,
  InferenceStatistics,
} from "./contract/inference-extensions.ts";
import { describeOptions } from "./contract/inference-options.ts";
import { refusals } from "./contract/problem.ts";
import type { Lifecycle } from "./drain.ts";
import { readiness } from "./drain.ts";
import { sendInference } from "./inference-answer.ts";
import { checkModel, checkNames, optionsOf, refuseLoss } from "./inference-check.ts";
import type { InferenceBody } from "./inference-request.ts";
import { admitInference, givenMembers, readInference, receiveInputs } from "./inference-request.ts";
import { statisticsOf } from "./inference-stats.ts";
import type { Answer } from "./job.ts";
import type { Operation } from "./operations.ts";
import { OPERATIONS } from "./operations.ts";
import { jobOf } from "./request.ts";

const ref = (schema: TSchema) => Type.Ref(`${(schema as { $id?: string }).$id}#`);

const json = (description: string, schema: TSchema) => ({
  description,
  content: { "application/json": { schema: ref(schema) } },
});

const answers = (description: string, schema: TSchema, refused: readonly number[] = []) => ({
  200: json(description, schema),
  ...refusals("inference", refused),
});

/** Readiness is answered in one form, whatever it is. */
const readinessAnswers = (description: string, refused: readonly number[]) => ({
  ...answers(description, InferenceReady, refused),
  503: json("Not ready: send no new requests.", InferenceReady),
});

export async function registerInference(
  app: FastifyInstance,
  engine: Engine,
  lifecycle: Lifecycle,
  metricsText: () => Promise<string>,
): Promise<void> {
  for (const schema of [...INFERENCE_SCHEMAS, ...EXTENSION_SCHEMAS]) app.addSchema(schema);
  // A scope of its own: its bodies may have any media type, or none.
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", (request: FastifyRequest, payload: IncomingMessage) =>
      readInference(engine, request, payload),
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
  // What never answers 401 asks for no token.
  const schema = (operationId: string, summary: string, response: object) => ({
    schema: {
      operationId,
      tags: ["inference"],
      summary,
      response,
      ...(401 in response ? {} : { security: [] }),
    },
  });
  const extensions = ["binary_tensor_data", "model_configuration", "statistics"];
  const server = { name: "lossd", version: VERSION, extensions };
  app.get(
    "/v2",
    schema(
      "inferenceServer",
      "The server and its extensions",
      answers("The server.", InferenceServer, [401]),
    ),
    async () => server,
  );
  app.get(
    "/v2/models",
    schema("inferenceModels", "The models", answers("The models.", InferenceModels, [401])),
    async () => ({ models: Object.keys(MODEL_TENSORS) }),
  );
  const live = answers("It works.", InferenceReady);
  app.get("/v2/health/live", schema("inferenceLive", "Whether the process works", live), async () => ({
    live: true,
  }));
  const ready = readinessAnswers("Send requests.", []);
  app.get(
    "/v2/health/ready",
    schema("inferenceReady", "Whether to send traffic", ready),
    async (_request, reply) => readyAnswer(lifecycle, reply),
  );
}

function readyAnswer(lifecycle: Lifecycle, reply: FastifyReply): { ready: boolean } {
  const { ready, status } = readiness(lifecycle);
  reply.code(status);
  return { ready };
}

interface Model {
  readonly operation: Operation;
  readonly name: ModelName;
  readonly path: string;
  /** What the ids of its routes end in. */
  readonly suffix: string;
}

function modelOf(operation: Operation, version: "" | "/versions/1"): Model {
  const { path, operationId } = operation;
  const name = path.slice(path.lastIndexOf("/") + 1) as ModelName;
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
    ...MODEL_TENSORS[name],
    parameters: describeOptions(operation.request),
  };
  const schema = {
    operationId: `model${suffix}`,
    tags: ["inference"],
    summary: `Inputs, outputs and parameters of ${name}`,
    response: answers("The model.", InferenceModel, [401]),
  };
  app.get(path, { schema }, async () => metadata);
  const ready = {
    operationId: `modelReady${suffix}`,
    tags: ["inference"],
    summary: `Whether ${name} takes requests`,
    response: readinessAnswers("It does.", [401]),
  };
  app.get(`${path}/ready`, { schema: ready }, async (_request, reply) => ({
    name,
    ...readyAnswer(lifecycle, reply),
  }));
}

function registerConfig(app: FastifyInstance, { name, path, suffix }: Model): void {
  const config = configOf(name);
  const schema = {
    operationId: `modelConfig${suffix}`,
    tags: ["inference"],
    summary: `Configuration of ${name}, as Triton's model configuration extension has it`,
    response: answers("The configuration.", InferenceConfig, [401]),
  };
  app.get(`${path}/config`, { schema }, async () => config);
}

/** The statistics of `models`, or of all: read from the page of metrics, which has the counts of a whole group. */
function registerStatistics(
  app: FastifyInstance,
  path: string,
  suffix: string,
  metricsText: () => Promise<string>,
  models?: readonly ModelName[],
): void {
  const schema = {
    operationId: models === undefined ? "statistics" : `modelStatistics${suffix}`,
    tags: ["inference"],
    summary: `Inferences of ${models?.[0] ?? "every model"}, as Triton's statistics extension counts them`,
    response: answers("The statistics.", InferenceStatistics, [401, 503]),
  };
  app.get(`${path}/stats`, { schema }, async () => statisticsOf(await metricsText(), models));
}

function registerInfer(app: FastifyInstance, engine: Engine, { operation, name, path, suffix }: Model): void {
  const { operationId, summary, request, plan } = operation;
  const options: RouteShorthandOptions = {
    onRequest: (asked, reply, done) => {
      admitInference(engine, operationId, asked, reply);
      jobOf(asked).model = name;
      done();
    },
    config: { model: name },
    schema: {
      operationId: `infer${suffix}`,
      tags: ["inference"],
      summary,
      consumes: ["application/json"],
      body: ref(InferenceRequest),
      response: answers("The outputs.", InferenceResponse, [401, 408, 411, 413, 415, 422, 503]),
    },
  };
  const validated = { $ref: `${request.$id}#` };
  const contract = { schema: request, find: (id: string) => app.getSchema(id) };
  app.post(`${path}/infer`, options, async (asked: FastifyRequest, reply: FastifyReply) => {
    const job = jobOf(asked);
    const body = givenMembers(asked.body as InferenceBody);
    checkModel(name, body);
    checkNames(MODEL_TENSORS[name], body);
    const fields = optionsOf(body, asked.compileValidationSchema(validated), contract);
    await receiveInputs(engine, asked, body);
    const gone = (): boolean => reply.raw.destroyed;
    job.stages.enter("compute");
    const answer = await infer(body, () => compute(job, plan(job, fields as never), gone));
    return sendInference(reply, job, name, body, answer);
  });
}

/** Runs an operation. What it refuses is refused at its place in the inference request; an element's place, the operands know. */
async function infer(body: InferenceBody, run: () => Answer | Promise<Answer>): Promise<Answer> {
  try {
    return await run();
  } catch (error) {
    throw error instanceof LossRefusal && error.element === undefined ? refuseLoss(body, error) : error;
  }
}
