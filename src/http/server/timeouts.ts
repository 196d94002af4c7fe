/**
 * Closes stalled connections: slow bodies, uploads that continue after an error, unread responses. One sweep looks at every connection, so a
 * request itself pays nothing.
 */
import { Problem } from "../../problems.ts";
import type { Connections, Exchange } from "../connection.ts";

/** The figures behind the limits. */
export interface TimeoutLimits {
  /** Milliseconds that a body may keep its reader waiting, beside those that its bytes pay for. */
  readonly graceMs: number;
  /** Milliseconds after which a body without a first byte is given up. */
  readonly silenceMs: number;
  /** Bytes a second that pay for waiting. */
  readonly rate: number;
  /** Milliseconds and bytes for the rest of a rejected body: a client that writes before it reads then sees the response. */
  readonly lingerMs: number;
  readonly lingerBytes: number;
  /** Milliseconds after which a response that does not move is cut. */
  readonly stallMs: number;
}

export const LIMITS: TimeoutLimits = {
  graceMs: 10_000,
  silenceMs: 5000,
  rate: 1024 * 1024,
  lingerMs: 10_000,
  lingerBytes: 64 * 1024 * 1024,
  stallMs: 10_000,
};

/** Milliseconds between two sweeps. */
const SWEEP_MS = 500;

/** Sweeps the connections until the timer that is returned is cleared; it does not keep the process alive. */
export function watchTimeouts(connections: Connections, limits: TimeoutLimits = LIMITS): NodeJS.Timeout {
  return setInterval(() => {
    for (const { exchange } of connections) if (exchange !== undefined) sweep(exchange, limits);
  }, SWEEP_MS).unref();
}

function sweep(exchange: Exchange, limits: TimeoutLimits): void {
  const { request, response } = exchange;
  if (request.socket.destroyed || (request.complete && response.writableFinished)) return;
  if (response.writableFinished) sweepRest(exchange, limits);
  else if (response.writableLength > 0) sweepResponse(exchange, limits);
  else if (!request.complete && !request.isPaused()) sweepBody(exchange, limits);
}

function sweepBody(exchange: Exchange, { graceMs, silenceMs, rate }: TimeoutLimits): void {
  const { request, bytesBefore, onSlowBody } = exchange;
  if (onSlowBody === undefined) return;
  exchange.waitedMs += SWEEP_MS;
  const bytes = request.socket.bytesRead - bytesBefore;
  // Bytes that came with the head are not counted.
  const patience = bytes === 0 && !request.readableDidRead ? Math.min(silenceMs, graceMs) : graceMs;
  if (exchange.waitedMs <= patience + (bytes / rate) * 1000) return;
  const detail = `the body came slower than ${rate} bytes a second: ${bytes} bytes in ${exchange.waitedMs / 1000} s of waiting`;
  onSlowBody(new Problem("request_timeout", detail));
}

function sweepRest(exchange: Exchange, { lingerMs, lingerBytes }: TimeoutLimits): void {
  const { request, bytesBefore } = exchange;
  exchange.lingeredMs += SWEEP_MS;
  const bytes = request.socket.bytesRead - bytesBefore;
  if (exchange.lingeredMs > lingerMs || bytes > lingerBytes) request.socket.destroy();
}

function sweepResponse(exchange: Exchange, { stallMs }: TimeoutLimits): void {
  const { request, response } = exchange;
  const taken = request.socket.bytesWritten - response.writableLength;
  exchange.stalledMs = taken === exchange.takenBytes ? exchange.stalledMs + SWEEP_MS : 0;
  exchange.takenBytes = taken;
  if (exchange.stalledMs >= stallMs) request.socket.destroy();
}
