/** Record of a request, created when its head has been read and ended once, when its response ends or its connection closes. */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Kernel } from "../kernel/load.ts";
import type { LossError } from "../loss/loss-error.ts";
import type { LossName } from "../loss/names.ts";
import type { Problem, ProblemCode } from "../problems.ts";
import type { Region } from "../tensor/arena.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Connection, Exchange } from "./connection.ts";
import type { Coding } from "./content/content-coding.ts";
import type { BodyFormat, SizeLimit } from "./content/content-headers.ts";
import type { Urgency } from "./turns.ts";
import { ClientGone, turnIfBusy } from "./turns.ts";

declare module "fastify" {
  interface FastifyRequest {
    context: RequestContext;
  }

  interface FastifyContextConfig {
    /** Loss of a route, which names its requests in logs, metrics and spans also if they are rejected before admission. */
    operation?: LossName;
    /** Description of an element of the target, for error texts. */
    targetElement?: string | undefined;
  }
}

/** State of a request, shared by hooks, routes, logs, metrics and traces. */
export interface RequestContext {
  readonly exchange: Exchange;
  /** Span of the request, if a collector is set. */
  readonly trace: Trace | undefined;
  /** Code of the error in the response, or of the error that aborted it. */
  problem: ProblemCode | undefined;
  /** Set by admission. Undefined on routes without a loss. */
  loss: LossContext | undefined;
}

/** Status of nginx for a client that disconnected before its response, so it is seen only in logs, metrics and spans. */
export const CLIENT_GONE = 499;

/** Result of a request, also of a request without a complete response, read once for its log line, its metrics and its span. */
export interface Outcome {
  /** Loss of the route, if it has one. */
  readonly operation: LossName | undefined;
  /** Model of the route, if it is an inference. */
  readonly model: string | undefined;
  /** Path of a route without a loss, or of a request that was rejected before admission. */
  readonly route: string | undefined;
  /** Status that was sent, or 499 if the client left before its response. */
  readonly status: number;
  /**
   * Whether the response began and was not sent to its end. The client left or did not read, the body turned out to be invalid after the head
   * of a streamed response, or the server failed or stopped.
   */
  readonly isAborted: boolean;
  /** Milliseconds from the head of the request to the end. */
  readonly ms: number;
  /** Bytes of the response that were written to the socket, with the head. */
  readonly bytesSent: number;
}

/** Reads the outcome when the response has closed. Node sets `writableFinished` once the kernel has all bytes of the response. */
export function outcomeOf(
  request: FastifyRequest,
  { raw, statusCode, elapsedTime }: FastifyReply,
  connection: Connection,
): Outcome {
  const { headersSent } = raw;
  const admitted = request.context?.loss;
  // Fastify builds routeOptions anew each time, so requests in the hot path do not read it.
  const route = admitted === undefined ? request.routeOptions : undefined;
  return {
    operation: admitted === undefined ? route?.config?.operation : admitted.operation,
    model: admitted === undefined ? route?.config?.model : admitted.model,
    route: route?.url,
    status: headersSent ? statusCode : CLIENT_GONE,
    isAborted: headersSent && !raw.writableFinished,
    ms: elapsedTime,
    bytesSent: connection.takeWritten(),
  };
}

/** Span of a request. */
export interface Trace {
  /** 32 hexadecimal digits: the client's, or a new one. */
  readonly id: string;
  /** Closes the span when the response has ended. */
  end(request: FastifyRequest, outcome: Outcome): void;
}

/** Exporter of spans. */
export interface Tracing {
  /** Opens the span of a request whose head has been read. Returns undefined for probes and scrapes. */
  begin(request: FastifyRequest): Trace | undefined;
  /** Exports the remaining spans. */
  stop(): Promise<void>;
}

/** Decisions of admission, made from a request's headers. */
export type Admitted = Pick<
  LossContext,
  "operation" | "model" | "kernel" | "region" | "responseFormat" | "compressResponses" | "coding" | "limit"
>;

/** Parsed body. The validator reads `value`, in which a number stands for each tensor. */
export interface ParsedBody {
  readonly value: unknown;
  /** Records the validator that has accepted the value, if other bodies share it. */
  readonly skeleton?: { acceptedBy: unknown };
}

/** Admitted loss with its memory, body size and timings. */
export class LossContext {
  readonly operation: LossName;
  /** The model of an inference request. */
  readonly model?: string | undefined;
  readonly kernel: Kernel;
  readonly region: Region;
  readonly responseFormat: BodyFormat;
  /** Whether long JSON responses are compressed for every client that offers a coding. */
  readonly compressResponses: boolean;
  /** Content coding, if the body is compressed. */
  readonly coding: Coding | undefined;
  /** Maximum size of the inflated body. */
  readonly limit: SizeLimit;
  readonly timings = new Timings();
  /** Bytes of the body that have arrived, after inflating. */
  bytes = 0;
  /** Dtype and shape of the input, once known. */
  input: Pick<Tensor, "dtype" | "shape"> | undefined;
  /** Converts an error of the loss into a problem with the pointer into the body. Set before the operands are checked. */
  locate: ((error: LossError) => Problem) | undefined;
  /** Replaces the reservation of a short body of unknown length by the largest one. */
  reserveLongest: (() => void) | undefined;
  readonly #cleanups: (() => void)[] = [];

  constructor(admitted: Admitted) {
    this.operation = admitted.operation;
    this.model = admitted.model;
    this.kernel = admitted.kernel;
    this.region = admitted.region;
    this.responseFormat = admitted.responseFormat;
    this.compressResponses = admitted.compressResponses;
    this.coding = admitted.coding;
    this.limit = admitted.limit;
  }

  /**
   * Waits for a turn if other long work has used up this one, otherwise returns undefined. Rejects if the request has ended meanwhile,
   * because its memory may belong to another one.
   */
  turnIfBusy(urgency: Urgency): Promise<void> | undefined {
    return turnIfBusy(urgency)?.then(() => this.checkHeld());
  }

  /** Throws if the request has ended or was evicted. Called after a wait, because the memory may belong to another request. */
  checkHeld(): void {
    if (this.region.isReleased) throw new ClientGone("the client has left");
  }

  /** Runs `cleanup` at the end of the request. */
  onEnd(cleanup: () => void): void {
    this.#cleanups.push(cleanup);
  }

  /** Runs the clean-ups in order and releases the memory. */
  end(): void {
    this.timings.end();
    for (const cleanup of this.#cleanups.splice(0)) cleanup();
    this.region.release();
  }
}

/** Stages of a request, in order. Read and decode alternate, and so do encode and write. */
export const STAGES = ["wait", "read", "decode", "compute", "encode", "write"] as const;

export type Stage = (typeof STAGES)[number];

/** Time spent in each stage, from the end of the head to the end of the response. */
export class Timings {
  #stage: Stage = "wait";
  #since = performance.now();
  readonly #spentMs: Record<Stage, number> = { wait: 0, read: 0, decode: 0, compute: 0, encode: 0, write: 0 };

  /** Enters a stage and leaves the previous one. */
  enter(stage: Stage): void {
    const now = performance.now();
    this.#spentMs[this.#stage] += now - this.#since;
    this.#since = now;
    this.#stage = stage;
  }

  /** Adds the time of the current stage up to now. */
  end(): void {
    this.enter(this.#stage);
  }

  /** Seconds in a stage so far. */
  seconds(stage: Stage): number {
    return this.#spentMs[stage] / 1000;
  }
}
