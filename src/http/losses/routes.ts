/** POST /v1/...: a parsed body becomes operands, a plan, a result and a response. */
import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteShorthandOptions } from "fastify";
import { Type } from "typebox";
import { rejectAt } from "../../problems.ts";
import { JsonBody } from "../../wire/json/reader.ts";
import type { TensorFormat } from "../../wire/json/tensors.ts";
import { JsonOperands } from "../../wire/json/tensors.ts";
import type { NonFinite } from "../../wire/json/writer.ts";
import type { Operands } from "../../wire/operands.ts";
import type { Engine } from "../body/admission.ts";
import { admit, bodyLimitOf, whenAdmitted } from "../body/admission.ts";
import { readJson } from "../body/json.ts";
import type { ParserDone } from "../body/one-piece.ts";
import type { SafetensorsBody, ShortFile } from "../body/safetensors.ts";
import { readFileOptions, readSafetensors, readTensors, shortFileOperands } from "../body/safetensors.ts";
import type { BodyFormat } from "../content/content-headers.ts";
import { tooLarge } from "../content/content-headers.ts";
import type { LossContext, ParsedBody } from "../context.ts";
import type { Sending } from "../send-result.ts";
import { sendMembers } from "../send-result.ts";
import { errorResponses } from "../server/problem-schemas.ts";
import { describeValidation, validatorOf } from "../server/validation.ts";
import type { Responder } from "./compute.ts";
import { OperandReader, prepare, problemAt, respond } from "./compute.ts";
import { withoutNulls } from "./nulls.ts";
import type { Operation } from "./operation.ts";
import { OPERATIONS } from "./operations.ts";
import { JSON_OPTIONS, OPTION_SCHEMAS } from "./options.ts";
import { keepPrepared, takePrepared } from "./repeats.ts";
import { RESULT_SCHEMAS } from "./result-schemas.ts";
import { computeRows, openRows, sendRows } from "./row-stream.ts";
import type { NotStreamable, Streaming } from "./streaming.ts";
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
    (request: FastifyRequest, payload: IncomingMessage, done: ParserDone) =>
      readSafetensors(engine, request, payload, done),
  );
  for (const operation of OPERATIONS) registerOperation(app, engine, operation);
}

/** Options of the JSON response format. */
interface JsonFields {
  readonly format?: TensorFormat;
  readonly non_finite?: NonFinite;
}

function registerOperation(app: FastifyInstance, engine: Engine, operation: Operation): void {
  const { name, operationId, summary, description, request, response, targetElement } = operation;
  app.addSchema(request);
  app.addSchema(response);
  const checkOptions = optionsCheck(app, request);
  const options: RouteShorthandOptions = {
    onRequest: (request, _reply, done) => whenAdmitted(admit(engine, name, request, checkOptions), done),
    config: { operation: name, targetElement },
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
    const body = request.body as JsonBody | ShortFile | SafetensorsBody;
    if (!("reader" in body)) return respondAtOnce(operation, reply, loss, body);
    return respondToSafetensors(engine, operation, { reply, loss, body, fields: fieldsOf(body, loss) });
  });
}

/** Returns a check of the options in a query string, without those in the file, which it overrides. */
function optionsCheck(app: FastifyInstance, request: Operation["request"]): (query: unknown) => void {
  const validate = validatorOf(app, Type.Ref(`${request.$id}#`));
  const { required = [] } = request as { readonly required?: readonly string[] };
  const tensors = Object.fromEntries(required.map((name) => [name, 0]));
  return (query) => {
    const value = { ...readFileOptions({}, query), ...tensors };
    if (validate(value)) return;
    const find = (id: string): unknown => app.getSchema(id);
    throw describeValidation(validate.errors ?? [], { value, schema: request, find });
  };
}

/** Responds to a body that has arrived, by the loss of an earlier one that it repeats, if there is one. */
function respondAtOnce(
  operation: Operation,
  reply: FastifyReply,
  loss: LossContext,
  body: JsonBody | ShortFile,
): Sending {
  const repeated = takePrepared(loss, operation, body);
  if (repeated !== undefined) return respond(reply, loss, repeated);
  const fields = fieldsOf(body, loss);
  const operands = body instanceof JsonBody ? new JsonOperands(body, fields) : shortFileOperands(body);
  const format = operands instanceof JsonOperands ? operands.format("input") : "nested";
  const responder = responderOf(loss, operands, fields, format);
  const prepared = prepare(loss, operation, operands, fields, responder);
  return respond(reply, loss, keepPrepared(loss, operation, body, prepared));
}

