import { defineConfig } from "rolldown";

/**
 * The server in one file with TypeBox, which is 700 modules: reading them one by one took 40 % of the time to the first answer. The
 * kernels stay beside their WebAssembly, and the other packages where they are.
 */
export default defineConfig({
  input: "dist/main.js",
  logLevel: "silent",
  platform: "node",
  external: [/kernel\/kernel\.js$/, /^(?!typebox)[^./]/],
  output: { file: "dist/main.js", format: "esm" },
});
