/** One request and its answer over node:http, as both commands need them: every way to end is told in one line. */
import type { ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import http from "node:http";
import https from "node:https";
import { UserError } from "../errors.ts";
import { shown } from "./text.ts";

/** Interim answers (1xx) beyond which no answer is expected any more. */
const MAX_INTERIM = 100;

/** The header that says a token, where there is one. */
export function authorization(token: string | undefined): { authorization?: string } {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

/** Begins a request. */
export function begin(url: URL, options: RequestOptions): ClientRequest {
  const request = url.protocol === "https:" ? https.request(url, options) : http.request(url, options);
  // Told by whoever waits for the answer; behind it nobody has to hear of it.
  return request.on("error", () => {});
}

/** The answer to a request. Refuses with {@link UserError} where none comes. */
export function answerOf(request: ClientRequest, url: URL): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    let interim = 0;
    request.once("response", resolve);
    request.once("error", (error) => reject(networkFault(error, url)));
    request.once("close", () => reject(new UserError(NO_ANSWER)));
    request.once("upgrade", ({ statusCode }, socket) => {
      socket.destroy();
      reject(new UserError(`expected an answer, got status ${statusCode}, which changes the protocol`));
    });
    request.on("information", () => {
      if (++interim > MAX_INTERIM)
        request.destroy(new UserError(`expected an answer, got ${interim} interim ones`));
    });
  });
}

const NO_ANSWER = "the server closed the connection without an answer";

/** Why no answer came, in one line; an error that the network did not give is ours, and stays as it is. */
export function networkFault(error: NodeJS.ErrnoException, url: URL): Error {
  return error.code === undefined ? error : new UserError(faultText(error, url));
}

function faultText(error: NodeJS.ErrnoException, { protocol, hostname, host, port }: URL): string {
  const { code = "", message } = error;
  // Where a Unix socket cannot be connected to, the address is its path.
  const { address: path } = error as { address?: string };
  if (error.syscall === "connect" && path?.startsWith("/") === true) return socketFault(code, path);
  switch (code) {
    case "ECONNREFUSED": {
      const place = port === "" ? `${host}:${protocol === "https:" ? 443 : 80}` : host;
      return `nothing listens on ${place}: is lossd running there?`;
    }
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `no address is known for ${hostname}`;
    case "EPROTO":
    case "ERR_SSL_WRONG_VERSION_NUMBER":
    case "ERR_SSL_PACKET_LENGTH_TOO_LONG":
      return `the server does not speak TLS there: try http://${host}`;
    case "ECONNRESET":
    case "EPIPE":
      return NO_ANSWER;
    default:
      if (code.startsWith("HPE_")) return `the server does not speak HTTP there: ${shown(message)}`;
      return shown(message);
  }
}

function socketFault(code: string, path: string): string {
  switch (code) {
    case "ENOENT":
      return `there is no socket ${path}: is lossd running there?`;
    case "ECONNREFUSED":
      return `nothing listens on ${path}: is lossd running there?`;
    case "EACCES":
      return `access to ${path} is denied`;
    default:
      return `${path}: ${code}`;
  }
}
