/** The process: starts from the environment, says where it listens, stops on SIGTERM without losing a request. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, it } from "vitest";
import { startProcess } from "../support/process.ts";
import { dial, head } from "../support/socket.ts";

it("stops on SIGTERM: serves on for DRAIN_LAG_MS with Connection: close and readiness 503, then exits with 0", async () => {
  const { child, url } = await startProcess({ DRAIN_LAG_MS: "800" });
  expect((await fetch(`${url}/health/ready`)).status).toBe(200);
  child.kill("SIGTERM");
  await expect.poll(async () => (await fetch(`${url}/health/ready`)).status).toBe(503);
  const inference = await fetch(`${url}/v2/health/ready`);
  expect([inference.status, await inference.json()]).toEqual([503, { ready: false }]);
  const model = await fetch(`${url}/v2/models/nll_loss/ready`);
  expect([model.status, await model.json()]).toEqual([503, { name: "nll_loss", ready: false }]);
  const answer = await fetch(`${url}/v1/log_softmax`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"input":[0],"dim":0}',
  });
  expect(answer.status).toBe(200);
  expect(answer.headers.get("connection")).toBe("close");
  const [code] = await once(child, "exit");
  expect(code).toBe(0);
});

it("stops by DRAIN_LIMIT_MS although a client trickles its body", async () => {
  const { child, port } = await startProcess({ DRAIN_LAG_MS: "0", DRAIN_LIMIT_MS: "500" });
  const { socket } = await dial(port);
  socket.write(`${head("/v1/log_softmax", 1000)}{`);
  const trickle = setInterval(() => socket.write(" "), 50);
  child.kill("SIGTERM");
  const [code] = await once(child, "exit");
  clearInterval(trickle);
  expect(code).toBe(0);
});

it("writes one log line a request: operation, dtype, shape, bytes, milliseconds, ids; never a tensor", async () => {
  const { child, url, lines } = await startProcess({ DRAIN_LAG_MS: "0" });
  await fetch(`${url}/v1/log_softmax`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-request-id": "abc.1",
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    },
    body: '{"input":[1234.5,0.25],"dim":0}',
  });
  child.kill("SIGTERM");
  await once(child, "exit");
  const [line, ...more] = lines.filter((text) => text.includes("log_softmax"));
  expect(more).toEqual([]);
  expect(JSON.parse(line!)).toMatchObject({
    reqId: "abc.1",
    operation: "log_softmax",
    status: 200,
    dtype: "float32",
    shape: [2],
    bytes: 31,
    trace_id: "0af7651916cd43dd8448eb211c80319c",
    ms: expect.any(Number),
  });
  expect(line).not.toContain("1234.5");
});

it("writes that line also for a client that leaves before its answer, with status 499, and counts it", async () => {
  const { url, lines, port } = await startProcess({ DRAIN_LAG_MS: "0", WORKERS: "1" });
  const { socket } = await dial(port);
  socket.write(`${head("/v1/log_softmax", 1000, "x-request-id: left\r\n")}{"input":[1,`);
  await expect
    .poll(async () => (await fetch(`${url}/metrics`)).text())
    .toMatch(/^lossd_reserved_bytes [1-9]/m);
  socket.destroy();
  const gone = (): string[] => lines.filter((text) => text.includes('"left"'));
  await expect.poll(gone).toHaveLength(1);
  expect(JSON.parse(gone()[0]!)).toMatchObject({ operation: "log_softmax", status: 499 });
  const page = await (await fetch(`${url}/metrics`)).text();
  expect(page).toContain('lossd_requests_total{operation="log_softmax",status="499"} 1');
});

it.each([
  ["PORT", "70000"],
  ["PORT", "80a"],
  ["BODY_LIMIT", "1e6"],
  ["LOG_LEVEL", "loud"],
  ["MEMORY_BUDGET", "-1"],
])("refuses %s=%s with one line that names it", async (name, value) => {
  const child = spawn(process.execPath, ["dist/main.js"], { env: { [name]: value } });
  let text = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  const [code] = await once(child, "close");
  expect(code).toBe(1);
  expect(text).toMatch(new RegExp(`^lossd: ${name}: expected .+, got ${value}\n$`));
});
