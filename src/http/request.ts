/** What a request carries beside Fastify's own: known to every file here, filled by those that find it out. */
import type { FastifyRequest } from "fastify";
import type { ProblemCode } from "../problems.ts";
import type { Job } from "./job.ts";
import type { Trace } from "./trace.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** What the request computes with; undefined until it is admitted, and where a route has no body. */
    job: Job | undefined;
    /** Why it was refused, for the log. */
    problem: ProblemCode | undefined;
    /** Its span; undefined where nobody collects them. */
    trace: Trace | undefined;
  }
}

/** The job of a request that has been admitted. */
export function jobOf(request: FastifyRequest): Job {
  return request.job!;
}
