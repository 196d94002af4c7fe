/** The port of METRICS_PORT has the manners of the port that serves. */
import pino from "pino";
import { afterAll, expect, it } from "vitest";
import { buildAdmin } from "../../../src/http/server/admin.ts";
import type { Lifecycle } from "../../../src/http/server/shutdown.ts";
import { HEADERS_TIMEOUT_MS } from "../../../src/http/server/timeouts.ts";
import { exchange } from "../../support/socket.ts";

const lifecycle: Lifecycle = { phase: "ready" };
const admin = buildAdmin({ lifecycle, logger: pino({ level: "silent" }) }, async () => {
  if (lifecycle.phase === "stopping") throw new Error("secret");
  return "page";
});
afterAll(() => admin.close());

it("answers carry a request id and forbid guessing their type", async () => {
  for (const url of ["/metrics", "/health/live", "/health/ready", "/x"]) {
    const { headers } = await admin.inject({ url, headers: { "x-request-id": "own" } });
    expect([headers["x-request-id"], headers["x-content-type-options"]]).toEqual(["own", "nosniff"]);
  }
});

it("refusals are problem documents, and name nothing of the framework", async () => {
  for (const [method, url, status, code] of [
    ["GET", "/x", 404, "not_found"],
    ["POST", "/metrics", 405, "method_not_allowed"],
    ["GET", "/%zz", 400, "malformed_request"],
  ] as const) {
    const body = method === "POST" ? { payload: "{", headers: { "content-type": "application/json" } } : {};
    const answer = await admin.inject({ method, url, ...body });
    expect([answer.statusCode, answer.headers["content-type"]]).toEqual([status, "application/problem+json"]);
    expect(answer.json().code).toBe(code);
    expect(answer.body).not.toContain("FST_");
  }
  expect((await admin.inject("/x")).json().detail).toBe(
    "nothing is at /x; this port has /metrics, /health/live, /health/ready",
  );
});

it("a failure is internal_error, without its text, and readiness is 503, while it stops", async () => {
  lifecycle.phase = "stopping";
  const failed = await admin.inject("/metrics");
  expect([failed.statusCode, failed.json().code]).toEqual([500, "internal_error"]);
  expect(failed.body).not.toContain("secret");
  const ready = await admin.inject("/health/ready");
  expect([ready.statusCode, ready.headers.connection, ready.json()]).toEqual([
    503,
    "close",
    { status: "stopping" },
  ]);
  lifecycle.phase = "ready";
});

it("headers that do not arrive are request_timeout", async () => {
  const url = await admin.listen({ host: "127.0.0.1", port: 0 });
  expect(admin.server.headersTimeout).toBe(HEADERS_TIMEOUT_MS);
  admin.server.headersTimeout = 100;
  const text = await exchange({ url }, "GET /metrics HTTP/1.1\r\nhost: x\r\n");
  expect(text).toMatch(/^HTTP\/1.1 408 [\s\S]*"code":"request_timeout"/);
  // Without a byte, as a balancer opens a connection in advance.
  expect(await exchange({ url }, "")).toBe("");
});
