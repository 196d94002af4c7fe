/** Spans, as a collector gets them from a real process. */
import { once } from "node:events";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { startProcess } from "../../support/process.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";
const BODY = '{"input":[[0,0]],"target":[1]}';

let collector: Server;
/** Where it listens. */
let endpoint: string;
let arrived: { path: string | undefined; type: string | undefined; key: unknown; bytes: Buffer }[];

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

afterEach(() => void collector.close());

/** Starts a server that sends its spans to the collector. */
async function start(env: Record<string, string> = {}) {
  const server = await startProcess({
    DRAIN_LAG_MS: "0",
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    ...env,
  });
  const post = (body: string, headers: Record<string, string> = {}) =>
    fetch(`${server.url}/v1/cross_entropy`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
    });
  return { ...server, post };
}

/** Whether some span holds an attribute with this text: key, then value, as protobuf has them, with their lengths between. */
function holds(bytes: Buffer, key: string, value: string): boolean {
  for (let at = bytes.indexOf(key); at >= 0; at = bytes.indexOf(key, at + 1)) {
    const end = at + key.length;
    if (bytes.subarray(end, end + value.length + 6).includes(value)) return true;
  }
  return false;
}

it.each(["1", "2"])(
  "arrive for each request, below the client's span, with %s processes",
  async (WORKERS) => {
    const server = await start({ WORKERS, OTEL_EXPORTER_OTLP_HEADERS: "x-key=secret" });
    const traceparent = `00-${TRACE}-${PARENT}-01`;
    await (await server.post(BODY, { traceparent, "x-request-id": "own-id" })).text();
    await (await server.post('{"input":[[0,0]],"target":[7]}')).text();
    await (await fetch(`${server.url}/%E0%A4%A`)).text();
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
    expect(holds(bytes, "lossd.operation", "cross_entropy")).toBe(true);
    expect(holds(bytes, "lossd.input.dtype", "float32")).toBe(true);
    expect(holds(bytes, "lossd.request_id", "own-id")).toBe(true);
    expect(holds(bytes, "lossd.problem", "target_out_of_bounds")).toBe(true);
    // A path that is none is a request, too.
    expect(holds(bytes, "lossd.problem", "malformed_request")).toBe(true);
    expect(bytes.includes("lossd.stage.compute_seconds")).toBe(true);
    // The log has the same names: the client's trace, and for the other request the one that was begun.
    const logged = server.lines
      .filter((line) => line.includes('"operation":"cross_entropy"'))
      .map((line) => JSON.parse(line));
    expect(logged.map(({ trace_id }) => trace_id)).toContain(TRACE);
    for (const { trace_id } of logged) expect(bytes.includes(Buffer.from(trace_id, "hex"))).toBe(true);
  },
);

it.each([
  ["OTEL_SDK_DISABLED", "true"],
  ["OTEL_TRACES_EXPORTER", "none"],
])("are not sent where %s is %s", async (name, value) => {
  const server = await start({ WORKERS: "1", [name]: value });
  await (await server.post(BODY)).text();
  expect(await server.stop()).toBe(0);
  expect(arrived).toEqual([]);
});

