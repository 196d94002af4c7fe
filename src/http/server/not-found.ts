/** Paths and methods that are not there: 404 with what was probably meant, 405 with the methods that are, or those alone for OPTIONS. */
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from "fastify";
import { nearest } from "../../errors.ts";
import { echo, Problem } from "../../problems.ts";
import { sendProblem } from "./errors.ts";

const METHODS: readonly HTTPMethods[] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/** A route, and its path without what people get wrong: case, slashes, hyphens. */
export interface Route {
  readonly method: string;
  readonly path: string;
  readonly letters: string;
}

/** What other servers call their probes. */
const PROBES: Readonly<Record<string, string>> = {
  health: "/health/ready",
  healthz: "/health/ready",
  ready: "/health/ready",
  readyz: "/health/ready",
  live: "/health/live",
  livez: "/health/live",
};

/** Longer paths are no slips: each is compared with every route. */
const MOST = 64;

/** A route as something that may have been meant: none for the HEAD of a GET, or for a path with a wildcard. */
export function routeOf(method: string | readonly string[], path: string): Route[] {
  if (typeof method !== "string" || method === "HEAD" || /[*:]/.test(path)) return [];
  return [{ method, path, letters: lettersOf(path) }];
}

/** Answers a request for which there is no route. */
export function handleNotFound(
  app: FastifyInstance,
  routes: readonly Route[],
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const [path = "/"] = request.url.split("?");
  const allowed = METHODS.filter((method) => app.findRoute({ method, url: path }) !== null);
  // A route for files takes the method, and has no such file.
  const isWrong = allowed.length > 0 && !allowed.includes(request.method as HTTPMethods);
  if (isWrong) reply.header("allow", [...allowed, "OPTIONS"].join(", "));
  // A balancer's check (HAProxy's `option httpchk` asks OPTIONS /) is answered as RFC 9110, section 9.3.7, says.
  if (isWrong && request.method === "OPTIONS") return void reply.code(204).send();
  sendProblem(reply, isWrong ? wrongMethod(path, request.method, allowed) : notFound(path, routes));
}

function wrongMethod(path: string, method: string, allowed: readonly HTTPMethods[]): Problem {
  return new Problem("method_not_allowed", `${echo(path)} takes ${allowed.join(", ")}, not ${method}`);
}

function notFound(path: string, routes: readonly Route[]): Problem {
  const meant = path.length > MOST ? undefined : meantBy(path, routes);
  const hint = meant === undefined ? listOf(routes) : `did you mean ${meant.method} ${meant.path}?`;
  return new Problem("not_found", `nothing is at ${echo(path)}; ${hint}`);
}

/** The route of this name, of nearly this name, or of nearly this name under another version. */
function meantBy(path: string, routes: readonly Route[]): Route | undefined {
  const letters = lettersOf(path);
  const probe = PROBES[letters];
  if (probe !== undefined) return routes.find((route) => route.path === probe);
  return near(letters, routes, (name) => name) ?? near(letters, routes, withoutVersion);
}

function near(letters: string, routes: readonly Route[], form: (name: string) => string): Route | undefined {
  const name = nearest(
    form(letters),
    routes.map((route) => form(route.letters)),
  );
  return name === undefined ? undefined : routes.find((route) => form(route.letters) === name);
}

function listOf(routes: readonly Route[]): string {
  const paths = routes.map(({ path }) => path);
  return paths.includes("/openapi.json")
    ? "/openapi.json lists the operations and /docs shows them"
    : `this port has ${paths.join(", ")}`;
}

function lettersOf(path: string): string {
  return path.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
}

function withoutVersion(letters: string): string {
  return letters.replace(/^v\d/, "");
}