/** Returns the fields of a valid body. Rejects options of JSON for a response in safetensors. */
function fieldsOf({ value }: ParsedBody, { responseFormat }: LossContext): JsonFields {
  const fields = withoutNulls(value as JsonFields);
  if (responseFormat !== "json") rejectJsonOptions(fields);
  return fields;
}

/**
 * Responder of an operation of /v1. `inputFormat` is the default format of tensors in JSON. A function of its own, because the responder is kept
 * for repetitions, and its closures must not hold the request.
 */
function responderOf(
  { responseFormat }: LossContext,
  operands: Operands,
  { format: asked, non_finite: nonFinite }: JsonFields,
  inputFormat: TensorFormat,
): Responder {
  const format = asked ?? inputFormat;
  return {
    isNested: responseFormat === "json" && format === "nested",
    send: (reply, loss, members) => sendMembers(reply, loss, members, format, nonFinite),
    locate: (error) => problemAt(error, operands),
  };
}

/** Rejects options of JSON for a response in safetensors. */
function rejectJsonOptions(fields: JsonFields): void {
  for (const name of JSON_OPTIONS) {
    if (fields[name] === undefined) continue;
    throw rejectAt("option_without_effect", `/${name}`, `${name} has no effect on a response in safetensors`);
  }
}

/** Request with a safetensors body that still arrives. */
interface FileRequest {
  readonly reply: FastifyReply;
  readonly loss: LossContext;
  readonly body: SafetensorsBody;
  readonly fields: JsonFields;
}

/** Responds to a safetensors body, row by row as it arrives, or after all of it has arrived. */
async function respondToSafetensors(
  engine: Engine,
  operation: Operation,
  request: FileRequest,
): Promise<FastifyReply> {
  const { reply, loss, body, fields } = request;
  const { dataBytes } = body.header;
  const fits = dataBytes <= engine.bodyLimit;
  const strategy = operation.streaming(fields as never, body.header);
  if (!("reason" in strategy) && streams(strategy, loss.responseFormat, fits))
    return respondToRows(engine, operation, request, strategy);
  if (!fits) throw tooLargeAtOnce(engine, dataBytes, strategy);
  const operands = await readTensors(loss, body);
  const responder = responderOf(loss, operands, fields, "nested");
  return (await respond(reply, loss, prepare(loss, operation, operands, fields, responder))) ?? reply;
}

/** Responds to a safetensors body whose rows are computed as they arrive. */
async function respondToRows(
  { bodyLimit }: Engine,
  { plan }: Operation,
  { reply, loss, body, fields }: FileRequest,
  strategy: Streaming,
): Promise<FastifyReply> {
  const stream = await openRows(loss, body, strategy, bodyLimit, (operands, streamed) => {
    const reader = new OperandReader(loss, operands);
    const responder = responderOf(loss, operands, fields, "nested");
    loss.locate = responder.locate;
    return { reader, plan: plan(reader, fields as never, streamed), responder };
  });
  if (strategy.streamedOutput !== undefined) return sendRows(reply, stream);
  return (await stream.responder.send(reply, loss, await computeRows(stream))) ?? reply;
}

function tooLargeAtOnce(engine: Engine, dataBytes: number, strategy: Streaming | NotStreamable) {
  const reason =
    "reason" in strategy
      ? strategy.reason
      : `${strategy.streamedOutput} would stream in a response in safetensors`;
  const got = `${dataBytes} bytes of tensors, which must be in memory at once: ${reason}`;
  return tooLarge(got, bodyLimitOf(engine));
}

/** Whether to stream. A response of the body's size streams only if it must, because a client that writes all before it reads would block itself. */
function streams({ streamedOutput }: Streaming, responseFormat: BodyFormat, fits: boolean): boolean {
  return streamedOutput === undefined || (responseFormat === "safetensors" && !fits);
}
