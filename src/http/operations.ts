/** The three operations and their routes. */
import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteShorthandOptions } from "fastify";
import type { TSchema } from "typebox";
import { Type } from "typebox";
import type { Header } from "../wire/safetensors.ts";
import type { Engine } from "./admission.ts";
import { admit, bodyLimitOf } from "./admission.ts";
import type { JsonOptions } from "./answer.ts";
import { checkJsonOptions, sendAnswer } from "./answer.ts";
import { readJson } from "./body.ts";
import type { LossPlan } from "./compute.ts";
import { compute } from "./compute.ts";
import { CrossEntropyRequest, CrossEntropyResult, crossEntropyPlan } from "./contract/cross-entropy.ts";
import {
  LogSoftmaxRequest,
  LogSoftmaxResult,
  logSoftmaxPlan,
  logSoftmaxStreaming,
} from "./contract/log-softmax.ts";
import { NllLossRequest, NllLossResult, nllLossPlan } from "./contract/nll-loss.ts";
import { withoutNulls } from "./contract/optional.ts";
import { OPTION_SCHEMAS } from "./contract/options.ts";
import { refusals } from "./contract/problem.ts";
import { RESULT_SCHEMAS } from "./contract/result.ts";
import type { Obstacle, StreamedInput, Streaming } from "./contract/streaming.ts";
import { lossStreaming } from "./contract/streaming.ts";
import { TENSOR_SCHEMAS } from "./contract/tensor.ts";
import type { Answer, Job } from "./job.ts";
import type { Media } from "./media.ts";
import { tooLarge } from "./preflight.ts";
import { jobOf } from "./request.ts";
import type { Opening, OpenStream } from "./stream.ts";
import { computeStream, openStream, sendStream } from "./stream.ts";
import type { Upload } from "./upload.ts";
import { placeAll, readUpload } from "./upload.ts";

export interface Operation {
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly request: TSchema & { $id?: string };
  readonly response: TSchema & { $id?: string };
  /** Checks the operands and plans the loss. The body has passed `request`'s schema, which is where its type comes from. */
  readonly plan: (job: Job, body: never, streamed?: StreamedInput) => LossPlan;
  /** How it takes a safetensors body. */
  readonly streaming: (body: never, header: Header) => Streaming | Obstacle;
}

export const OPERATIONS: readonly Operation[] = [
  {
    path: "/v1/log_softmax",
    operationId: "logSoftmax",
    summary: "Logarithm of the softmax along a dimension",
    description:
      "`torch.nn.functional.log_softmax`: every line along `dim` becomes (x - max) - log(sum(exp(x - max))). With return_grad also `grad_output - exp(output) * sum(grad_output)`.",
    request: LogSoftmaxRequest,
    response: LogSoftmaxResult,
    plan: logSoftmaxPlan,
    streaming: logSoftmaxStreaming,
  },
  {
    path: "/v1/nll_loss",
    operationId: "nllLoss",
    summary: "Negative log-likelihood of class indices, given log-probabilities",
    description:
      "`torch.nn.functional.nll_loss`: -input[target] * weight[target] at each position, exactly 0 where the target is ignore_index. The mean divides by the weights of the kept targets (`total_weight`).",
    request: NllLossRequest,
    response: NllLossResult,
    plan: nllLossPlan,
    streaming: lossStreaming,
  },
  {
    path: "/v1/cross_entropy",
    operationId: "crossEntropy",
    summary: "Cross entropy between logits and class indices or probabilities",
    description:
      "`torch.nn.functional.cross_entropy`: log_softmax over the class dimension, then nll_loss; with a target of the input's shape minus the sum of log-probabilities times probabilities. The mean divides by the weights of the kept targets for class indices, by the number of positions for probabilities.",
    request: CrossEntropyRequest,
    response: CrossEntropyResult,
    plan: crossEntropyPlan,
    streaming: lossStreaming,
  },
];

