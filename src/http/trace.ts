/** What a request's trace is to the rest of the server; tracing.ts fills it where a collector is set. */
import type { FastifyReply, FastifyRequest } from "fastify";

export interface Tracing {
  /** Opens the span of a request whose head has been read; probes and scrapes have none. */
  begin(request: FastifyRequest): Trace | undefined;
  /** Sends what has not been sent. */
  stop(): Promise<void>;
}

export interface Trace {
  /** 32 hexadecimal digits: the client's, or a new one. */
  readonly id: string;
  /** Closes the span of a request whose answer has left. */
  end(request: FastifyRequest, reply: FastifyReply): void;
}
