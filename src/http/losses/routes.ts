/** POST /v1/...: a parsed body becomes operands, a plan, a result and a response. */
import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteShorthandOptions } from "fastify";
import { Type } from "typebox";
import { LossError } from "../../loss/loss-error.ts";
import { rejectAt } from "../../problems.ts";
import type { NonFinite } from "../../wire/json/pages.ts";
import type { JsonBody } from "../../wire/json/reader.ts";
import type { TensorFormat } from "../../wire/json/tensors.ts";
import { JsonOperands } from "../../wire/json/tensors.ts";
import type { Engine } from "../body/admission.ts";
import { admit, bodyLimitOf, whenAdmitted } from "../body/admission.ts";
import type { ParserDone } from "../body/json.ts";
import { readJson } from "../body/json.ts";
import type { SafetensorsBody } from "../body/safetensors.ts";
import { readSafetensors, readTensors } from "../body/safetensors.ts";
import type { LossContext } from "../context.ts";
import type { BodyFormat } from "../limits/content-headers.ts";
import { tooLarge } from "../limits/content-headers.ts";
import { sendMembers } from "../send-result.ts";
import { errorResponses } from "../server/problem-schemas.ts";
import type { LossRequest } from "./compute.ts";
import { OperandReader, respond } from "./compute.ts";
import type { Operation } from "./operation.ts";
import { OPERATIONS } from "./operations.ts";
import { withoutNulls } from "./optional.ts";
import { JSON_OPTIONS, OPTION_SCHEMAS } from "./options.ts";
import { RESULT_SCHEMAS } from "./result-schemas.ts";
import { computeRows, openRows, sendRows } from "./row-stream.ts";
import type { Obstacle, Streaming } from "./streaming.ts";
import { TENSOR_SCHEMAS } from "./tensor-schemas.ts";

export function registerOperations(app: FastifyInstance, engine: Engine): void {
  for (const schema of [...TENSOR_SCHEMAS, ...OPTION_SCHEMAS, ...RESULT_SCHEMAS]) app.addSchema(schema);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    "application/json",
    (request: FastifyRequest, payload: IncomingMessage, done: ParserDone) =>
      readJson(request, payload, "contract", done),
  );
  app.addContentTypeParser(
    ["application/vnd.safetensors", "application/x-safetensors"],
    (request: FastifyRequest, payload: IncomingMessage) => readSafetensors(engine, request, payload),
  );
  for (const operation of OPERATIONS) registerOperation(app, engine, operation);
}

/** Options of the JSON response format. */
interface JsonFields {
  readonly format?: TensorFormat;
  readonly non_finite?: NonFinite;
}

function registerOperation(app: FastifyInstance, engine: Engine, operation: Operation): void {
  const { name, operationId, summary, description, request, response, plan } = operation;
  app.addSchema(request);
  app.addSchema(response);
  const options: RouteShorthandOptions = {
    onRequest: (request, _reply, done) => whenAdmitted(admit(engine, operation, request), done),
    config: { operation: name },
    schema: {
      operationId,
      tags: ["lossd"],
      summary,
      description,
      consumes: ["application/json"],
      body: Type.Ref(`${request.$id}#`),
      response: {
        200: {
          description: "The result.",
          content: { "application/json": { schema: Type.Ref(`${response.$id}#`) } },
        },
        ...errorResponses("problem", [401, 404, 406, 408, 411, 413, 415, 422, 500, 503]),
      },
    },
  };
  app.post(`/v1/${name}`, options, (request, reply) => {
    const loss = request.context.loss!;
    const body = request.body as JsonBody | SafetensorsBody;
    const fields = withoutNulls(body.value as JsonFields);
    if (loss.responseFormat !== "json") rejectJsonOptions(fields);
    if ("header" in body) return respondToFile(engine, operation, { reply, loss, body, fields });
    const operands = new JsonOperands(body, fields);
    const format = (): TensorFormat => fields.format ?? operands.format("input");
    return respond(lossRequest(reply, loss, plan, fields, format), operands);
  });
}

/** Request of an operation of /v1. `format` returns the tensor format of its JSON response. */
function lossRequest(
  reply: FastifyReply,
  loss: LossContext,
  plan: Operation["plan"],
  fields: JsonFields,
  format: () => TensorFormat,
): LossRequest {
  return {
    reply,
    loss,
    plan: (reader) => plan(reader, fields as never),
    send: (members) => sendMembers(reply, loss, members, format(), fields.non_finite),
    locate: (error, reader) => reader.problemOf(error),
  };
}

/** Rejects options of JSON for a response in safetensors. */
function rejectJsonOptions(fields: JsonFields): void {
  for (const name of JSON_OPTIONS) {
    if (fields[name] === undefined) continue;
    throw rejectAt("option_without_effect", `/${name}`, `${name} has no effect on a response in safetensors`);
  }
}

/** Request with a safetensors body. */
interface FileRequest {
  readonly reply: FastifyReply;
  readonly loss: LossContext;
  readonly body: SafetensorsBody;
  readonly fields: JsonFields;
}

/** Responds to a safetensors body, row by row as it arrives, or after all of it has arrived. */
async function respondToFile(
  engine: Engine,
  operation: Operation,
  request: FileRequest,
): Promise<FastifyReply> {
  const { reply, loss, body, fields } = request;
  const { dataBytes } = body.header;
  const fits = dataBytes <= engine.bodyLimit;
  const way = operation.streaming(fields as never, body.header);
  const toRespond = lossRequest(reply, loss, operation.plan, fields, () => fields.format ?? "nested");
  if (!("obstacle" in way) && streams(way, loss.responseFormat, fits))
    return respondToRows(engine, operation, request, way, toRespond);
  if (!fits) throw tooLargeAtOnce(engine, dataBytes, way);
  return (await respond(toRespond, await readTensors(loss, body))) ?? reply;
}

/** Responds to a safetensors body whose rows are computed as they arrive. */
async function respondToRows(
  { bodyLimit }: Engine,
  { plan }: Operation,
  { reply, loss, body, fields }: FileRequest,
  way: Streaming,
  { send, locate }: LossRequest,
): Promise<FastifyReply> {
  const isGone = (): boolean => reply.raw.destroyed;
  let reader: OperandReader | undefined;
  try {
    const stream = await openRows(loss, body, way, bodyLimit, isGone, (operands, streamed) => {
      reader = new OperandReader(loss, operands);
      return { reader, plan: plan(reader, fields as never, streamed) };
    });
    if (way.leaves !== undefined) return await sendRows(reply, stream);
    return (await send(await computeRows(stream))) ?? reply;
  } catch (error) {
    throw error instanceof LossError && reader !== undefined ? locate(error, reader) : error;
  }
}

function tooLargeAtOnce(engine: Engine, dataBytes: number, way: Streaming | Obstacle) {
  const obstacle =
    "obstacle" in way ? way.obstacle : `${way.leaves} would stream in a response in safetensors`;
  const got = `${dataBytes} bytes of tensors, which must be in memory at once: ${obstacle}`;
  return tooLarge(got, bodyLimitOf(engine));
}

/** Whether to stream. A response of the body's size streams only if it must, because a client that writes all before it reads would block itself. */
function streams({ leaves }: Streaming, responseFormat: BodyFormat, fits: boolean): boolean {
  return leaves === undefined || (responseFormat === "safetensors" && !fits);
}
