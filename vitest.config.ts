import { defineConfig } from "vitest/config";
import { bypassProxies } from "./build/processes.ts";
import { SETTING_ENTRIES } from "./src/config/settings.ts";

const testTimeout = 30_000;
/** How long a poll waits by default. It is no claim about speed: machines are shared, and may stand still. */
const expect = { poll: { timeout: 20_000 } };
const plain = ["test/plain/*.test.ts"];
/** Tests of clients: SDKs with the compilers of their languages, and pages in a browser. */
const clients = ["test/sdk/*.test.ts", "test/browser/*.test.ts"];
/** Tests that change what the package `lossd` keeps for the whole process. Others share processes, because imports took a third of the time. */
const isolated = ["test/library/*.test.ts"];
const packages = "**/node_modules/**";

// The person's own settings and collectors are for their servers; what the tests start inherits this environment.
bypassProxies();
const settings = new Set(SETTING_ENTRIES.map(([name]) => name));
for (const name of Object.keys(process.env))
  if (settings.has(name) || name.startsWith("OTEL_")) delete process.env[name];

export default defineConfig({
  test: {
    // One worker more than two cores, because some tests wait. Ports are chosen by process, so test files can run side by side.
    maxWorkers: 3,
    projects: [
      {
        test: {
          name: "lossd",
          include: ["test/**/*.test.ts"],
          exclude: [...plain, ...clients, ...isolated, packages],
          isolate: false,
          testTimeout,
          expect,
        },
      },
      { test: { name: "library", include: isolated, testTimeout, expect } },
      { test: { name: "clients", include: clients, testTimeout, expect } },
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
          isolate: false,
          testTimeout,
          expect,
        },
      },
    ],
  },
});
