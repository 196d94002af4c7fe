/** Clients that announce bodies and send nothing, or next to nothing, of them. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { LIMITS } from "../../../src/http/server/timeouts.ts";
import type { Service } from "../../support/service.ts";
import { useService } from "../../support/service.ts";
import type { Connection } from "../../support/socket.ts";
import { dial, head } from "../../support/socket.ts";

const MiB = 1024 * 1024;
const BODY = '{"input":[[0,0]],"target":[1]}';
/** Announces a body of so many bytes, and sends `begin` of it. */
async function announce(target: Service, length: number, begin = ""): Promise<Connection> {
  const connection = await dial(target);
  connection.socket.write(head("/v1/cross_entropy", length) + begin);
  return connection;
}

/** What took the memory of a server, from the larger to the smaller, until even the least found none. */
const LENGTHS = [
  ...Array(20).fill(1_290_000),
  ...Array(20).fill(200_000),
  ...Array(20).fill(20_000),
  ...Array(20).fill(10),
];

const service = useService({ memoryBudget: 64 * MiB });
const small = () => service().send("POST", "/v1/cross_entropy", BODY, { "content-type": "application/json" });

it("bodies that are only announced reserve nothing", async () => {
  await Promise.all(LENGTHS.map((length) => announce(service(), length)));
  await sleep(300);
  expect(service().arena.reserved).toBe(0);
  expect((await small()).status).toBe(200);
});

it("bodies of which one byte has come leave room for the least, and are refused where there is none for them", async () => {
  await expect.poll(() => service().arena.reserved).toBe(0);
  const clients: Connection[] = [];
  for (const length of LENGTHS) {
    const client = await announce(service(), length);
    clients.push(client);
    client.socket.write("{");
  }
  await sleep(300);
  expect((await small()).status).toBe(200);
  const texts = clients.map(({ text }) => text()).filter((text) => text !== "");
  expect(texts.length).toBeGreaterThan(0);
  for (const text of texts) {
    expect(text).toMatch(/^HTTP\/1.1 503 [\s\S]*retry-after: 1\r\n/);
    expect(text).toContain('"code":"overloaded"');
  }
});

it("a large body waits for the memory of another one, and is computed when that leaves", async () => {
  await expect.poll(() => service().arena.reserved).toBe(0);
  const length = 8 * MiB;
  const first = await announce(service(), length, "{");
  await expect.poll(() => service().arena.reserved).toBeGreaterThan(32 * MiB);
  const second = await announce(service(), length, BODY.padEnd(length));
  await sleep(300);
  expect([first.text(), second.text()]).toEqual(["", ""]);
  first.socket.destroy();
  await expect.poll(second.text).toMatch(/^HTTP\/1.1 200/);
  await expect.poll(() => service().arena.reserved).toBe(0);
});

it("nothing is reserved for a body whose client has left the line", async () => {
  const length = 8 * MiB;
  const first = await announce(service(), length, "{");
  await expect.poll(() => service().arena.reserved).toBeGreaterThan(32 * MiB);
  const second = await announce(service(), length, "{");
  await sleep(200);
  second.socket.destroy();
  await sleep(200);
  first.socket.destroy();
  await expect.poll(() => service().arena.reserved).toBe(0);
  await sleep(300);
  expect(service().arena.reserved).toBe(0);
});

it("announced bodies that never come keep no large body out of the line for memory", async () => {
  const length = 8 * MiB;
  await expect.poll(() => service().arena.reserved).toBe(0);
  await Promise.all(Array.from({ length: 40 }, () => announce(service(), length)));
  await sleep(300);
  expect(service().arena.reserved).toBe(0);
  const large = await announce(service(), length, BODY.padEnd(length));
  await expect.poll(large.text).toMatch(/^HTTP\/1.1 200/);
});

const impatient = useService({ limits: { ...LIMITS, silenceMs: 500 } });

it("a body of which nothing comes is given up before one that is slow", async () => {
  const silent = await announce(impatient(), 1000);
  const slow = await announce(impatient(), 1000, "{");
  await expect.poll(silent.text).toContain('"code":"request_timeout"');
  await sleep(1000);
  expect(slow.text()).toBe("");
});
