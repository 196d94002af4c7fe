/** The engine's heap for new objects in a process, measured while it allocates. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { HEAP_FLAG } from "../../src/server/new-space.ts";

const run = promisify(execFile);
const MiB = 2 ** 20;

/** Allocates objects that survive a collection, and prints the largest size of the heap for new ones. */
const PROGRAM = `
import { getHeapSpaceStatistics } from "node:v8";
const { limitNewSpace } = await import(process.argv[1]);
if (process.argv[2] === "limited") limitNewSpace();
let largest = 0;
for (let round = 0; round < 60; round++) {
  const kept = [];
  for (let at = 0; at < 60_000; at++) kept.push({ at, list: [at] });
  const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
  largest = Math.max(largest, space.space_size);
}
console.log(largest);`;

async function largest(how: string, ...flags: string[]): Promise<number> {
  const module = fileURLToPath(new URL("../../src/server/new-space.ts", import.meta.url));
  const args = [...flags, "--input-type=module", "--eval", PROGRAM, module, how];
  const { stdout } = await run(process.execPath, args, { env: { ...process.env, NODE_OPTIONS: "" } });
  return Number(stdout);
}

it("is limited without a flag, as with it", async () => {
  // Two halves of up to 5 MiB, and pages that move while a collection runs: up to 15.5 MiB on a busy machine, and 128 MiB without a limit.
  const between = 24 * MiB;
  expect(await largest("unlimited")).toBeGreaterThan(between);
  expect(await largest("limited")).toBeLessThan(between);
  expect(await largest("limited", HEAP_FLAG)).toBeLessThanOrEqual(8 * MiB);
});
