/** Sends one request over node:http and reports every failure as a one-line error. */
import type { ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import http from "node:http";
import https from "node:https";
import { UserError } from "../user-error.ts";
import { escapeText } from "./escape.ts";

/** Limit of interim (1xx) responses before the request fails. */
const MAX_INTERIM_RESPONSES = 100;

/** Builds the Authorization header if there is a token. */
export function authorization(token: string | undefined): { authorization?: string } {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

/** Starts a request. */
export function begin(url: URL, options: RequestOptions): ClientRequest {
  const request = url.protocol === "https:" ? https.request(url, options) : http.request(url, options);
  // Ignores the event because responseOf reports the error, and later errors do not matter.
  return request.on("error", () => {});
}

/** Waits for the response headers. Rejects with {@link UserError}. */
export function responseOf(request: ClientRequest, url: URL): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    let interim = 0;
    request.once("response", resolve);
    request.once("error", (error) => reject(networkFault(error, url)));
    request.once("close", () => reject(new NoResponse()));
    request.once("upgrade", ({ statusCode }, socket) => {
      socket.destroy();
      reject(new UserError(`expected a response, got status ${statusCode}, which changes the protocol`));
    });
    request.on("information", () => {
      if (++interim > MAX_INTERIM_RESPONSES)
        request.destroy(new UserError(`expected a response, got ${interim} interim responses`));
    });
  });
}

/** The server closed the connection before its response could be read. */
export class NoResponse extends UserError {
  constructor() {
    super("the server closed the connection without a response");
  }
}

/** Explains a network error in one line. Errors without a code come from this program and stay unchanged. */
export function networkFault(error: NodeJS.ErrnoException, url: URL): Error {
  const { code } = error;
  if (code === undefined) return error;
  return code === "ECONNRESET" || code === "EPIPE" ? new NoResponse() : new UserError(faultText(error, url));
}

function faultText(error: NodeJS.ErrnoException, { protocol, hostname, host, port }: URL): string {
  const { code = "", message } = error;
  // Node puts the path of a Unix socket into `address` when connecting to it fails.
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
    default:
      if (code.startsWith("HPE_")) return `the server does not speak HTTP there: ${escapeText(message)}`;
      return escapeText(message);
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
