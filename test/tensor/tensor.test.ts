/** The Arena: whatever is reserved comes back, nothing overlaps. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import { DEFAULT_BYTES } from "../../src/server/memory-budget.ts";
import type { Region } from "../../src/tensor/arena.ts";
import { Arena, ArenaFull } from "../../src/tensor/arena.ts";
import { axisOf } from "../../src/tensor/tensor.ts";

const MiB = 1024 * 1024;

it("hands out aligned addresses that do not overlap, and has all its room again after every release", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(5000), fc.nat(20)), { maxLength: 60 }), (steps) => {
      const arena = new Arena(100, 65_536);
      const held: { region: Region; from: number; to: number }[] = [];
      for (const [bytes, which] of steps) {
        if (which < held.length) held.splice(which, 1)[0]!.region.release();
        try {
          const region = arena.reserve(bytes);
          const from = region.alloc(bytes);
          expect(from % 16).toBe(0);
          for (const other of held) expect(from >= other.to || from + bytes <= other.from).toBe(true);
          held.push({ region, from, to: from + bytes });
        } catch (error) {
          expect(error).toBeInstanceOf(ArenaFull);
        }
      }
      for (const { region } of held) region.release();
      expect(arena.reserved).toBe(0);
      const all = arena.reserve(arena.capacity);
      expect(() => arena.reserve(1)).toThrow(ArenaFull);
      all.release();
    }),
  );
});

it("keeps a quarter for reservations of at most 5 MiB, and a sixteenth for those of at most 320 KiB, so that larger ones never starve smaller ones", () => {
  const arena = new Arena(0, 80 * MiB);
  expect(arena.largest).toBe(60 * MiB);
  const large = arena.reserve(50 * MiB);
  expect(() => arena.reserve(16 * MiB)).toThrow(ArenaFull);
  const small = Array.from({ length: 5 }, () => arena.reserve(5 * MiB));
  expect(() => arena.reserve(5 * MiB)).toThrow(ArenaFull);
  expect(() => arena.reserve(320 * 1024 + 1)).toThrow(ArenaFull);
  const tiny = Array.from({ length: 16 }, () => arena.reserve(320 * 1024));
  expect(arena.reserved).toBe(80 * MiB);
  for (const region of [large, ...small, ...tiny]) region.release();
  arena.reserve(60 * MiB).release();
  expect(() => arena.reserve(60 * MiB + 1)).toThrow(ArenaFull);
  expect(arena.reserved).toBe(0);
});

it("with the default settings holds three of the largest JSON bodies, as docs/settings.md says", () => {
  const { BODY_LIMIT } = readConfig({});
  const kernel = loadKernel(DEFAULT_BYTES);
  const arena = new Arena(kernel.heapBase, kernel.u8.length);
  const bytes = 4 * BODY_LIMIT + 64 * 1024;
  for (let held = 0; held < 3; held++) arena.reserve(bytes);
  expect(() => arena.reserve(bytes)).toThrow(ArenaFull);
});

it("plans a reservation that is taken, all or nothing, when its region is first used", () => {
  const arena = new Arena(0, 65_536);
  const [first, second, never] = [
    arena.reserveLazily(40_000),
    arena.reserveLazily(40_000),
    arena.reserveLazily(40_000),
  ];
  expect(arena.reserved).toBe(0);
  first.alloc(16);
  expect([arena.reserved, first.left]).toEqual([40_000, 40_000 - 16]);
  expect(() => second.alloc(16)).toThrow(ArenaFull);
  expect(() => arena.reserveLazily(40_000)).toThrow(ArenaFull);
  for (const region of [second, never, first]) region.release();
  expect(arena.reserved).toBe(0);
  expect(() => never.alloc(16)).toThrow("released");
});

it("reserves nothing for a region that has been released before its first use", () => {
  const arena = new Arena(0, 100 * MiB);
  const region = arena.reserveLazily(MiB);
  region.release();
  expect(() => region.commit()).toThrow("the region has been released");
  expect(() => region.alloc(16)).toThrow("the region has been released");
  expect(arena.reserved).toBe(0);
});

it("reclaims memory for a reservation without room, as long as others return some", () => {
  const arena = new Arena(0, 100 * MiB);
  const held = Array.from({ length: 3 }, () => arena.reserve(25 * MiB));
  const calls: [number, Region | undefined][] = [];
  arena.reclaim = (missing, asking) => {
    calls.push([missing, asking]);
    const last = held.pop();
    last?.release();
    return last !== undefined;
  };
  const region = arena.reserveLazilyUnchecked(40 * MiB);
  region.commit();
  expect(calls).toEqual([
    [40 * MiB, region],
    [15 * MiB, region],
  ]);
  expect(arena.reserved).toBe(65 * MiB);
  expect(() => arena.reserve(76 * MiB)).toThrow(ArenaFull);
  expect(held).toEqual([]);
});

it("takes more for a region that has used up its reservation, and returns that too", () => {
  const arena = new Arena(0, 65_536);
  const region = arena.reserve(64);
  region.alloc(64);
  region.alloc(4096);
  expect(arena.reserved).toBe(64 + 4096);
  region.release();
  region.release();
  expect(arena.reserved).toBe(0);
  expect(() => region.alloc(1)).toThrow("released");
});

it("cuts a shape at an axis into outer, length and inner", () => {
  expect(axisOf([2, 3, 4, 5], 1)).toEqual({ outer: 2, length: 3, inner: 20 });
  expect(axisOf([2, 3, 4, 5], 3)).toEqual({ outer: 24, length: 5, inner: 1 });
  expect(axisOf([7], 0)).toEqual({ outer: 1, length: 7, inner: 1 });
  expect(axisOf([], 0)).toEqual({ outer: 1, length: 1, inner: 1 });
  expect(axisOf([0, 3], 1)).toEqual({ outer: 0, length: 3, inner: 1 });
});
