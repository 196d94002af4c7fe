/** Promises about load beyond the capacity of CPU or memory. */
import { once } from "node:events";
import http from "node:http";
import { Agent, request } from "undici";
import { fileBegin, logitBytes } from "../bench/bodies.ts";
import { requestsPerSecond } from "../bench/load.ts";
import { dial, head } from "./connection.ts";
import type { Promised } from "./promise.ts";
import { probe, probing, quantile, SMALL, waitFor, withServer } from "./server.ts";

const CE = "/v1/cross_entropy";
const MB = 1024 * 1024;
const JSON_TYPE = { "content-type": "application/json" };

/** Posts repeatedly on `connections` connections for `milliseconds`; returns the count of each status. */
export async function drive(
  url: string,
  body: string,
  connections: number,
  milliseconds: number,
): Promise<Map<number, number>> {
  const dispatcher = new Agent({ connections });
  const statuses = new Map<number, number>();
  const end = performance.now() + milliseconds;
  const one = async (): Promise<void> => {
    while (performance.now() < end) {
      const response = await request(url + CE, { method: "POST", headers: JSON_TYPE, body, dispatcher });
      await response.body.dump();
      statuses.set(response.statusCode, (statuses.get(response.statusCode) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: connections }, one));
  await dispatcher.close();
  return statuses;
}

/** JSON of `count` rows of 1,000 logits. */
export const rows = (count: number): string => {
  const row = `[${Array.from({ length: 1000 }, (_, at) => (Math.sin(at) * 5).toFixed(6)).join()}]`;
  return `{"input":[${Array(count).fill(row).join()}],"target":[${Array(count).fill(1).join()}]}`;
};

const UPLOAD_ROWS = 2048;
const UPLOAD_CLASSES = 131_072;

/** Uploads 1 GiB of logits after admission; returns the status and the duration in seconds. */
async function upload(url: string): Promise<{ status: number; seconds: number; sent: number }> {
  const begin = fileBegin(UPLOAD_ROWS, UPLOAD_CLASSES);
  const row = logitBytes(UPLOAD_CLASSES);
  const start = performance.now();
  let sent = 0;
  const asked = http.request(url + CE, {
    method: "POST",
    headers: {
      "content-type": "application/vnd.safetensors",
      "content-length": begin.length + UPLOAD_ROWS * row.length,
      expect: "100-continue",
    },
  });
  asked.on("error", () => {});
  asked.once("continue", async () => {
    const pieces = async function* () {
      yield begin;
      for (let k = 0; k < UPLOAD_ROWS; k++) yield row;
    };
    for await (const piece of pieces()) {
      sent += piece.length;
      if (!asked.write(piece)) await once(asked, "drain");
    }
    asked.end();
  });
  asked.flushHeaders();
  const [response] = (await once(asked, "response")) as [http.IncomingMessage];
  for await (const _ of response);
  asked.destroy();
  return { status: response.statusCode ?? 0, seconds: (performance.now() - start) / 1000, sent };
}

/** Loads of R20 by name. */
function crowds(url: string): [string, Parameters<typeof requestsPerSecond>[0]][] {
  const json = "application/json";
  const file = Buffer.concat([fileBegin(64, 131_072), logitBytes(64 * 131_072)]);
  return [
    [
      "responses",
      {
        url: `${url}/v1/log_softmax`,
        body: rows(1600).replace(/"target".*/, '"dim":1}'),
        type: json,
        connections: 1,
      },
    ],
    ["200 clients", { url: url + CE, body: rows(104), type: json, connections: 200 }],
    ["40 streams", { url: url + CE, body: file, type: "application/vnd.safetensors", connections: 40 }],
  ];
}

export const LOAD: readonly Promised[] = [
  {
    id: "R1",
    text: "offered load of 16 times the rate of one connection: goodput stays at 95 % or more of the peak",
    prove: () =>
      withServer({}, async ({ url }) => {
        const body = rows(16);
        const goodput = async (connections: number): Promise<number> => {
          const statuses = await drive(url, body, connections, 3000);
          return (statuses.get(200) ?? 0) / 3;
        };
        await goodput(4);
        const all = [await goodput(4), await goodput(8), await goodput(16), await goodput(64)];
        const share = all.at(-1)! / Math.max(...all);
        return {
          value: `${(share * 100).toFixed(0)} % (${all.map((rate) => rate.toFixed(0)).join(", ")} requests/s)`,
          holds: share >= 0.95,
        };
      }),
  },
  {
    id: "R2",
    text: "any mix of parallel bodies keeps peak memory within the budget plus idle plus 15 %",
    prove: () =>
      withServer(
        { MEMORY_BUDGET: String(256 * MB), BODY_LIMIT: String(32 * MB) },
        async ({ url, memory }) => {
          await drive(url, SMALL, 8, 1000);
          const idle = memory().now;
          const bodies = [rows(1), rows(64), rows(500), rows(1000)];
          const statuses = await Promise.all(bodies.map((body) => drive(url, body, 6, 5000)));
          const bad = statuses
            .flatMap((counts) => [...counts.keys()])
            .filter((status) => status !== 200 && status !== 503);
          const { peak } = memory();
          const share = peak / (256 * MB + idle);
          return {
            value: `peak ${(peak / MB).toFixed(0)} MiB, ${(share * 100).toFixed(0)} % of budget and idle`,
            holds: share <= 1.15 && bad.length === 0,
          };
        },
      ),
  },
  {
    id: "R4",
    text: "hostile JSON within the body limit costs 5x its bytes of memory or less, gets 4xx, and stalls no other client over 100 ms",
    prove: () =>
      withServer({ BODY_LIMIT: String(16 * MB) }, async ({ port, url, memory }) => {
        const size = 8 * MB;
        const fill = (piece: string): string => piece.repeat(Math.floor(size / piece.length));
        const hostile = [
          `{"input":${fill("[")}`,
          `{"input":[${fill("{},")}`,
          `{"x":[${fill("[],")}`,
          `{${fill('"a":1,')}`,
          `{"input":[${"1".repeat(size)}`,
          `{"input":[0.${"1".repeat(size)}`,
          `\ufeff{"input":[1]}`,
          `{"format":"${fill("\\ud800")}"}`,
          `{"input":[${fill('"NaN",')}null]}`,
          `{"a":"${"x".repeat(size)}"}`,
        ];
        await probe(url);
        const before = memory().now;
        const stop = probing(url);
        let worst = 0;
        const statuses: string[] = [];
        for (const text of hostile) {
          const bytes = Buffer.from(text);
          const line = await dial(port);
          line.socket.write(head("/v1/cross_entropy", bytes.length));
          line.socket.write(bytes);
          await line.until(/^HTTP\/1.1 \d+[\s\S]*\r\n\r\n/, 20_000);
          statuses.push(line.text().slice(9, 12));
          worst = Math.max(worst, (memory().peak - before) / size);
          line.socket.destroy();
        }
        const stall = (await stop()).at(-1)!;
        return {
          value: `${[...new Set(statuses)].join(", ")}; ${worst.toFixed(1)}x; slowest probe ${stall.toFixed(0)} ms`,
          holds: statuses.every((status) => status.startsWith("4")) && worst <= 5 && stall <= 100,
        };
      }),
  },
  {
    id: "R11",
    text: "a rejected body costs 5 % or less of the processor time of the cheapest accepted one, MiB for MiB",
    prove: () =>
      withServer({ BODY_LIMIT: String(8 * MB) }, async ({ url, cpu }) => {
        const accepted = rows(700);
        const spend = async (body: string, times: number): Promise<number> => {
          const before = cpu();
          for (let k = 0; k < times; k++) {
            const response = await request(url + CE, { method: "POST", headers: JSON_TYPE, body });
            await response.body.dump();
          }
          return (cpu() - before) / times / (body.length / MB);
        };
        await spend(accepted, 5);
        const [taken, rejected] = [await spend(accepted, 20), await spend(" ".repeat(40 * MB), 10)];
        const share = rejected / taken;
        return { value: `${(share * 100).toFixed(1)} %`, holds: share <= 0.05 };
      }),
  },
  {
    id: "R14",
    text: "small requests beside 16 MiB requests at 4 times capacity: 99.4 % get 200",
    prove: () =>
      withServer({ MEMORY_BUDGET: String(256 * MB), BODY_LIMIT: String(32 * MB) }, async ({ url }) => {
        const large = rows(1600);
        const load = drive(url, large, 8, 8000);
        const stop = probing(url);
        await load;
        const times = await stop();
        const good = times.filter(Number.isFinite).length / times.length;
        return {
          value: `${(good * 100).toFixed(1)} % of ${times.length}, median ${quantile(times, 0.5).toFixed(0)} ms, p99 ${quantile(times, 0.99).toFixed(0)} ms`,
          holds: good >= 0.994,
        };
      }),
  },
  {
    id: "R30",
    text: "twelve uploads of 1 GiB at once with WAIT_LIMIT_MS 4000: accepted uploads end within 12 s, the others get 503 before their first byte",
    prove: () =>
      withServer({ WAIT_LIMIT_MS: "4000" }, async ({ url }) => {
        const uploads = await Promise.all(Array.from({ length: 12 }, () => upload(url)));
        const completed = uploads.filter(({ status }) => status === 200);
        const rejected = uploads.filter(({ status, sent }) => status === 503 && sent === 0);
        const slowest = Math.max(...completed.map(({ seconds }) => seconds));
        return {
          value: `${completed.length} completed within ${slowest.toFixed(1)} s, ${rejected.length} rejected`,
          holds:
            slowest <= 12 && completed.length > 0 && completed.length + rejected.length === uploads.length,
        };
      }),
  },
  {
    id: "R34",
    text: "two clients of 60 MiB of JSON beside forty of 8 MiB: all of their requests get 200, within 10 s",
    prove: () =>
      withServer({}, async ({ url }) => {
        const [large, medium] = [rows(6200), rows(820)];
        const crowd = drive(url, medium, 40, 12_000);
        const start = performance.now();
        let slowest = 0;
        const statuses = new Set<number>();
        const one = async (): Promise<void> => {
          while (performance.now() - start < 12_000) {
            const sent = performance.now();
            const response = await request(url + CE, { method: "POST", headers: JSON_TYPE, body: large });
            await response.body.dump();
            statuses.add(response.statusCode);
            slowest = Math.max(slowest, performance.now() - sent);
          }
        };
        await Promise.all([one(), one()]);
        const others = await crowd;
        const served = others.get(200) ?? 0;
        const all = [...others.values()].reduce((sum, count) => sum + count, 0);
        return {
          value: `${[...statuses].join(", ")} within ${(slowest / 1000).toFixed(1)} s; ${served} of ${all} others`,
          holds: [...statuses].join() === "200" && slowest <= 10_000,
        };
      }),
  },
  {
    id: "R35",
    text: "64 connections announce bodies of 60 MiB and send none of them: a request of 60 MiB gets 200 within 2 s, and one of 64 KiB within 0.2 s",
    prove: () =>
      withServer({}, async ({ port, url }) => {
        const seconds = async (body: string): Promise<number> => {
          const start = performance.now();
          const response = await request(url + CE, { method: "POST", headers: JSON_TYPE, body });
          await response.body.dump();
          return response.statusCode === 200 ? (performance.now() - start) / 1000 : Number.POSITIVE_INFINITY;
        };
        const [large, small] = [rows(6200), rows(6)];
        await seconds(small);
        const lines = await Promise.all(Array.from({ length: 64 }, () => dial(port)));
        for (const { socket } of lines) socket.write(head(CE, 60 * MB));
        await probe(url);
        const times = [await seconds(large), await seconds(small)] as const;
        for (const { socket } of lines) socket.destroy();
        return {
          value: `200 after ${times[0].toFixed(1)} s and ${times[1].toFixed(2)} s`,
          holds: times[0] <= 2 && times[1] <= 0.2,
        };
      }),
  },
  {
    id: "R20",
    text: "the event loop beside large responses, 200 clients with 1 MiB of JSON each, and 40 streams: a probe's p99 20 ms or less, maximum 100 ms",
    prove: () =>
      withServer({ BODY_LIMIT: String(32 * MB) }, async ({ url }) => {
        await probe(url);
        const values: string[] = [];
        let holds = true;
        for (const [name, load] of crowds(url)) {
          const stop = probing(url);
          // Runs in its own process, because it would delay the probe here.
          await requestsPerSecond(load, 6);
          const times = await stop();
          const [p99, most] = [quantile(times, 0.99), times.at(-1)!];
          values.push(`${name} p99 ${p99.toFixed(1)} ms, maximum ${most.toFixed(1)} ms`);
          holds &&= p99 <= 20 && most <= 100;
        }
        return { value: values.join("; "), holds };
      }),
  },
  {
    id: "R23",
    text: "a minute at 0.7 of capacity with disconnecting clients and rejected bodies: memory flat, reservations back to 0",
    prove: () =>
      withServer({}, async ({ url, port, memory, metric }) => {
        const body = rows(16);
        await drive(url, body, 3, 8000);
        const before = memory().now;
        const end = performance.now() + 50_000;
        const faults = (async () => {
          while (performance.now() < end) {
            const line = await dial(port);
            line.socket.write(head(CE, 100_000) + body.slice(0, 50_000));
            await new Promise((resolve) => setTimeout(resolve, 20));
            line.socket.destroy();
            await fetch(url + CE, { method: "POST", headers: JSON_TYPE, body: '{"input":[' }).then(
              (response) => response.text(),
            );
          }
        })();
        await Promise.all([drive(url, body, 2, 50_000), faults]);
        const grown = memory().now - before;
        const back = await waitFor(async () => (await metric("lossd_reserved_bytes")) === 0, 2000);
        return {
          value: `memory grew by ${(grown / MB).toFixed(1)} MiB, reservations ${back === undefined ? "remain" : "0"}`,
          holds: grown < 32 * MB && back !== undefined,
        };
      }),
  },
];
