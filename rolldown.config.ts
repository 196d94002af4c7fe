import { defineConfig } from "rolldown";

/**
 * The server in one file: reading a thousand modules one by one took half of the time to the first answer. The kernels stay beside their
 * WebAssembly; tracing and the commands beside serve are loaded only where they are asked for; packages that look for files of their own stay where they are.
 */
const server = defineConfig({
  input: "dist.new/process.js",
  logLevel: "silent",
  platform: "node",
  external: [
    /kernel\/kernel\.js$/,
    /\/plain\.js$/,
    /\/tracing\.js$/,
    /\/cli\/(?:check|help|send)\.js$/,
    "@fastify/swagger-ui",
    "thread-stream",
  ],
  output: { file: "dist.new/process.js", format: "esm", codeSplitting: false },
});

/** The page that GET / answers with; its few packages come along. */
const playground = defineConfig({
  input: "src/playground/main.ts",
  logLevel: "silent",
  platform: "browser",
  output: { file: "dist.new/playground/main.js", format: "esm", codeSplitting: false, minify: true },
});

/** No module: a page is drawn only after it. */
const theme = defineConfig({
  input: "src/playground/theme.ts",
  logLevel: "silent",
  platform: "browser",
  output: { file: "dist.new/playground/theme.js", format: "iife", codeSplitting: false, minify: true },
});

export default [server, playground, theme];
