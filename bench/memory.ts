/** P9: measures the growth of the server's peak memory for a body of 4 GiB, from /proc. */
import { readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { request } from "undici";
import type { Row } from "./bars.ts";
import { BARS } from "./bars.ts";
import { fileBegin, logitBytes } from "./bodies.ts";
import { LOSSD, startServer } from "./server.ts";

const ROWS = 8192;
const CLASSES = 131_072;
const TYPE = { "content-type": "application/vnd.safetensors" };

const QUERIES = [
  ["the loss", ""],
  ["with its gradient, 4 GiB back", "?return_grad=true"],
] as const;

/** Measures the growth of a fresh server's peak memory since its first response from readiness. */
export async function memoryBars(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [title, query] of QUERIES) {
    const server = await startServer(LOSSD, { onOneCore: false });
    try {
      const before = peakMiB(server.pid);
      const start = performance.now();
      const response = await request(`${server.url}/v1/cross_entropy${query}`, {
        method: "POST",
        headers: TYPE,
        body: Readable.from(body()),
      });
      for await (const _ of response.body);
      const seconds = (performance.now() - start) / 1000;
      const after = peakMiB(server.pid);
      const value = before === undefined || after === undefined ? undefined : after - before;
      rows.push({
        bar: "P9",
        measure: `4 GiB of float32 logits, ${title}, ${seconds.toFixed(1)} s`,
        ours: value === undefined ? "" : `${value.toFixed(1)} MiB`,
        peer: "its own idle",
        theirs: before === undefined ? "unknown here" : `${before.toFixed(0)} MiB`,
        value,
        reach: BARS.P9.reach,
      });
    } finally {
      await server.stop();
    }
  }
  return rows;
}

async function* body(): AsyncGenerator<Buffer> {
  yield fileBegin(ROWS, CLASSES);
  const block = logitBytes(CLASSES);
  for (let row = 0; row < ROWS; row++) yield block;
}

/** Peak resident memory of a process, if the system reports it. */
function peakMiB(pid: number): number | undefined {
  try {
    const found = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return found === null ? undefined : Number(found[1]) / 1024;
  } catch {
    return undefined;
  }
}
