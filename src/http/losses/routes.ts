/** POST /v1/...: a parsed body becomes operands, a plan, a result and a response. */
import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteShorthandOptions } from "fastify";
import { Type } from "typebox";
import { LossError } from "../../loss/errors.ts";
import { rejectAt } from "../../problems.ts";
import type { NonFinite } from "../../wire/json/pages.ts";
import type { JsonBody } from "../../wire/json/reader.ts";
import type { TensorFormat } from "../../wire/json/tensors.ts";
import { JsonOperands } from "../../wire/json/tensors.ts";
import type { Members } from "../../wire/json/writer.ts";
import type { Engine } from "../body/admission.ts";
import { admit, bodyLimitOf } from "../body/admission.ts";
import type { ParserDone } from "../body/json.ts";
import { readJson } from "../body/json.ts";
import type { SafetensorsBody } from "../body/safetensors.ts";
import { readSafetensors, readTensors } from "../body/safetensors.ts";
import type { LossContext } from "../context.ts";
import type { BodyFormat } from "../limits/content-headers.ts";
import { tooLarge } from "../limits/content-headers.ts";
import type { Sending } from "../reply.ts";
import { sendMembers } from "../reply.ts";
import { errorResponses } from "../server/problem-schemas.ts";
import { compute, OperandReader } from "./compute.ts";
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
    onRequest: (request, _reply, done) => {
      admit(engine, operation, request);
      done();
    },
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
    const isGone = (): boolean => reply.raw.destroyed;
    if ("header" in body) return respondToFile(engine, operation, { reply, loss, body, fields, isGone });
    const reader = new OperandReader(loss, new JsonOperands(body, fields));
    loss.timings.enter("compute");
    const send = (members: Members): Sending =>
      sendMembers(reply, loss, members, fields.format ?? reader.operands.format("input"), fields.non_finite);
    // Responds without a promise, in this turn of the event loop, if the loss ends in its first slice.
    try {
      const members = compute(loss, reader, plan(reader, fields as never), isGone);
      if (!(members instanceof Promise)) return send(members);
      return members.then(
        async (later) => (await send(later)) ?? reply,
        (error) => {
          throw located(error, reader);
        },
      );
    } catch (error) {
      throw located(error, reader);
    }
  });
}

/** Adds the pointer into the body to a loss's error. Returns other errors unchanged. */
function located(error: unknown, reader: OperandReader): unknown {
  return error instanceof LossError ? reader.problemOf(error) : error;
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
  readonly isGone: () => boolean;
}

/** Responds to a safetensors body, row by row as it arrives, or after all of it has arrived. */
async function respondToFile(
  engine: Engine,
  operation: Operation,
  { reply, loss, body, fields, isGone }: FileRequest,
): Promise<FastifyReply> {
  const { dataBytes } = body.header;
  const fits = dataBytes <= engine.bodyLimit;
  const way = operation.streaming(fields as never, body.header);
  let reader: OperandReader | undefined;
  try {
    if (!("obstacle" in way) && streams(way, loss.responseFormat, fits)) {
      const stream = await openRows(loss, body, way, engine.bodyLimit, isGone, (operands, streamed) => {
        reader = new OperandReader(loss, operands);
        return { reader, plan: operation.plan(reader, fields as never, streamed) };
      });
      if (way.leaves !== undefined) return await sendRows(reply, stream);
      return (
        (await sendMembers(reply, loss, await computeRows(stream), "nested", fields.non_finite)) ?? reply
      );
    }
    if (!fits) throw tooLargeAtOnce(engine, dataBytes, way);
    reader = new OperandReader(loss, await readTensors(loss, body));
    loss.timings.enter("compute");
    const members = await compute(loss, reader, operation.plan(reader, fields as never), isGone);
    return (await sendMembers(reply, loss, members, fields.format ?? "nested", fields.non_finite)) ?? reply;
  } catch (error) {
    throw reader === undefined ? error : located(error, reader);
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
