/** Evicts requests that hold memory and wait for a slow client, when another request needs the memory. */
import type { ServerResponse } from "node:http";
import { Problem } from "../../problems.ts";
import type { Region } from "../../tensor/arena.ts";
import type { Connections, Exchange, Progress } from "../connection.ts";

/** Milliseconds that a request may wait for its client, in all and without a byte, before it can be evicted. */
const MIN_WAIT_MS = 2000;

/** Bytes per second of a client that is fast enough. Bodies have a minimum rate in any case (timeouts.ts). */
const MIN_RATE = 256 * 1024;

/**
 * Ends the request with the least progress for its memory and time: a body with 408, a response by closing its connection. Returns false if
 * the requests that stand still or progress too slowly, other than the one of `asking`, hold less than `missing` bytes.
 */
export function evictSlowest(connections: Connections, missing: number, asking: Region | undefined): boolean {
  let slowest: Exchange | undefined;
  let least = Number.POSITIVE_INFINITY;
  let held = 0;
  for (const { exchange } of connections) {
    const memory = exchange?.region?.bytes ?? 0;
    if (exchange === undefined || memory === 0 || exchange.region === asking) continue;
    const progress = progressOf(exchange);
    if (progress === undefined || progress.waitedMs < MIN_WAIT_MS) continue;
    const bytesPerSecond = rateOf(progress);
    if (bytesPerSecond >= MIN_RATE) continue;
    held += memory;
    if (bytesPerSecond / memory >= least) continue;
    slowest = exchange;
    least = bytesPerSecond / memory;
  }
  if (slowest === undefined || held < missing) return false;
  evict(slowest);
  return true;
}

/** Returns the progress of a request that waits for its client, or undefined for one that is computed or has just begun to wait. */
function progressOf(exchange: Exchange): Progress | undefined {
  const { request, response, bodyProgress, responseProgress } = exchange;
  if (request.socket.destroyed) return undefined;
  if (isUnread(response)) return responseProgress;
  return exchange.isBodyDue ? bodyProgress : undefined;
}

/** Whether the client has not read a response that has begun, which 100 Continue is not. */
function isUnread({ headersSent, writableLength }: ServerResponse): boolean {
  return headersSent && writableLength > 0;
}

/** Bytes per second. Counts one byte for those before the first wait, so that among clients that send nothing the memory decides. */
function rateOf({ bytes, waitedMs, stalledMs }: Progress): number {
  return stalledMs >= MIN_WAIT_MS ? 1000 / stalledMs : (Math.max(bytes, 1) * 1000) / waitedMs;
}

/** Returns the memory at once, because nothing reads or writes it after the rejection of the body or the end of the socket. */
function evict({ request, response, onSlowBody, region }: Exchange): void {
  if (isUnread(response) || onSlowBody === undefined) request.socket.destroy();
  else
    onSlowBody(
      new Problem("request_timeout", "other requests need the memory for which this body is too slow"),
    );
  region!.release();
}
