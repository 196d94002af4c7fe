/** Turns of the event loop that long work takes. */
import { setImmediate as nextLoop } from "node:timers/promises";
import fc from "fast-check";
import { expect, it } from "vitest";
import { turn, turnIfBusy } from "../../src/http/turns.ts";

/** Keeps the event loop busy for longer than a turn of long work lasts. */
function work(): void {
  const end = performance.now() + 3;
  while (performance.now() < end);
}

it("lets work run at once while its turn is not used up, and wait afterwards", async () => {
  await nextLoop();
  expect(turnIfBusy("begun")).toBeUndefined();
  work();
  const wait = turnIfBusy("begun");
  expect(wait).toBeInstanceOf(Promise);
  // Waits behind the other work although a new turn has room.
  const next = turnIfBusy("begun");
  expect(next).toBeInstanceOf(Promise);
  await Promise.all([wait, next]);
});

it("resumes all waiting work, in order, and of nine pieces eight that have begun", async () => {
  const kinds = fc.array(fc.constantFrom("begun" as const, "later" as const), { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(kinds, async (urgencies) => {
      const resumed: number[] = [];
      const waits = urgencies.map((urgency, index) => turn(urgency).then(() => resumed.push(index)));
      await Promise.all(waits);
      const of = (kind: string) => urgencies.flatMap((urgency, index) => (urgency === kind ? [index] : []));
      const [begun, later] = [of("begun"), of("later")];
      const expected: number[] = [];
      while (begun.length > 0 && later.length > 0)
        expected.push(...(begun.length < 9 ? begun.splice(0) : [...begun.splice(0, 8), later.shift()!]));
      expect(resumed).toEqual([...expected, ...begun, ...later]);
    }),
  );
});

it("serves the event loop between two pieces of long work", async () => {
  const order: string[] = [];
  const long = async (name: string) => {
    for (let piece = 0; piece < 3; piece++) {
      await turn("begun");
      order.push(name);
      work();
    }
  };
  const probe = async () => {
    for (let at = 0; at < 6; at++) {
      await nextLoop();
      order.push("probe");
    }
  };
  await Promise.all([long("a"), long("b"), probe()]);
  const pieces = order.filter((name) => name !== "probe");
  expect(pieces).toEqual(["a", "b", "a", "b", "a", "b"]);
  // Two pieces can meet between two probes, one at the end of a turn and one at the beginning of the next.
  expect(order.join()).not.toMatch(/(?:[ab],?){3}/);
});

it("lets later work run although there is always work that has begun", async () => {
  const pieces = 100;
  let isDone = false;
  let count = 0;
  const short = async () => {
    while (!isDone && count < pieces) {
      await turn("begun");
      count++;
      work();
    }
  };
  const long = turn("later").then(() => {
    isDone = true;
  });
  await Promise.all([short(), short(), long]);
  expect(count).toBeLessThan(pieces);
});
