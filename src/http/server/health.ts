/** Health probes: GET /health/live reports a working process, GET /health/ready whether to send traffic. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Static } from "typebox";
import { Type } from "typebox";
import { errorResponses } from "./problem-schemas.ts";
import type { Lifecycle } from "./shutdown.ts";
import { readiness } from "./shutdown.ts";

const HealthStatus = Type.Enum(["live", "ready", "stopping"], {
  $id: "HealthStatus",
  title: "HealthStatus",
  description: "The state of this process.",
});

const Health = Type.Object({ status: Type.Ref("HealthStatus#") }, { $id: "Health", title: "Health" });

/** Schemas, each after the schemas to which it refers. */
export const HEALTH_SCHEMAS = [HealthStatus, Health];

/** Body of a health response. Only the admin port reports `starting`, because it listens first. */
export interface HealthResponse {
  readonly status: Static<typeof HealthStatus> | "starting";
}

/** GET /health/live */
export async function handleLive(): Promise<HealthResponse> {
  return { status: "live" };
}

/** GET /health/ready */
export function handleReady(lifecycle: Readonly<Lifecycle>) {
  return async (_request: FastifyRequest, reply: FastifyReply): Promise<HealthResponse> => {
    reply.code(readiness(lifecycle).status);
    return { status: lifecycle.phase };
  };
}

export const LIVE_DESCRIPTION = "Takes no token. No response means that the process should be restarted.";
export const READY_DESCRIPTION = "Takes no token. 503 while the server starts or stops.";

const healthContent = (status: Static<typeof HealthStatus>) => ({
  "application/json": { schema: { $ref: "Health#" }, example: { status } },
});

export function registerHealth(app: FastifyInstance, lifecycle: Lifecycle): void {
  app.get("/health/live", {
    schema: {
      operationId: "healthLive",
      tags: ["lossd"],
      summary: "Whether the process works",
      description: LIVE_DESCRIPTION,
      security: [],
      response: {
        200: { description: "It works.", content: healthContent("live") },
        ...errorResponses("problem", [404, 500]),
      },
    },
    handler: handleLive,
  });
  app.get("/health/ready", {
    schema: {
      operationId: "healthReady",
      tags: ["lossd"],
      summary: "Whether to send traffic",
      description: READY_DESCRIPTION,
      security: [],
      response: {
        200: { description: "Send requests.", content: healthContent("ready") },
        503: { description: "Stopping: send no new requests.", content: healthContent("stopping") },
        ...errorResponses("problem", [404, 500]),
      },
    },
    handler: handleReady(lifecycle),
  });
}
