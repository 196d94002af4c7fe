/** GET /health/live says the process works, GET /health/ready says send me traffic. */
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

/** In the order in which they refer to each other. */
export const HEALTH_SCHEMAS = [HealthStatus, Health];

/** What the health routes answer; only a port that listens before the one that serves can be asked while that starts. */
export interface HealthAnswer {
  readonly status: Static<typeof HealthStatus> | "starting";
}

/** GET /health/live */
export async function answerLive(): Promise<HealthAnswer> {
  return { status: "live" };
}

/** GET /health/ready */
export function answerReady(lifecycle: Readonly<Lifecycle>) {
  return async (_request: FastifyRequest, reply: FastifyReply): Promise<HealthAnswer> => {
    reply.code(readiness(lifecycle).status);
    return { status: lifecycle.phase };
  };
}

const answer = { $ref: "Health#" };

export function registerHealth(app: FastifyInstance, lifecycle: Lifecycle): void {
  app.get("/health/live", {
    schema: {
      operationId: "healthLive",
      tags: ["lossd"],
      summary: "Whether the process works",
      security: [],
      response: {
        200: { description: "It works.", content: { "application/json": { schema: answer } } },
        ...errorResponses("problem", [404, 500]),
      },
    },
    handler: answerLive,
  });
  app.get("/health/ready", {
    schema: {
      operationId: "healthReady",
      tags: ["lossd"],
      summary: "Whether to send traffic",
      security: [],
      response: {
        200: { description: "Send requests.", content: { "application/json": { schema: answer } } },
        503: {
          description: "Stopping: send no new requests.",
          content: { "application/json": { schema: answer } },
        },
        ...errorResponses("problem", [404, 500]),
      },
    },
    handler: answerReady(lifecycle),
  });
}
