/** The line in which large requests wait for memory. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { MemoryQueue } from "../../../src/http/limits/memory-queue.ts";
import { ClientGone } from "../../../src/http/turns.ts";
import { Problem } from "../../../src/problems.ts";
import { Arena } from "../../../src/tensor/arena.ts";

const MiB = 1024 * 1024;
const CAPACITY = 400 * MiB;
/** Room for large reservations. */
const ROOM = 300;

/** Lets waiting promises settle. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

it("reserves in order, each request at the latest when all before it have ended", async () => {
  const sizes = fc.array(fc.integer({ min: 6, max: ROOM }), { minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(sizes, async (requests) => {
      const arena = new Arena(0, CAPACITY);
      const line = new MemoryQueue(arena, 10);
      const served: number[] = [];
      const regions = requests.map((size) => arena.reserveLazilyUnchecked(size * MiB));
      const waits = regions.map((region, index) =>
        Promise.resolve(line.reserve(region)).then(() => served.push(index)),
      );
      for (let next = 0; next < requests.length; next++) {
        await settle();
        expect(served).toEqual(served.map((_, index) => index));
        expect(served.length).toBeGreaterThan(next);
        const held = requests.slice(next, served.length).reduce((sum, size) => sum + size, 0);
        expect(arena.reserved).toBe(held * MiB);
        regions[next]!.release();
      }
      await Promise.all(waits);
      expect(arena.reserved).toBe(0);
    }),
    { numRuns: 50 },
  );
});

it("lets a small request behind a large one wait, too, so that the large one is not starved", async () => {
  const arena = new Arena(0, CAPACITY);
  const line = new MemoryQueue(arena, 10);
  const first = arena.reserveLazilyUnchecked(200 * MiB);
  expect(line.reserve(first)).toBeUndefined();
  const large = line.reserve(arena.reserveLazilyUnchecked(250 * MiB));
  const small = arena.reserveLazilyUnchecked(20 * MiB);
  const wait = line.reserve(small);
  await settle();
  expect(small.bytes).toBe(0);
  first.release();
  await large;
  await wait;
  expect(arena.reserved).toBe(270 * MiB);
});

it("rejects after the limit, with a Retry-After of 1 to 5 s", async () => {
  const arena = new Arena(0, CAPACITY);
  const line = new MemoryQueue(arena, 0.1);
  line.reserve(arena.reserveLazilyUnchecked(ROOM * MiB));
  const problem = await line.reserve(arena.reserveLazilyUnchecked(ROOM * MiB))!.catch((error) => error);
  expect(problem).toBeInstanceOf(Problem);
  expect(problem.message).toContain("no memory became free for this request in 0.1 s");
  expect([1, 2, 3, 4, 5]).toContain(problem.retryAfter);
});

it("rejects more than 64 at once", () => {
  const arena = new Arena(0, CAPACITY);
  const line = new MemoryQueue(arena, 10);
  const enter = () => line.reserve(arena.reserveLazilyUnchecked(ROOM * MiB));
  enter();
  for (let count = 0; count < 64; count++) enter()?.catch(() => {});
  expect(enter).toThrow("64 requests wait for memory");
});

it("passes over a request whose region has been released", async () => {
  const arena = new Arena(0, CAPACITY);
  const line = new MemoryQueue(arena, 10);
  const first = arena.reserveLazilyUnchecked(ROOM * MiB);
  line.reserve(first);
  const gone = arena.reserveLazilyUnchecked(ROOM * MiB);
  const wait = line.reserve(gone)!;
  const next = line.reserve(arena.reserveLazilyUnchecked(100 * MiB));
  gone.release();
  first.release();
  await expect(wait).rejects.toBeInstanceOf(ClientGone);
  await next;
  expect(arena.reserved).toBe(100 * MiB);
});