it("go to OTEL_EXPORTER_OTLP_TRACES_ENDPOINT as it stands, with OTEL_EXPORTER_OTLP_TRACES_HEADERS", async () => {
  const server = await start({
    WORKERS: "1",
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1",
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${endpoint}/own/path`,
    OTEL_EXPORTER_OTLP_HEADERS: "x-key=general",
    OTEL_EXPORTER_OTLP_TRACES_HEADERS: "x-key=own",
  });
  await (await server.post(BODY)).text();
  expect(await server.stop()).toBe(0);
  expect(arrived.map(({ path, key }) => [path, key])).toEqual([["/own/path", "own"]]);
});

it("are not sent for a trace that its client does not record", async () => {
  const server = await start({ WORKERS: "1" });
  await (await server.post(BODY, { traceparent: `00-${TRACE}-${PARENT}-00` })).text();
  expect(await server.stop()).toBe(0);
  expect(arrived).toEqual([]);
});

it.each(["always_on", "traceidratio"])(
  "are sent whatever the client records, where OTEL_TRACES_SAMPLER is %s",
  async (OTEL_TRACES_SAMPLER) => {
    const server = await start({ WORKERS: "1", OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG: "1" });
    await (await server.post(BODY, { traceparent: `00-${TRACE}-${PARENT}-00` })).text();
    expect(await server.stop()).toBe(0);
    expect(Buffer.concat(arrived.map(({ bytes }) => bytes)).includes(Buffer.from(TRACE, "hex"))).toBe(true);
  },
);

it("are not sent because the client records, where OTEL_TRACES_SAMPLER is traceidratio", async () => {
  const server = await start({
    WORKERS: "1",
    OTEL_TRACES_SAMPLER: "traceidratio",
    OTEL_TRACES_SAMPLER_ARG: "0",
  });
  await (await server.post(BODY, { traceparent: `00-${TRACE}-${PARENT}-01` })).text();
  expect(await server.stop()).toBe(0);
  expect(arrived).toEqual([]);
});

it("hold at most 256 characters of a path, a user agent or anything else of a client's", async () => {
  const server = await start({ WORKERS: "1" });
  const long = "x".repeat(6000);
  await (await fetch(`${server.url}/${long}`)).text();
  await (await server.post(BODY, { "user-agent": long, tracestate: `k=${long}` })).text();
  expect(await server.stop()).toBe(0);
  const bytes = Buffer.concat(arrived.map((batch) => batch.bytes));
  expect(bytes.includes("x".repeat(255))).toBe(true);
  expect(bytes.includes("x".repeat(257))).toBe(false);
});

it("hold nothing up where the collector is not there", async () => {
  collector.close();
  const server = await start({ WORKERS: "1", DRAIN_LIMIT_MS: "2000" });
  for (let k = 0; k < 20; k++) expect((await server.post(BODY)).status).toBe(200);
  expect(await server.stop()).toBe(0);
  expect(server.lines.filter((line) => line.includes("spans are lost"))).not.toEqual([]);
});

it("end an export after 1.2 s where the collector answers in a trickle", async () => {
  let closed = 0;
  collector.removeAllListeners("request").on("request", (request, response: ServerResponse) => {
    request.resume();
    const trickle = setInterval(() => response.write("a"), 200);
    response.on("close", () => {
      clearInterval(trickle);
      closed++;
    });
  });
  const server = await start({ WORKERS: "1", OTEL_BSP_SCHEDULE_DELAY: "10" });
  for (let k = 1; k <= 2; k++) {
    expect((await server.post(BODY)).status).toBe(200);
    await vi.waitFor(() => expect(closed).toBe(k), 5000);
  }
  expect(await server.stop()).toBe(0);
});

it("are lost with a reason of at most 256 characters, whatever the collector's answer", async () => {
  const long = "secret ".repeat(300_000);
  collector.removeAllListeners("request").on("request", (_, response: ServerResponse) => {
    response.writeHead(400, long.slice(0, 2000)).end(long);
  });
  const server = await start({ WORKERS: "1" });
  expect((await server.post(BODY)).status).toBe(200);
  expect(await server.stop()).toBe(0);
  const lost = server.lines.filter((line) => line.includes("spans are lost")).map((line) => JSON.parse(line));
  expect(lost).toHaveLength(1);
  expect(lost[0].reason).toMatch(/^OTLPExporterError: secret /);
  expect(lost[0].reason).toHaveLength(256);
  expect(JSON.stringify(lost[0]).length).toBeLessThan(500);
});

it("have a warning for a variable without effect", async () => {
  const server = await start({ WORKERS: "1", OTEL_TRACES_SAMPLER: "sometimes" });
  expect((await server.post(BODY)).status).toBe(200);
  expect(await server.stop()).toBe(0);
  const reasons = server.lines
    .map((line) => JSON.parse(line))
    .filter(({ msg }) => msg === "tracing")
    .map(({ reason }) => reason);
  expect(reasons).toEqual([expect.stringContaining("OTEL_TRACES_SAMPLER")]);
});
