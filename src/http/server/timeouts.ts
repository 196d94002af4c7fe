/**
 * Closes stalled connections: slow bodies, uploads that continue after an error, unread responses. One sweep checks every connection, so
 * requests have no overhead.
 */
import { Problem } from "../../problems.ts";
import type { Connection, Connections, Exchange } from "../connection.ts";
import { Progress } from "../connection.ts";

/** Milliseconds for the headers of a request to arrive, which Node enforces. */
export const HEADERS_TIMEOUT_MS = 5000;

/** Limits of a connection. */
export interface TimeoutLimits {
  /** Milliseconds that a body may keep its reader waiting, in addition to its bytes divided by `rate`. */
  readonly graceMs: number;
  /** Milliseconds to wait for the first byte of a body. */
  readonly silenceMs: number;
  /** Minimum bytes per second of a body. */
  readonly rate: number;
  /** Milliseconds and bytes for the bytes after a response, so a client that writes before it reads sees the response. */
  readonly lingerMs: number;
  readonly lingerBytes: number;
  /**
   * Milliseconds after which a stalled response is aborted. The kernel's send buffer of several MiB accepts bytes only when a third of it is
   * free, so a steady reader of 64 KiB a second seems to stall for 20 s.
   */
  readonly stallMs: number;
}

export const LIMITS: TimeoutLimits = {
  graceMs: 10_000,
  silenceMs: 5000,
  rate: 1024 * 1024,
  lingerMs: 10_000,
  lingerBytes: 64 * 1024 * 1024,
  stallMs: 60_000,
};

/** Milliseconds between two sweeps. */
const SWEEP_MS = 500;

/** Sweeps the connections until the returned timer is cleared. The timer does not keep the process alive. */
export function watchTimeouts(connections: Connections, limits: TimeoutLimits = LIMITS): NodeJS.Timeout {
  return setInterval(() => {
    for (const connection of connections) sweep(connection, limits);
  }, SWEEP_MS).unref();
}

function sweep(connection: Connection, limits: TimeoutLimits): void {
  const { socket, exchange, isClosing, isLingering } = connection;
  if (socket.destroyed) return;
  if (isClosing || isLingering) sweepRest(connection, limits);
  else if (exchange !== undefined) sweepExchange(exchange, limits);
}

function sweepExchange(exchange: Exchange, limits: TimeoutLimits): void {
  const { response } = exchange;
  if (response.writableFinished) return;
  if (response.writableLength > 0) sweepResponse(exchange, limits);
  else if (exchange.isBodyDue) sweepBody(exchange, limits);
}

function sweepBody(exchange: Exchange, { graceMs, silenceMs, rate }: TimeoutLimits): void {
  const { request, bytesBefore, onSlowBody } = exchange;
  if (onSlowBody === undefined) return;
  const bytes = request.socket.bytesRead - bytesBefore;
  exchange.bodyProgress ??= new Progress(0);
  const { bodyProgress } = exchange;
  bodyProgress.wait(SWEEP_MS, bytes);
  // Bytes that came with the head are not counted.
  const waitLimitMs = bytes === 0 && !request.readableDidRead ? Math.min(silenceMs, graceMs) : graceMs;
  if (bodyProgress.waitedMs <= waitLimitMs + (bytes / rate) * 1000) return;
  const detail = `the body came slower than ${rate} bytes a second: ${bytes} bytes in ${bodyProgress.waitedMs / 1000} s of waiting`;
  onSlowBody(new Problem("request_timeout", detail));
}

function sweepRest(connection: Connection, { lingerMs, lingerBytes }: TimeoutLimits): void {
  const { socket, bytesAtEnd } = connection;
  connection.lingeredMs += SWEEP_MS;
  const bytes = socket.bytesRead - bytesAtEnd;
  if (connection.lingeredMs > lingerMs || bytes > lingerBytes) socket.destroy();
}

function sweepResponse(exchange: Exchange, { stallMs }: TimeoutLimits): void {
  const { request, response } = exchange;
  exchange.responseProgress ??= new Progress();
  const { responseProgress } = exchange;
  responseProgress.wait(SWEEP_MS, request.socket.bytesWritten - response.writableLength);
  if (responseProgress.stalledMs >= stallMs) request.socket.destroy();
}
