/** Raw connections to a server under test, and the responses that come over them. */
import { expect, onTestFinished } from "vitest";
import type { Connection } from "../../promises/connection.ts";
import { head, dial as open } from "../../promises/connection.ts";

export type { Connection };
export { head };

/** A port of this machine, or a server with its address. */
export type Target = number | { readonly url: string };

export interface Response {
  readonly status: number;
  /** Values by names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A connection, which is closed when the test is over. */
export async function dial(target: Target): Promise<Connection> {
  const connection = await open(typeof target === "number" ? target : Number(new URL(target.url).port));
  onTestFinished(() => void connection.socket.destroy());
  return connection;
}

/** A POST with its body, which is JSON or of the content type in `more`. */
export const post = (path: string, body: string, more?: string): string =>
  head(path, body.length, more) + body;

/** All that comes until the server closes the connection. Rejects where it is reset. */
export async function untilClosed({ socket, text, closed }: Connection): Promise<string> {
  await closed;
  if (socket.errored !== null) throw socket.errored;
  return text();
}

/** Sends bytes, and returns all that comes until the server closes the connection. */
export async function exchange(target: Target, bytes: string): Promise<string> {
  const connection = await dial(target);
  connection.socket.write(bytes);
  return untilClosed(connection);
}

/** The statuses of all responses in a text, in their order. */
export function statusesOf(text: string): number[] {
  return Array.from(text.matchAll(/HTTP\/1\.1 (\d{3}) /g), ([, status]) => Number(status));
}

/** The first response in a text; undefined as long as a part of it is missing. */
export function parseResponse(text: string): Response | undefined {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [first = "", ...lines] = text.slice(0, end).split("\r\n");
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 2)]),
  );
  const status = Number(first.split(" ")[1]);
  // A 204 has neither a body nor a length.
  const bodyEnd = end + 4 + (status === 204 ? 0 : Number(headers["content-length"]));
  if (!(text.length >= bodyEnd)) return undefined;
  const body = Buffer.from(text.slice(end + 4, bodyEnd), "latin1").toString();
  return { status, headers, body };
}

/** The first response of a connection, as soon as all of it is there. */
export async function responseOf({ text }: Connection): Promise<Response> {
  await expect.poll(() => parseResponse(text()), { interval: 1 }).toBeDefined();
  return parseResponse(text())!;
}
