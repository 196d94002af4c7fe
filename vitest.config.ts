import { defineConfig } from "vitest/config";
import type { TestSpecification } from "vitest/node";
import { BaseSequencer } from "vitest/node";
import { bypassProxies } from "./build/processes.ts";
import { SETTING_ENTRIES } from "./src/config.ts";

const testTimeout = 30_000;
const plain = ["test/plain/*.test.ts"];
/** Project of the tests with compilers of the SDKs' languages and with a browser. */
const PEERS = "peers";
const peers = ["test/sdk/*.test.ts", "test/browser/*.test.ts"];
const packages = "**/node_modules/**";

// The person's own settings and collectors are for their servers; what the tests start inherits this environment.
bypassProxies();
const settings = new Set(SETTING_ENTRIES.map(([name]) => name));
for (const name of Object.keys(process.env))
  if (settings.has(name) || name.startsWith("OTEL_")) delete process.env[name];

/** Begins with the SDKs and the browser, which take longest, so that the workers end at about the same time. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ project }: TestSpecification) => project.name === PEERS;
    const sorted = await super.sort(files);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    // One worker for each of two cores: ports are chosen by process, so test files can run side by side.
    maxWorkers: 2,
    projects: [
      {
        test: {
          name: "lossd",
          include: ["test/**/*.test.ts"],
          exclude: [...plain, ...peers, packages],
          testTimeout,
        },
      },
      { test: { name: PEERS, include: peers, testTimeout } },
      {
        test: {
          name: "plain SIMD",
          include: [
            ...plain,
            "test/kernel/*.test.ts",
            "test/properties/*.test.ts",
            "test/conformance/*.test.ts",
          ],
          setupFiles: ["test/plain/refuse-relaxed.ts"],
          env: { PLAIN_SIMD: "true" },
          testTimeout,
        },
      },
    ],
  },
});
