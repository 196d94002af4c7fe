/** One record per request: made when its head has been read, ended once, when its response is through or its connection is gone. */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Kernel } from "../kernel/kernel.ts";
import type { ProblemCode } from "../problems.ts";
import type { Region } from "../tensor/arena.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Exchange } from "./connection.ts";
import type { Coding } from "./limits/content-coding.ts";
import type { BodyFormat, SizeLimit } from "./limits/content-headers.ts";

declare module "fastify" {
  interface FastifyRequest {
    context: RequestContext;
  }
}

/** A request as hooks, routes, logs, metrics and traces see it. */
export class RequestContext {
  readonly exchange: Exchange;
  /** The span; undefined unless a collector is set. */
  readonly trace: Trace | undefined;
  /** The error that the response reports. */
  problem: ProblemCode | undefined;
  /** Set by admission; undefined on routes without a loss. */
  loss: LossContext | undefined;

  constructor(exchange: Exchange, trace: Trace | undefined) {
    this.exchange = exchange;
    this.trace = trace;
  }

  /** Returns all that the request holds. */
  end(): void {
    this.loss?.end();
  }
}

/** The span of a request. */
export interface Trace {
  /** 32 hexadecimal digits: the client's, or a new one. */
  readonly id: string;
  /** Closes the span once the response is through. */
  end(request: FastifyRequest, reply: FastifyReply): void;
}

/** Where spans go. */
export interface Tracing {
  /** Opens the span of a request whose head has been read; undefined for probes and scrapes. */
  begin(request: FastifyRequest): Trace | undefined;
  /** Sends the spans that are left. */
  stop(): Promise<void>;
}

/** The facts that admission decides from a request's headers. */
export interface Admitted {
  /** The operationId. */
  readonly operation: string;
  /** An element of the target, in the words of an error. */
  readonly targetElement?: string | undefined;
  /** The model of an inference request. */
  readonly model?: string | undefined;
  readonly kernel: Kernel;
  readonly region: Region;
  readonly responseFormat: BodyFormat;
  /** Whether long JSON responses are compressed for every client that offers a coding. */
  readonly compressResponses: boolean;
  /** Undefined: the body is not compressed. */
  readonly coding: Coding | undefined;
  /** The most bytes that the body may have, inflated. */
  readonly limit: SizeLimit;
}

/** A body as its parser returns it: the validator reads `value`, in which a number stands for each tensor. */
export interface ParsedBody {
  readonly value: unknown;
  /** Remembers the validator that has accepted the value, if other bodies share it. */
  readonly skeleton?: { acceptedBy: unknown };
}

/** A loss that has been admitted: its memory, its body's bytes, its timings. */
export class LossContext implements Admitted {
  readonly operation: string;
  readonly targetElement: string | undefined;
  readonly model: string | undefined;
  readonly kernel: Kernel;
  readonly region: Region;
  readonly responseFormat: BodyFormat;
  readonly compressResponses: boolean;
  readonly coding: Coding | undefined;
  readonly limit: SizeLimit;
  readonly timings = new Timings();
  /** Bytes of body that have arrived, or that they have inflated to. */
  bytes = 0;
  /** Dtype and shape of the input, once it is known. */
  input: Pick<Tensor, "dtype" | "shape"> | undefined;
  /** Of a body of unknown length, while it is short: replaces its reservation by the largest one. */
  reserveLongest: (() => void) | undefined;
  readonly #cleanups: (() => void)[] = [];

  constructor(admitted: Admitted) {
    this.operation = admitted.operation;
    this.targetElement = admitted.targetElement;
    this.model = admitted.model;
    this.kernel = admitted.kernel;
    this.region = admitted.region;
    this.responseFormat = admitted.responseFormat;
    this.compressResponses = admitted.compressResponses;
    this.coding = admitted.coding;
    this.limit = admitted.limit;
  }

  /** Runs `cleanup` at the end of the request. */
  onEnd(cleanup: () => void): void {
    this.#cleanups.push(cleanup);
  }

  /** Returns the memory, and runs the clean-ups in order. */
  end(): void {
    this.timings.end();
    for (const cleanup of this.#cleanups) cleanup();
    this.region.release();
  }
}

/** The stages of a request, in order; read and decode, encode and write take turns. */
export const STAGES = ["wait", "read", "decode", "compute", "encode", "write"] as const;

export type Stage = (typeof STAGES)[number];

/** Time spent in each stage, from the end of the head to the end of the response. */
export class Timings {
  #stage: Stage = "wait";
  #since = performance.now();
  readonly #spentMs: Record<Stage, number> = { wait: 0, read: 0, decode: 0, compute: 0, encode: 0, write: 0 };

  /** Enters a stage and leaves the one before. */
  enter(stage: Stage): void {
    const now = performance.now();
    this.#spentMs[this.#stage] += now - this.#since;
    this.#since = now;
    this.#stage = stage;
  }

  /** Adds the time of the last stage up to now. */
  end(): void {
    this.enter(this.#stage);
  }

  /** Seconds in a stage so far. */
  seconds(stage: Stage): number {
    return this.#spentMs[stage] / 1000;
  }
}
