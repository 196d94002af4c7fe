/** Gives up requests that hold memory and wait for a slow client, when another request needs the memory. */
import { Problem } from "../../problems.ts";
import type { Region } from "../../tensor/arena.ts";
import type { Connections, Exchange } from "../connection.ts";

/** Milliseconds that a request may wait for its client without being given up. */
const MIN_WAIT_MS = 1000;

/** Progress of a request that waits for its client. */
interface Progress {
  readonly bytes: number;
  readonly ms: number;
}

/**
 * Ends the request with the least progress for its memory and time: a body with 408, a response by closing its connection. Returns false if
 * the requests that progress by less than `rate` bytes per second, other than the one of `asking`, hold less than `missing` bytes.
 */
export function giveUpSlowest(
  connections: Connections,
  rate: number,
  missing: number,
  asking: Region | undefined,
): boolean {
  let slowest: Exchange | undefined;
  let least = Number.POSITIVE_INFINITY;
  let held = 0;
  for (const { exchange } of connections) {
    const memory = exchange?.region?.bytes ?? 0;
    if (exchange === undefined || memory === 0 || exchange.region === asking) continue;
    const progress = progressOf(exchange);
    if (progress === undefined || progress.ms < MIN_WAIT_MS) continue;
    const bytesPerSecond = (progress.bytes / progress.ms) * 1000;
    if (bytesPerSecond >= rate) continue;
    held += memory;
    if (bytesPerSecond / memory >= least) continue;
    slowest = exchange;
    least = bytesPerSecond / memory;
  }
  if (slowest === undefined || held < missing) return false;
  giveUp(slowest);
  return true;
}

/** Returns the progress of a request that waits for its client, or undefined for one that is computed. */
function progressOf({ request, response, bytesBefore, waitedMs, blocked }: Exchange): Progress | undefined {
  if (request.socket.destroyed) return undefined;
  if (response.writableLength > 0)
    return blocked && { bytes: blocked.lastBytes - blocked.firstBytes, ms: blocked.waitedMs };
  if (request.complete || request.isPaused()) return undefined;
  // Counts a byte for those that came with the head, so that the memory decides between clients that send nothing.
  return { bytes: Math.max(request.socket.bytesRead - bytesBefore, 1), ms: waitedMs };
}

/** Returns the memory at once, because nothing reads or writes it after the rejection of the body or the end of the socket. */
function giveUp({ request, response, onSlowBody, region }: Exchange): void {
  if (response.writableLength > 0 || onSlowBody === undefined) request.socket.destroy();
  else
    onSlowBody(
      new Problem("request_timeout", "other requests need the memory for which this body is too slow"),
    );
  region!.release();
}
