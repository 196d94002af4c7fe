/** The numbers of /metrics, counted by a real server. */
import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { digestTokens } from "../../../src/http/server/auth.ts";
import { LOSSES } from "../../../src/loss/names.ts";
import { useService } from "../../support/service.ts";

const lines: string[] = [];
const service = useService({
  tokens: digestTokens(["secret"]),
  bodyLimit: 1024,
  log: (line) => void lines.push(line),
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
    const socket = connect(Number(new URL(service().url).port), "127.0.0.1");
    socket.write("nonsense\r\n\r\n");
    await once(socket, "data");
    socket.destroy();
    expect(await requests("other", 400)).toBe(before + 1);
  });
});
