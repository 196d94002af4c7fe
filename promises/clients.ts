/** Promises about slow, greedy, absent and ambiguous clients. */
import { setTimeout as sleep } from "node:timers/promises";
import { compressedRow } from "../test/conformance/files.ts";
import { dial, head } from "./connection.ts";
import type { Promised } from "./promise.ts";
import { probing, quantile, waitFor, withServer } from "./server.ts";

const CE = "/v1/cross_entropy";
const MB = 1024 * 1024;
const JSON_TYPE = { "content-type": "application/json" };

export const CLIENTS: readonly Promised[] = [
  {
    id: "R9",
    text: "1,000 sockets that send headers slowly are all closed within 6.5 s, a probe's p99 10 ms or less",
    prove: () =>
      withServer({}, async ({ port, url }) => {
        const lines = await Promise.all(Array.from({ length: 1000 }, () => dial(port)));
        const start = performance.now();
        for (const { socket } of lines) socket.write("POST / HTTP/1.1\r\nhost: x\r\n");
        const trickle = setInterval(() => {
          for (const { socket } of lines) if (!socket.destroyed) socket.write("a");
        }, 500);
        const stop = probing(url);
        await Promise.race([Promise.all(lines.map(({ closed }) => closed)), sleep(15_000)]);
        const seconds = (performance.now() - start) / 1000;
        clearInterval(trickle);
        const p99 = quantile(await stop(), 0.99);
        const closed = lines.filter(({ socket }) => socket.destroyed).length;
        return {
          value: `${closed} closed in ${seconds.toFixed(1)} s, p99 ${p99.toFixed(1)} ms`,
          holds: closed === 1000 && seconds <= 6.5 && p99 <= 10,
        };
      }),
  },
  {
    id: "R10",
    text: "a body below the minimum rate (10 s + bytes at 1 MiB/s) gets 408, its reservation freed within 1 s",
    prove: () =>
      withServer({}, async ({ port, metric }) => {
        const line = await dial(port);
        line.socket.write(`${head(CE, 5 * MB)}{"input":[`);
        const trickle = setInterval(() => line.socket.write("1,"), 100);
        const start = performance.now();
        const rejected = await line.until(/^HTTP\/1.1 408/, 20_000);
        const seconds = (performance.now() - start) / 1000;
        const back = await waitFor(async () => (await metric("lossd_reserved_bytes")) === 0, 5000);
        clearInterval(trickle);
        line.socket.destroy();
        return {
          value: `${rejected ? "408" : "no response"} after ${seconds.toFixed(1)} s, memory back in ${back?.toFixed(0)} ms`,
          holds: rejected && back !== undefined && back <= 1000,
        };
      }),
  },
  {
    id: "R13",
    isCheap: true,
    text: "a rejected Expect: 100-continue gets the final status, and no 100 response",
    prove: () =>
      withServer({ BODY_LIMIT: String(MB) }, async ({ port }) => {
        const line = await dial(port);
        line.socket.write(head(CE, 100 * MB, "expect: 100-continue\r\n"));
        const rejected = await line.until(/^HTTP\/1.1 413/, 2000);
        await Promise.race([line.closed, sleep(1000)]);
        const asked = line.text().includes("100 Continue");
        return {
          value: `${rejected ? "413" : "no 413"}, ${asked ? "a 100" : "no 100"} response`,
          holds: rejected && !asked,
        };
      }),
  },
  {
    id: "R15",
    isCheap: true,
    text: "a connection that pipelines 300 requests of 100 KB has one running at a time",
    prove: () =>
      withServer({}, async ({ port, metric }) => {
        const body = `{"dim":0,"input":[${"1,".repeat(50_000)}1]}`;
        const one = 4 * body.length + 64 * 1024;
        const line = await dial(port);
        line.socket.pause();
        line.socket.write((head("/v1/log_softmax", body.length) + body).repeat(300));
        let most = 0;
        for (let k = 0; k < 100; k++) {
          most = Math.max(most, await metric("lossd_reserved_bytes"));
          await sleep(10);
        }
        line.socket.destroy();
        return {
          value: `${(most / one).toFixed(2)} times one request's memory`,
          holds: most > 0 && most < 1.5 * one,
        };
      }),
  },
  {
    id: "R16",
    text: "if a client disconnects during its body or its response, its memory is free within 100 ms",
    prove: () =>
      withServer({ BODY_LIMIT: String(64 * MB) }, async ({ port, metric }) => {
        let worst = 0;
        for (let k = 0; k < 10; k++) {
          const line = await dial(port);
          const body = `{"dim":0,"input":[${"1,".repeat(3_000_000)}1]}`;
          line.socket.write(
            head("/v1/log_softmax", body.length) + body.slice(0, k % 2 === 0 ? body.length : body.length / 2),
          );
          await waitFor(async () => (await metric("lossd_reserved_bytes")) > 0, 5000);
          await sleep(k * 20);
          line.socket.destroy();
          const back = await waitFor(async () => (await metric("lossd_reserved_bytes")) === 0, 5000);
          worst = Math.max(worst, back ?? Number.POSITIVE_INFINITY);
        }
        return { value: `at most ${worst.toFixed(0)} ms`, holds: worst <= 100 };
      }),
  },
  {
    id: "R18",
    text: "a body in 1-byte chunks takes 20x or less processor time of one in 64 KiB chunks",
    prove: () =>
      withServer({}, async ({ port, cpu }) => {
        const body = `{"dim":0,"input":[${"1.5,".repeat(100_000)}1]}`;
        const spend = async (size: number, times: number): Promise<number> => {
          let chunks = "";
          for (let at = 0; at < body.length; at += size) {
            const piece = body.slice(at, at + size);
            chunks += `${piece.length.toString(16)}\r\n${piece}\r\n`;
          }
          const bytes = `POST /v1/log_softmax HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`;
          const before = cpu();
          for (let k = 0; k < times; k++) {
            const line = await dial(port);
            line.socket.write(bytes);
            await line.closed;
          }
          return (cpu() - before) / times;
        };
        await spend(65_536, 20);
        const [small, large] = [await spend(1, 10), await spend(65_536, 100)];
        return { value: `${(small / large).toFixed(1)}x`, holds: small / large <= 20 };
      }),
  },
  {
    id: "R19",
    text: "a client that stops reading its response buffers 1 MiB or less, and is closed within 3 s when another request needs its memory",
    prove: () =>
      withServer({ MEMORY_BUDGET: String(64 * MB) }, async ({ port, url, metric, memory }) => {
        const line = await dial(port);
        const body = `{"dim":0,"input":[${"1,".repeat(4_500_000)}1]}`;
        line.socket.pause();
        line.socket.write(head("/v1/log_softmax", body.length) + body);
        await waitFor(async () => (await metric("lossd_reserved_bytes")) > 0, 5000);
        await sleep(3000);
        const kept = memory().now;
        await sleep(6000);
        const grown = memory().now - kept;
        const start = performance.now();
        const other = body.slice(-4_000_000).replace(/^[^1]*/, '{"dim":0,"input":[');
        const post = async () =>
          (await fetch(`${url}/v1/log_softmax`, { method: "POST", headers: JSON_TYPE, body: other })).status;
        const got = await waitFor(async () => (await post()) === 200, 5000);
        line.socket.destroy();
        const seconds = ((performance.now() - start) / 1000).toFixed(1);
        return {
          value: `memory grew by ${(grown / MB).toFixed(1)} MiB in 6 s, the other request was ${got === undefined ? "not accepted" : `computed within ${seconds} s`}`,
          holds: got !== undefined && Number(seconds) <= 3 && grown < MB,
        };
      }),
  },
  {
    id: "R33",
    text: "271 connections announce bodies of 64 MiB, 1 MiB and 64 KiB and send one byte: requests of 1 MiB and of 64 KiB get 200 within 3 s",
    prove: () =>
      withServer({}, async ({ port, url, metric }) => {
        const sizes = [...Array(3).fill(64 * MB), ...Array(50).fill(MB), ...Array(218).fill(64 * 1024)];
        const lines = await Promise.all(
          sizes.map(async (size: number) => {
            const line = await dial(port);
            line.socket.write(`${head(CE, size)}{`);
            return line;
          }),
        );
        await waitFor(async () => (await metric("lossd_reserved_bytes")) > 700 * MB, 2000);
        const start = performance.now();
        const waits: string[] = [];
        let holds = true;
        for (const size of [MB, 64 * 1024]) {
          const body = `{"dim":0,"input":[${"1,".repeat(size / 2 - 100)}1]}`;
          const post = async () =>
            (await fetch(`${url}/v1/log_softmax`, { method: "POST", headers: JSON_TYPE, body })).status;
          const got = await waitFor(async () => (await post()) === 200, 12_000);
          const seconds = (performance.now() - start) / 1000;
          waits.push(got === undefined ? "never" : `${seconds.toFixed(1)} s`);
          holds &&= got !== undefined && seconds <= 3;
        }
        for (const { socket } of lines) socket.destroy();
        return { value: `200 after ${waits.join(" and ")}`, holds };
      }),
  },
  {
    id: "R37",
    text: "a large request takes the memory of a slow client whose compressed file is being computed or awaited: all of its numbers are right, in six trials",
    prove: () =>
      withServer({ MEMORY_BUDGET: String(128 * MB), BODY_LIMIT: String(60 * MB) }, async ({ port, url }) => {
        const count = 6_500_000;
        const body = `{"dim":0,"format":"flat","input":[${"1,".repeat(count - 1)}1]}`;
        const first = compressedRow(4_000_000);
        let right = 0;
        let evicted = 0;
        for (let trial = 0; trial < 6; trial++) {
          const line = await dial(port);
          const headers = "content-type: application/vnd.safetensors\r\ncontent-encoding: deflate\r\n";
          line.socket.write(head("/v1/log_softmax?dim=1&top_k=1000000", 2 * first.length, headers));
          for (let at = 0; at < first.length; at += first.length / 54) {
            line.socket.write(first.subarray(at, at + first.length / 54));
            await sleep(50);
          }
          const response = await fetch(`${url}/v1/log_softmax`, { method: "POST", headers: JSON_TYPE, body });
          const { output } = (await response.json()) as { output: { data: number[] } };
          const [one] = output.data;
          if (output.data.length === count && output.data.every((value) => value === one)) right++;
          await line.until(/\r\n\r\n/, 2000);
          if (line.text().includes(" 408 ")) evicted++;
          line.socket.destroy();
        }
        return { value: `${right} of 6 right, ${evicted} evicted`, holds: right === 6 && evicted > 0 };
      }),
  },
];
