import { defineConfig } from "rolldown";

/**
 * The server in one file: reading a thousand modules one by one took half of the time to the first answer. The kernels stay beside their
 * WebAssembly; tracing is loaded only where it is asked for; packages that look for files of their own stay where they are.
 */
export default defineConfig({
  input: "dist/main.js",
  logLevel: "silent",
  platform: "node",
  external: [/kernel\/kernel\.js$/, /\/tracing\.js$/, "@fastify/swagger-ui", "thread-stream"],
  output: { file: "dist/main.js", format: "esm", codeSplitting: false },
});
