/** Promises proved by tests of the suite or by the benchmarks. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { memoryBars } from "../bench/memory.ts";
import { fixedEnvironment } from "../build/processes.ts";
import type { Promised, Proof } from "./promise.ts";

/** Time limit in milliseconds for the tests of one promise. */
const TEST_LIMIT_MS = 1_800_000;

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Runs tests by file and name. */
async function byTests(
  files: readonly string[],
  pattern = "",
  env: Readonly<Record<string, string>> = {},
): Promise<Proof> {
  const folder = mkdtempSync(join(tmpdir(), "lossd-promise-"));
  const report = join(folder, "report.json");
  try {
    const names = pattern === "" ? [] : ["-t", pattern];
    const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
    const args = [
      vitest,
      "run",
      "--project",
      "lossd",
      "--reporter=json",
      `--outputFile=${report}`,
      ...names,
      ...files,
    ];
    // Failed tests are counted below.
    await run(process.execPath, args, {
      cwd: ROOT,
      env: { ...fixedEnvironment(), ...env },
      maxBuffer: 2 ** 28,
      timeout: TEST_LIMIT_MS,
    }).catch(() => undefined);
    const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, "utf8"));
    return {
      value: `${numPassedTests} tests passed, ${numFailedTests} failed`,
      holds: numPassedTests > 0 && numFailedTests === 0,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export const TESTED: readonly Promised[] = [
  {
    id: "R3",
    text: "a streamed body of 4 GiB, and its gradient: peak memory 16 MiB or less over idle",
    prove: async () => {
      const rows = await memoryBars();
      return {
        value: rows.map(({ ours }) => ours).join(" and "),
        holds: rows.every(({ value = 99, reach = 16 }) => value <= reach),
      };
    },
  },
  {
    id: "R5",
    text: "100,000 mutated files, 5,000 mutated inference requests and raw framings: no 5xx, no exit, every error documented",
    prove: () =>
      byTests(
        [
          "test/http/body/mutations.test.ts",
          "test/http/inference/inference.test.ts",
          "test/http/server/attacks.test.ts",
          "test/http/server/hardening.test.ts",
        ],
        "",
        { MUTATIONS: "100000" },
      ),
  },
  {
    id: "R17",
    text: "any split of a body into pieces, JSON or binary, buffered or streamed: the same bits",
    prove: () => byTests(["test/http/body/safetensors.test.ts", "test/wire", "test/loss"]),
  },
  {
    id: "R21",
    text: "an unsupported Content-Type, Content-Encoding or Accept: 415 or 406 before the body, with Accept-Encoding for the Content-Encoding",
    prove: () => byTests(["test/http/server/problems.test.ts"], "Content-|Accept"),
  },
  {
    id: "R22",
    text: "mismatched shapes, dtypes or lengths, products that overflow, rank over 8, depth over 32: 4xx before allocation",
    prove: () => byTests(["test/wire/safetensors/safetensors.test.ts", "test/wire/json/limits.test.ts"]),
  },
  {
    id: "R24",
    text: "with tokens configured, a request without a valid token: 401 before the body on every route except health, the playground and the guide",
    prove: () => byTests(["test/http/server/hardening.test.ts"], "tokens"),
  },
  {
    id: "R25",
    text: "the image: not root, nothing written, no install scripts in production, locked dependencies, SBOM",
    prove: () => byTests(["test/build/image.test.ts"]),
  },
];
