/** Routes of the Open Inference Protocol v2, with the operations as models. */
import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteShorthandOptions } from "fastify";
import type { InferenceOperands } from "../../wire/inference/reader.ts";
import type { Engine } from "../body/admission.ts";
import { whenAdmitted } from "../body/admission.ts";
import type { ParserDone } from "../body/one-piece.ts";
import type { Responder } from "../losses/compute.ts";
import { prepare, problemAt, respond } from "../losses/compute.ts";
import type { Operation } from "../losses/operation.ts";
import { OPERATIONS } from "../losses/operations.ts";
import { keepPrepared, takePrepared } from "../losses/repeats.ts";
import type { Sending } from "../send-result.ts";
import type { Lifecycle } from "../server/shutdown.ts";
import { validatorOf } from "../server/validation.ts";
import { EXTENSION_SCHEMAS } from "./extensions.ts";
import type { Model } from "./metadata-routes.ts";
import {
  modelOf,
  registerConfig,
  registerMetadata,
  registerServer,
  registerStatistics,
} from "./metadata-routes.ts";
import { checkModel, checkNames, fieldProblem, optionsOf } from "./parameters.ts";
import type { InferenceBody, InferenceJson } from "./request.ts";
import { admitInference, givenMembers, readInference, readOperands } from "./request.ts";
import { sendInference } from "./response.ts";
import { INFERENCE_SCHEMAS, InferenceRequest, InferenceResponse, ref, responses } from "./schemas.ts";

export async function registerInference(
  app: FastifyInstance,
  engine: Engine,
  lifecycle: Lifecycle,
  metricsText: () => Promise<string>,
): Promise<void> {
  for (const schema of [...INFERENCE_SCHEMAS, ...EXTENSION_SCHEMAS]) app.addSchema(schema);
  // A scope whose bodies may have any media type, or none.
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
