/** The build for vectors of 256 bits: the same bits as with 128, from code that V8 has paired. */
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { buildWithoutFlags } from "../../src/kernel/load.ts";
import { hasFusedSteps } from "../../src/kernel/simd.ts";
import { chooseBuild, PAIRS_FLAG } from "../../src/server/build.ts";

const program = fileURLToPath(new URL("paired-program.ts", import.meta.url));
/** Compiles with optimization before the first call, and prints what is paired. */
const FLAGS = ["--no-liftoff", "--no-wasm-lazy-compilation", PAIRS_FLAG, "--trace-wasm-revectorize"];
/** Loops of the losses, each in several layouts and dtypes. */
const PAIRED_FUNCTIONS = 40;

/** Whether the processor has AVX2, without which V8 leaves the pairs alone. */
function hasAvx2(): boolean {
  try {
    return readFileSync("/proc/cpuinfo", "utf8").includes("avx2");
  } catch {
    return false;
  }
}

/** Returns what the program prints, by a file, because V8 loses the lines that a pipe cannot take at once. */
function runProgram(): string {
  const folder = mkdtempSync(join(tmpdir(), "lossd-paired-"));
  try {
    const file = join(folder, "output");
    const output = openSync(file, "w");
    const { status } = spawnSync(process.execPath, [...FLAGS, program], {
      stdio: ["ignore", output, "inherit"],
    });
    closeSync(output);
    expect(status).toBe(0);
    return readFileSync(file, "utf8");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

it("is not taken without vectors of 256 bits", () => {
  expect(chooseBuild(false)).toBe(buildWithoutFlags());
});

describe.skipIf(!(process.arch === "x64" && hasAvx2() && hasFusedSteps()))("the paired build", () => {
  it("is taken with the version of Node in package.json, whose V8 is tested here", () => {
    expect(chooseBuild(true)).toBe("kernel-paired.wasm");
  });

  it("computes every fold with the bits of the other", () => {
    const output = runProgram();
    const report = output.split("\n").find((line) => line.startsWith('{"compared"'));
    const { compared, different } = JSON.parse(report!);
    expect(different).toEqual([]);
    expect(compared).toBeGreaterThan(1000);
    const paired = output.match(/Decide to vectorize, [1-9]/g);
    expect(paired?.length).toBeGreaterThan(PAIRED_FUNCTIONS);
  });
});
