/** Admission by time: who is let in while larger requests are under way. */
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LoadEstimate, secondsFor } from "../../../src/http/limits/load-estimate.ts";
import { Problem } from "../../../src/problems.ts";
import { useService } from "../../support/service.ts";
import type { Connection } from "../../support/socket.ts";
import { dial, head } from "../../support/socket.ts";

const SAFETENSORS = "content-type: application/vnd.safetensors\r\n";

describe("the secondsFor", () => {
  const none = () => 0;

  it("makes a request wait for each other one no longer than either takes", () => {
    const seconds = fc.double({ min: 0.1, max: 1000, noNaN: true });
    fc.assert(
      fc.property(fc.array(seconds), seconds, (others, own) => {
        const load = new LoadEstimate(Infinity);
        for (const other of others) load.add(other, none);
        const wait = others.reduce((sum, other) => sum + Math.min(other, own), 0);
        expect(load.seconds).toBeCloseTo(
          others.reduce((sum, other) => sum + other, 0),
          6,
        );
        const strict = new LoadEstimate(wait * 0.999 - 1e-9);
        const lenient = new LoadEstimate(wait * 1.001 + 1e-9);
        for (const other of others) {
          strict.add(other, none);
          lenient.add(other, none);
        }
        expect(() => lenient.check(own)).not.toThrow();
        expect(() => strict.check(own)).toThrow(Problem);
      }),
    );
  });

  it("counts half of a body's time when more than its announced bytes have arrived", () => {
    const load = new LoadEstimate(10);
    load.add(40, () => 3);
    expect(load.seconds).toBe(20);
  });

  it("counts down while a body arrives, and to nothing when its request leaves", () => {
    const load = new LoadEstimate(10);
    let arrived = 0;
    const leave = load.add(40, () => arrived);
    expect(() => load.check(100)).toThrow(
      "would make this request wait 40 s, expected at most 10 s (WAIT_LIMIT_MS)",
    );
    arrived = 1;
    expect(load.seconds).toBe(20);
    leave?.();
    expect(load.seconds).toBe(0);
    load.check(100);
  });

  it("shows a wait just over the limit as more than the limit", () => {
    const load = new LoadEstimate(0.1);
    load.add(0.1001, () => 0);
    expect(() => load.check(1)).toThrow("wait 0.11 s, expected at most 0.1 s");
  });

  it("counts what is only announced for half a second, then no more than eight times what has come", () => {
    let now = 0;
    const load = new LoadEstimate(10, () => now);
    let arrived = 0;
    load.add(40, () => arrived);
    now = 500;
    expect(load.seconds).toBe(40);
    now = 501;
    expect(load.seconds).toBe(0);
    arrived = 0.01;
    expect(load.seconds).toBeCloseTo(3.2, 6);
    arrived = 0.5;
    expect(load.seconds).toBe(30);
  });

  it("gives announcements the weight of what has come of those before", () => {
    const load = new LoadEstimate(10);
    for (let k = 0; k < 24; k++) load.add(40, none)?.();
    for (let k = 0; k < 24; k++) load.add(40, none);
    load.check(2);
    for (let k = 0; k < 24; k++) load.add(40, () => 1)?.();
    expect(() => load.check(2)).toThrow(Problem);
  });

  it("weighs by the event loop what has begun, also when clients come and go, and not what is announced", async () => {
    let now = 0;
    const load = new LoadEstimate(10, () => now);
    const leave = load.add(40, () => 0.5);
    now = 1000;
    await expect.poll(() => load.seconds).toBeLessThan(20);
    leave?.();
    load.add(40, () => 0.5)?.();
    const last = load.add(40, () => 0.5);
    expect(load.seconds).toBeGreaterThan(20);
    now = 2000;
    expect(load.seconds).toBeLessThan(20);
    last?.();
  });

  it("admits 1 MiB of JSON and 2.5 MiB of numbers beside any work", () => {
    const load = new LoadEstimate(0.01);
    load.add(1000, none);
    load.check(secondsFor(2 ** 20, 0));
    load.check(secondsFor(0, 2.5 * 2 ** 20));
    expect(() => load.check(secondsFor(2 ** 23, 0))).toThrow(Problem);
    expect(() => load.check(secondsFor(0, 128 * 2 ** 20))).toThrow(Problem);
  });
});

describe("an upload beside others", () => {
  // Announcements count for half a second, which a busy machine may take between two of them.
  const service = useService({ waitLimit: 1000, now: () => 0 });
  const LENGTH = 2e9;

  /** Announces an upload that takes some 3 s, and sends nothing of it, until a response has begun. */
  async function announce(): Promise<Connection> {
    const connection = await dial(service());
    const { socket, text } = connection;
    socket.write(head("/v1/cross_entropy", LENGTH, `${SAFETENSORS}expect: 100-continue\r\n`));
    await expect.poll(text, { interval: 5 }).toMatch(/^HTTP\/1.1 \d+ [\s\S]*\r\n\r\n/);
    return connection;
  }

  it("is refused before its body, with the seconds after which there is room, and let in when that comes", async () => {
    const first = await announce();
    expect(first.text()).toContain("100 Continue");
    const second = await announce();
    expect(second.text()).toContain("HTTP/1.1 503");
    await expect.poll(second.text).toContain('"code":"overloaded"');
    expect(second.text()).toMatch(/retry-after: [23]\r\n/);
    expect(second.text()).toContain("would make this request wait 3 s, expected at most 1 s (WAIT_LIMIT_MS)");
    expect((await service().post("/v1/cross_entropy", { input: [[0, 0]], target: [1] })).status).toBe(200);
    first.socket.destroy();
    await expect
      .poll(async () => (await service().get("/metrics")).text)
      .toContain("lossd_backlog_seconds 0\n");
    const third = await announce();
    expect(third.text()).toContain("100 Continue");
  });
});

describe("uploads that are announced and never sent", () => {
  let clock = 0;
  const service = useService({ now: () => clock });

  it("keep no other request out, whether they stay or come again", async () => {
    const announce = async () => {
      const { socket } = await dial(service());
      socket.write(head("/v1/cross_entropy", 891_289_600, SAFETENSORS));
      return socket;
    };
    const open = () => Promise.all(Array.from({ length: 24 }, announce));
    const probe = async (): Promise<string> => {
      const { socket, text } = await dial(service());
      socket.write(head("/v1/cross_entropy", 52_428_800, "expect: 100-continue\r\n"));
      await expect.poll(text, { interval: 5 }).toMatch(/^HTTP\/1.1 \d+/);
      socket.destroy();
      return text().slice(9, 12);
    };
    let sockets = await open();
    await expect
      .poll(async () => (await service().get("/metrics")).text)
      .toMatch(/^lossd_backlog_seconds [1-9]/m);
    // Longer than announcements count.
    clock += 700;
    expect(await probe()).toBe("100");
    for (let round = 0; round < 4; round++) {
      for (const socket of sockets) socket.destroy();
      sockets = await open();
      await sleep(100);
      expect(await probe()).toBe("100");
    }
  });
});
