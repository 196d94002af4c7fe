/** Clients that hold their bodies back until they are asked for them: `Expect: 100-continue` (RFC 9110, section 10.1.1). */
import type { IncomingMessage, ServerResponse } from "node:http";

const holding = new WeakMap<IncomingMessage, ServerResponse>();

/** Notes that a client waits to be asked. */
export function holdBody(request: IncomingMessage, response: ServerResponse): void {
  holding.set(request, response);
}

/** Asks for the body, where the client waits to be asked. */
export function askForBody(request: IncomingMessage): void {
  const response = holding.get(request);
  if (response === undefined) return;
  response.writeContinue();
  holding.delete(request);
}

/** Whether the client still holds its body back. */
export function holdsBody(request: IncomingMessage): boolean {
  return holding.has(request);
}
