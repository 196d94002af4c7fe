/** Signals: during the start, more than one, and with connections that nobody closes. */
import { once } from "node:events";
import type { Socket } from "node:net";
import { connect } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { startProcess } from "./process.ts";

async function dial(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1").on("error", () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  return socket;
}

it.each(["1", "2"])(
  "connections of METRICS_PORT that stay open hold no end up, with %s processes",
  async (WORKERS) => {
    const METRICS_PORT = String(20_000 + (process.pid % 20_000));
    const { child } = await startProcess({
      WORKERS,
      METRICS_PORT,
      DRAIN_LAG_MS: "0",
      DRAIN_LIMIT_MS: "1000",
    });
    await dial(Number(METRICS_PORT));
    const used = await dial(Number(METRICS_PORT));
    used.write("GET /health/live HTTP/1.1\r\nhost: x\r\n\r\nGET /heal");
    await once(used, "data");
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
  },
);
