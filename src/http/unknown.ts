/** Paths and methods that are not there: 404, or 405 with the methods that are. */
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from "fastify";
import { echo, Problem } from "../problems.ts";
import { sendProblem } from "./refuse.ts";

const METHODS: readonly HTTPMethods[] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

export function handleUnknown(
  app: FastifyInstance,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const [path = "/"] = request.url.split("?");
  const allowed = METHODS.filter((method) => app.findRoute({ method, url: path }) !== null);
  if (allowed.length === 0)
    return sendProblem(
      reply,
      new Problem("not_found", `nothing is at ${echo(path)}; /openapi.json lists the operations`),
    );
  const methods = allowed.join(", ");
  reply.header("allow", methods);
  return sendProblem(
    reply,
    new Problem("method_not_allowed", `${echo(path)} takes ${methods}, not ${request.method}`),
  );
}
