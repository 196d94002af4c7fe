/** Expectations are decided with the rest of a request's head; Node would answer them before anybody has looked at it. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { Problem } from "../problems.ts";
import { holdBody } from "./held.ts";

const unmet = new WeakSet<IncomingMessage>();

/** Takes requests that expect something as they come. */
export function decideExpectations(server: Server): void {
  const take = (request: IncomingMessage, response: ServerResponse): void => {
    holdBody(request, response);
    server.emit("request", request, response);
  };
  server.on("checkContinue", take);
  server.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) => {
    unmet.add(request);
    take(request, response);
  });
}

/** Refuses a request that expects what nobody here can meet. */
export function checkExpectation(request: IncomingMessage): void {
  if (request.headers.expect === undefined || !unmet.has(request)) return;
  throw new Problem("expectation_failed", "expected no Expect but 100-continue");
}
