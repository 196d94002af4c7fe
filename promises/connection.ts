/** A raw TCP connection, for bytes that no HTTP client sends. */
import { once } from "node:events";
import type { Socket } from "node:net";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface Connection {
  readonly socket: Socket;
  /** All text received, in Latin-1. */
  text(): string;
  /** Waits until the text matches. */
  until(pattern: RegExp, milliseconds?: number): Promise<boolean>;
  /** Resolves when it has closed, also by a reset. */
  readonly closed: Promise<void>;
}

/** Opens a connection to a port of this machine. */
export async function dial(port: number): Promise<Connection> {
  const socket = connect(port, "127.0.0.1").on("error", () => {});
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  await once(socket, "connect");
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
  });
  const until: Connection["until"] = async (pattern, milliseconds = 10_000) => {
    const end = performance.now() + milliseconds;
    while (!pattern.test(text) && performance.now() < end && !socket.destroyed) await sleep(5);
    return pattern.test(text);
  };
  return { socket, text: () => text, until, closed };
}

/** The head of a POST with JSON, or with the content type in `more`. */
export function head(path: string, length: number | string, more = ""): string {
  const type = more.includes("content-type:") ? "" : "content-type: application/json\r\n";
  return `POST ${path} HTTP/1.1\r\nhost: x\r\n${type}content-length: ${length}\r\n${more}\r\n`;
}
