/** Lines of the log: one per request, probes and scrapes at a level of their own, one at the start. */
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { VERSION } from "../../../src/version.ts";
import { ownPort, startProcess } from "../../support/process.ts";
import { useService } from "../../support/service.ts";
import { exchange } from "../../support/socket.ts";

const lines: string[] = [];
const service = useService({ log: (line) => void lines.push(line), logLevel: "debug" });

it.each([
  ["/health/live", 200, 20],
  ["/health/ready", 200, 20],
  ["/v2/health/live", 200, 20],
  ["/v2/health/ready", 200, 20],
  ["/metrics", 200, 20],
  ["/v2/models/cross_entropy/ready", 200, 30],
  ["/health/never", 404, 30],
])("GET %s, which gets %s, is logged at level %s", async (path, status, level) => {
  lines.length = 0;
  expect((await service().get(path)).status).toBe(status);
  await expect.poll(() => lines.length).toBe(1);
  expect(JSON.parse(lines[0]!)).toMatchObject({ level, status, msg: "request" });
});

it("a CONNECT, which has no request of HTTP, is logged and counted", async () => {
  lines.length = 0;
  await exchange(service(), "CONNECT x:80 HTTP/1.1\r\nhost: x:80\r\n\r\n");
  await expect.poll(() => lines.length).toBe(1);
  expect(JSON.parse(lines[0]!)).toMatchObject({
    operation: "none",
    status: 400,
    problem: "malformed_request",
  });
  const { text } = await service().get("/metrics");
  expect(text).toContain('lossd_refusals_total{reason="malformed_request"} 1');
});

it("a CONNECT behind the last response, which gets none, is not logged", async () => {
  lines.length = 0;
  const socket = connect({ port: Number(new URL(service().url).port), allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  socket.write("GET /health/live HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n");
  await once(socket.resume(), "end");
  socket.end("CONNECT x:80 HTTP/1.1\r\nhost: x:80\r\n\r\n");
  await sleep(100);
  expect(lines.map((line) => JSON.parse(line))).toEqual([expect.objectContaining({ status: 400 })]);
});

it("a readiness probe that gets 503 is logged at info", async () => {
  lines.length = 0;
  service().lifecycle.phase = "stopping";
  expect((await service().get("/health/ready")).status).toBe(503);
  service().lifecycle.phase = "ready";
  await expect.poll(() => lines.length).toBe(1);
  expect(JSON.parse(lines[0]!)).toMatchObject({ level: 30, operation: "/health/ready", status: 503 });
});

it.each<[string, { METRICS_PORT?: string }]>([
  ["1", {}],
  ["2", {}],
  ["2", { METRICS_PORT: ownPort() }],
])("%s processes with %o log their start once, at info, and no probes", async (WORKERS, env) => {
  const server = await startProcess({ WORKERS, DRAIN_LAG_MS: "0", MEMORY_BUDGET: "67108864", ...env });
  const started = () => server.lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === "started");
  await expect.poll(started).toEqual([
    expect.objectContaining({
      level: 30,
      version: VERSION,
      workers: Number(WORKERS),
      memory_budget_bytes: 67_108_864,
      address: server.url,
    }),
  ]);
  await (await fetch(`${server.url}/health/ready`)).text();
  if (env.METRICS_PORT !== undefined)
    for (const path of ["/metrics", "/health/ready"])
      await (await fetch(`http://127.0.0.1:${env.METRICS_PORT}${path}`)).text();
  server.child.kill("SIGTERM");
  await once(server.child, "close");
  expect(server.lines.filter((line) => line.includes('"request"'))).toEqual([]);
  expect(started()).toHaveLength(1);
});