export function registerOperations(app: FastifyInstance, engine: Engine): void {
  for (const schema of [...TENSOR_SCHEMAS, ...OPTION_SCHEMAS, ...RESULT_SCHEMAS]) app.addSchema(schema);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    "application/json",
    (
      request: FastifyRequest,
      payload: IncomingMessage,
      done: (error: Error | null, body?: unknown) => void,
    ) => readJson(engine, request, payload, done),
  );
  app.addContentTypeParser(
    ["application/vnd.safetensors", "application/x-safetensors"],
    (request: FastifyRequest, payload: IncomingMessage) => readUpload(engine, request, payload),
  );
  for (const operation of OPERATIONS) registerOperation(app, engine, operation);
}

function registerOperation(app: FastifyInstance, engine: Engine, operation: Operation): void {
  const { path, operationId, summary, description, request, response, plan, streaming } = operation;
  app.addSchema(request);
  app.addSchema(response);
  const options: RouteShorthandOptions = {
    onRequest: (request, reply, done) => {
      admit(engine, operationId, request, reply);
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
        ...refusals("problem", [401, 404, 406, 408, 411, 413, 415, 422, 500, 503]),
      },
    },
  };
  app.post(path, options, (request, reply) => {
    const job = jobOf(request);
    const body = withoutNulls(request.body as object) as never;
    checkJsonOptions(job, body as JsonOptions);
    const gone = (): boolean => reply.raw.destroyed;
    const send = (answer: Answer): FastifyReply | Promise<FastifyReply> =>
      sendAnswer(reply, job, answer, body as JsonOptions);
    if (job.upload !== undefined) {
      const way = streaming(body, job.upload.header);
      const opening = { plan: (streamed?: StreamedInput) => plan(job, body, streamed), gone };
      return answerUpload(engine, { reply, job, upload: job.upload }, way, opening, send);
    }
    // The short way: a loss that ends in its first slice is answered in this turn of the event loop, without a promise.
    job.stages.enter("compute");
    const answer = compute(job, plan(job, body), gone);
    return answer instanceof Promise ? answer.then(send) : send(answer);
  });
}

/** The parts of a request with a safetensors body. */
interface UploadRequest {
  readonly reply: FastifyReply;
  readonly job: Job;
  readonly upload: Upload;
}

/** Answers a safetensors body: row by row as it arrives, or once all of it is there. */
async function answerUpload(
  engine: Engine,
  { reply, job, upload }: UploadRequest,
  way: Streaming | Obstacle,
  opening: Opening,
  send: (answer: Answer) => FastifyReply | Promise<FastifyReply>,
): Promise<FastifyReply> {
  const stream = await receive(engine, job, upload, way, opening);
  if (stream?.leaves !== undefined) return sendStream(reply, stream);
  job.stages.enter("compute");
  const answer = await (stream === undefined
    ? compute(job, opening.plan(), opening.gone)
    : computeStream(stream));
  return send(answer);
}

/** Opens an upload that is computed row by row, or reads all of it. */
async function receive(
  engine: Engine,
  job: Job,
  upload: Upload,
  way: Streaming | Obstacle,
  opening: Opening,
): Promise<OpenStream | undefined> {
  const { bodyLimit } = engine;
  const { dataBytes } = upload.header;
  const fits = dataBytes <= bodyLimit;
  if (!("obstacle" in way) && streams(way, job.answer, fits))
    return openStream(job, upload, way, bodyLimit, opening);
  if (!fits) {
    const obstacle =
      "obstacle" in way ? way.obstacle : `${way.leaves} would stream in an answer of safetensors`;
    const got = `${dataBytes} bytes of tensors, which have to be there at once: ${obstacle}`;
    throw tooLarge(got, bodyLimitOf(engine));
  }
  await placeAll(job, upload);
  return undefined;
}

/** An answer of the upload's size leaves while it comes only where it has to: a client that writes all before it reads would wait for itself. */
function streams({ leaves }: Streaming, answer: Media, fits: boolean): boolean {
  return leaves === undefined || (answer === "safetensors" && !fits);
}
