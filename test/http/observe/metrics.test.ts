/** The numbers of /metrics, counted by a real server. */
import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { digestTokens } from "../../../src/http/server/auth.ts";
import { LOSSES } from "../../../src/loss/names.ts";
import { PROBLEMS } from "../../../src/problems.ts";
import { VERSION } from "../../../src/version.ts";
import { useService } from "../../support/service.ts";
import { dial, post } from "../../support/socket.ts";

const lines: string[] = [];
const service = useService({
  tokens: digestTokens(["secret"]),
  bodyLimit: 1024,
  log: (line) => void lines.push(line),
  logLevel: "debug",
});
const TOKEN = { authorization: "Bearer secret" };

/** Value of a series by its name and labels, as /metrics prints them, or 0. */
async function value(series: string): Promise<number> {
  const { text } = await service().get("/metrics", TOKEN);
  const line = text.split("\n").find((row) => row.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1) ?? 0);
}

const requests = (operation: string, status: number): Promise<number> =>
  value(`lossd_requests_total{operation="${operation}",status="${status}"}`);

const JSON_TYPE = { "content-type": "application/json", ...TOKEN };

const open = async (): Promise<Socket> => (await dial(service())).socket;
const BODY = '{"input":[[0,0]],"target":[1]}';
/** A request on a connection of its own or behind others. */
const TEXT = post("/v1/cross_entropy", BODY, "authorization: Bearer secret\r\n");

it("every error code, every operation's successes and server errors, and aborted responses start at 0", async () => {
  const { text } = await service().get("/metrics", TOKEN);
  const lines = text.split("\n");
  for (const code of Object.keys(PROBLEMS))
    expect(lines).toContain(`lossd_refusals_total{reason="${code}"} 0`);
  for (const operation of [...LOSSES, "other"]) {
    for (const status of [200, 499, 500, 503])
      expect(lines).toContain(`lossd_requests_total{operation="${operation}",status="${status}"} 0`);
    expect(lines).toContain(`lossd_responses_aborted_total{operation="${operation}"} 0`);
    expect(lines).toContain(`lossd_request_duration_seconds_count{operation="${operation}"} 0`);
  }
  expect(lines).toContain(`lossd_build_info{version="${VERSION}"} 1`);
});

describe("a request that is rejected before admission counts under its operation", () => {
  const paths = LOSSES.flatMap((name) => [
    [name, `/v1/${name}`],
    [name, `/v2/models/${name}/infer`],
    [name, `/v2/models/${name}/versions/1/infer`],
  ]);

  it.each(paths)("%s at %s", async (name, path) => {
    const large = `[${"1,".repeat(1000)}1]`;
    const cases: [number, Record<string, string>, string][] = [
      [413, JSON_TYPE, large],
      [415, { ...JSON_TYPE, "content-encoding": "x-unknown" }, "{}"],
      [401, { "content-type": "application/json" }, "{}"],
    ];
    for (const [status, headers, body] of cases) {
      const before = await requests(name, status);
      lines.length = 0;
      expect((await service().send("POST", path, body, headers)).status).toBe(status);
      expect(await requests(name, status)).toBe(before + 1);
      expect(JSON.parse(lines[0]!)).toMatchObject({ operation: name, status });
    }
  });

  it.each([
    ["POST", "/v1/nowhere", 404],
    ["GET", "/v1/cross_entropy", 405],
    ["GET", "/docs/", 200],
  ])("but as other for %s %s", async (method, path, status) => {
    const before = await requests("other", status);
    expect((await service().send(method, path, undefined, TOKEN)).status).toBe(status);
    // The read before was a request, too.
    expect(await requests("other", status)).toBe(before + (status === 200 ? 2 : 1));
  });

  it("but as other for bytes that are no request", async () => {
    const before = await requests("other", 400);
    const socket = await open();
    socket.write("nonsense\r\n\r\n");
    await once(socket, "data");
    socket.destroy();
    expect(await requests("other", 400)).toBe(before + 1);
  });
});

it("durations are counted by operation, for errors, too, in buckets that add up", async () => {
  const count = (operation: string) =>
    value(`lossd_request_duration_seconds_count{operation="${operation}"}`);
  const [before, nll] = [await count("cross_entropy"), await count("nll_loss")];
  const sum = await value('lossd_request_duration_seconds_sum{operation="cross_entropy"}');
  for (const body of [BODY, BODY, "{"]) await service().post("/v1/cross_entropy", body, TOKEN);
  expect(await count("cross_entropy")).toBe(before + 3);
  expect(await count("nll_loss")).toBe(nll);
  expect(await value('lossd_request_duration_seconds_bucket{le="+Inf",operation="cross_entropy"}')).toBe(
    before + 3,
  );
  const seconds = (await value('lossd_request_duration_seconds_sum{operation="cross_entropy"}')) - sum;
  expect(seconds).toBeGreaterThan(0);
  expect(seconds).toBeLessThan(3);
});

describe("requests in flight", () => {
  // The scrape is one itself.
  const others = async () => (await value("lossd_requests_in_flight")) - 1;

  it("are counted from the head to the end, also for clients that leave", async () => {
    expect(await others()).toBe(0);
    const sockets = [await open(), await open(), await open()];
    for (const socket of sockets) socket.write(TEXT.slice(0, -1));
    await expect.poll(others).toBe(3);
    sockets[0]!.write(TEXT.slice(-1));
    await expect.poll(others).toBe(2);
    for (const socket of sockets) socket.destroy();
    await expect.poll(others).toBe(0);
  });

  it("are not those that wait behind another of their connection, which may end without them", async () => {
    const socket = await open();
    socket.write(TEXT.slice(0, -1));
    await expect.poll(others).toBe(1);
    socket.write(TEXT.slice(-1) + TEXT.repeat(20) + TEXT.slice(0, -1));
    await expect.poll(others).toBe(1);
    socket.write(TEXT.slice(-1) + TEXT.repeat(20));
    socket.destroy();
    await expect.poll(others).toBe(0);
  });
});

it("bytes sent are those that the client reads, of one response each in the log, and of all in the metric", async () => {
  const total = async () => {
    lines.length = 0;
    const bytes = await value("lossd_response_bytes_total");
    await expect.poll(() => lines.length).toBe(1);
    return { bytes, page: JSON.parse(lines[0]!).bytes_sent };
  };
  const before = await total();
  lines.length = 0;
  const { socket, text } = await dial(service());
  socket.write(TEXT.repeat(3) + TEXT.replace("/v1/cross_entropy", "/v1/nowhere"));
  await expect.poll(() => lines.length).toBe(4);
  await expect.poll(() => text().length).toBeGreaterThan(600);
  const sent = lines.map((line) => JSON.parse(line).bytes_sent);
  expect(sent.reduce((sum, bytes) => sum + bytes, 0)).toBe(text().length);
  expect(new Set(sent.slice(0, 3)).size).toBe(1);
  expect((await total()).bytes).toBe(before.bytes + before.page + text().length);
  socket.destroy();
});
