import { defineConfig } from "vitest/config";

const testTimeout = 30_000;
const plain = ["test/plain/*.test.ts"];

export default defineConfig({
  test: {
    projects: [
      { test: { name: "lossd", include: ["test/**/*.test.ts"], exclude: plain, testTimeout } },
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
          testTimeout,
        },
      },
    ],
  },
});
