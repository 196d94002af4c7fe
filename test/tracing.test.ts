/** Spans, as a collector gets them from a real process. */
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { IncomingMessage, Server } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, it } from "vitest";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";
const BODY = '{"input":[[0,0]],"target":[1]}';

let collector: Server;
/** Where it listens. */
let endpoint: string;
let arrived: { path: string | undefined; type: string | undefined; key: unknown; bytes: Buffer }[];
let child: ChildProcess | undefined;

beforeEach(async () => {
  arrived = [];
  collector = createServer(async (request: IncomingMessage, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { url: path, headers } = request;
    arrived.push({
      path,
      type: headers["content-type"],
      key: headers["x-key"],
      bytes: Buffer.concat(chunks),
    });
    response.end();
  }).listen(0, "127.0.0.1");
  await once(collector, "listening");
  endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
});

afterEach(() => {
  child?.kill("SIGKILL");
  collector.close();
});

/** Starts a server that sends its spans to the collector. */
async function start(more: Record<string, string> = {}) {
  const env = {
    PATH: process.env.PATH,
    PORT: "0",
    DRAIN_LAG_MS: "0",
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    ...more,
  };
  const server = spawn(process.execPath, ["dist/main.js"], { env });
  child = server;
  const lines: string[] = [];
  const url = await new Promise<string>((resolve, reject) => {
    createInterface(server.stdout).on("line", (line) => {
      lines.push(line);
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(line);
      if (found) resolve(found[0]);
    });
    server.once("exit", (code) => reject(new Error(`exited with ${code}`)));
  });
  const stop = async (): Promise<number> => {
    server.kill("SIGTERM");
    const [code] = await once(server, "exit");
    return code;
  };
  const post = (body: string, headers: Record<string, string> = {}) =>
    fetch(`${url}/v1/cross_entropy`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
    });
  return { url, post, stop, lines };
}

/** Whether a span holds an attribute with this text: key, then value, as protobuf has them, with their lengths between. */
const holds = (bytes: Buffer, key: string, value: string) => {
  const at = bytes.indexOf(key);
  return at > 0 && bytes.subarray(at + key.length, at + key.length + value.length + 6).includes(value);
};

it.each(["1", "2"])(
  "arrive for each request, below the client's span, with %s processes",
  async (WORKERS) => {
    const server = await start({ WORKERS, OTEL_EXPORTER_OTLP_HEADERS: "x-key=secret" });
    const traceparent = `00-${TRACE}-${PARENT}-01`;
    await (await server.post(BODY, { traceparent, "x-request-id": "own-id" })).text();
    await (await server.post('{"input":[[0,0]],"target":[7]}')).text();
    await (await fetch(`${server.url}/health/ready`)).text();
    await (await fetch(`${server.url}/metrics`)).text();
    expect(await server.stop()).toBe(0);
    const bytes = Buffer.concat(arrived.map((batch) => batch.bytes));
    for (const batch of arrived) {
      expect(batch).toMatchObject({ path: "/v1/traces", type: "application/x-protobuf", key: "secret" });
    }
    expect(bytes.includes(Buffer.from(TRACE, "hex"))).toBe(true);
    expect(bytes.includes(Buffer.from(PARENT, "hex"))).toBe(true);
    expect(bytes.toString("latin1").match(/POST \/v1\/cross_entropy/g)).toHaveLength(2);
    expect(bytes.toString("latin1")).not.toMatch(/health|\/metrics/);
    expect(holds(bytes, "service.name", "lossd")).toBe(true);
    expect(holds(bytes, "lossd.operation", "crossEntropy")).toBe(true);
    expect(holds(bytes, "lossd.input.dtype", "float32")).toBe(true);
    expect(holds(bytes, "lossd.request_id", "own-id")).toBe(true);
    expect(holds(bytes, "lossd.problem", "target_out_of_bounds")).toBe(true);
    expect(bytes.includes("lossd.stage.compute_seconds")).toBe(true);
    // The log has the same names: the client's trace, and for the other request the one that was begun.
    const logged = server.lines
      .filter((line) => line.includes("crossEntropy"))
      .map((line) => JSON.parse(line));
    expect(logged.map(({ trace_id }) => trace_id)).toContain(TRACE);
    for (const { trace_id } of logged) expect(bytes.includes(Buffer.from(trace_id, "hex"))).toBe(true);
  },
);

it("are not sent for a trace that its client does not record", async () => {
  const server = await start({ WORKERS: "1" });
  await (await server.post(BODY, { traceparent: `00-${TRACE}-${PARENT}-00` })).text();
  expect(await server.stop()).toBe(0);
  expect(arrived).toEqual([]);
});

it("hold nothing up where the collector is not there", async () => {
  collector.close();
  const server = await start({ WORKERS: "1", DRAIN_LIMIT_MS: "2000" });
  for (let k = 0; k < 20; k++) expect((await server.post(BODY)).status).toBe(200);
  expect(await server.stop()).toBe(0);
  expect(server.lines.filter((line) => line.includes("spans are lost"))).not.toEqual([]);
});
