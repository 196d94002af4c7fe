/** Responds to unknown paths with 404 and a suggestion, to unknown methods with 405 and Allow, and to OPTIONS with 204 and Allow. */
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from "fastify";
import { excerpt, Problem } from "../../problems.ts";
import { nearest } from "../../user-error.ts";
import { pathOf } from "./head-checks.ts";
import { sendProblem } from "./send-problem.ts";

const METHODS: readonly HTTPMethods[] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/** Route, with its path in lower case without slashes and hyphens for suggestions. */
export interface Route {
  readonly method: string;
  readonly path: string;
  readonly letters: string;
}

/** Probe paths of other servers. */
const PROBES: Readonly<Record<string, string>> = {
  health: "/health/ready",
  healthz: "/health/ready",
  ready: "/health/ready",
  readyz: "/health/ready",
  live: "/health/live",
  livez: "/health/live",
};

/** Longest path to get a suggestion, because each is compared with every route. */
const MAX_SUGGESTED_CHARS = 64;

/** Returns a route for suggestions, unless it is the HEAD of a GET or has a wildcard. */
export function routeOf(method: string | readonly string[], path: string): Route[] {
  if (typeof method !== "string" || method === "HEAD" || /[*:]/.test(path)) return [];
  return [{ method, path, letters: lettersOf(path) }];
}

/** Responds to a request without a route. */
export function handleNotFound(
  app: FastifyInstance,
  routes: readonly Route[],
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const path = pathOf(request.url);
  const allowed = METHODS.filter((method) => app.findRoute({ method, url: path }) !== null);
  const isWrong = allowed.length > 0 && !allowed.includes(request.method as HTTPMethods);
  if (isWrong) reply.header("allow", [...allowed, "OPTIONS"].join(", "));
  // Responds to load balancers (HAProxy's `option httpchk` sends OPTIONS /) according to RFC 9110, section 9.3.7.
  if (isWrong && request.method === "OPTIONS") return void reply.code(204).send();
  sendProblem(reply, isWrong ? wrongMethod(path, request.method, allowed) : notFound(path, routes));
}

function wrongMethod(path: string, method: string, allowed: readonly HTTPMethods[]): Problem {
  return new Problem("method_not_allowed", `${excerpt(path)} takes ${allowed.join(", ")}, not ${method}`);
}

function notFound(path: string, routes: readonly Route[]): Problem {
  const meant = path.length > MAX_SUGGESTED_CHARS ? undefined : meantBy(path, routes);
  const hint = meant === undefined ? listOf(routes) : `did you mean ${meant.method} ${meant.path}?`;
  return new Problem("not_found", `nothing is at ${excerpt(path)}; ${hint}`);
}

/** Finds the route with this name, a similar name, or a similar name under another version. Undefined for a folder of routes, such as /v1. */
function meantBy(path: string, routes: readonly Route[]): Route | undefined {
  const letters = lettersOf(path);
  const probe = PROBES[letters];
  if (probe !== undefined) return routes.find((route) => route.path === probe);
  const folder = path.endsWith("/") ? path : `${path}/`;
  if (routes.some((route) => route.path.startsWith(folder))) return undefined;
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
