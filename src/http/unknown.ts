/** Paths and methods that are not there: 404, or 405 with the methods that are. */
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from "fastify";
import { echo, Problem } from "../problems.ts";
import { sendProblem } from "./refuse.ts";

const METHODS: readonly HTTPMethods[] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/** Answers a request for which there is no route. */
export function handleUnknown(app: FastifyInstance, request: FastifyRequest, reply: FastifyReply): void {
  const [path = "/"] = request.url.split("?");
  const allowed = METHODS.filter((method) => app.findRoute({ method, url: path }) !== null);
  if (allowed.length > 0) reply.header("allow", allowed.join(", "));
  sendProblem(reply, allowed.length > 0 ? wrongMethod(path, request.method, allowed) : notFound(path));
}

function wrongMethod(path: string, method: string, allowed: readonly HTTPMethods[]): Problem {
  return new Problem("method_not_allowed", `${echo(path)} takes ${allowed.join(", ")}, not ${method}`);
}

function notFound(path: string): Problem {
  return new Problem("not_found", `nothing is at ${echo(path)}; /openapi.json lists the operations`);
}
