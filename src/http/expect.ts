/** Expectations are decided with the rest of a request's head; Node would answer them before anybody has looked at it. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { Problem } from "../problems.ts";
import { holdBody } from "./held.ts";
import { rawProblem } from "./refuse.ts";
import { requestId } from "./request-id.ts";

export function decideExpectations(server: Server): void {
  server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
    holdBody(request, response);
    server.emit("request", request, response);
  });
  server.on("checkExpectation", (request: IncomingMessage) => {
    const problem = new Problem("expectation_failed", "expected no Expect but 100-continue");
    request.socket.end(rawProblem(problem, requestId(request)));
  });
}
