/** The bundles, in a folder that tsc has filled: `node build/bundle.ts DIST`. */
import { join } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import type { BuildOptions, Plugin } from "rolldown";
import { build } from "rolldown";

const DIST = argv[2]!;
const PLAYGROUND = fileURLToPath(new URL("../playground", import.meta.url));

/** Names that minifying keeps. */
const NAMES = { function: true, class: true };

/** Node keeps a source with one of these characters in two bytes for each. */
const NOT_ASCII = /[\u0080-\uffff]/g;

/** Escapes the few characters of packages' texts that are not ASCII, which halves the source in memory: 1.3 MiB. */
const toAscii: Plugin = {
  name: "to-ascii",
  generateBundle(_options, bundle) {
    for (const chunk of Object.values(bundle)) {
      if (chunk.type !== "chunk") continue;
      if (/\\[\u0080-\uffff]/.test(chunk.code))
        throw new Error("an escaped character cannot be escaped again");
      chunk.code = chunk.code.replace(
        NOT_ASCII,
        (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
      );
    }
  },
};

/**
 * The server in one file: reading a thousand modules one by one took half of the time to the first answer. The kernels stay beside their
 * WebAssembly; tracing and the commands beside serve are loaded only where they are asked for; packages that look for files of their own stay where they are.
 */
const server: BuildOptions = {
  input: join(DIST, "cli/run.js"),
  logLevel: "silent",
  platform: "node",
  plugins: [toAscii],
  external: [
    /kernel\/load\.js$/,
    join(DIST, "user-error.js"),
    /observe\/tracing\.js$/,
    /cli\/(?:check|help|send)\.js$/,
    "thread-stream",
  ],
  output: {
    file: join(DIST, "cli/run.js"),
    format: "esm",
    codeSplitting: false,
    // Halves the text that Node keeps in memory, and with it 3.6 of 84 MiB at rest. Stacks in the log need the names.
    minify: { compress: { keepNames: NAMES }, mangle: { keepNames: NAMES }, codegen: true },
  },
};

/** The page that GET / answers with; its few packages come along. */
const playground: BuildOptions = {
  input: join(PLAYGROUND, "page.ts"),
  logLevel: "silent",
  platform: "browser",
  output: { file: join(DIST, "playground/page.js"), format: "esm", codeSplitting: false, minify: true },
};

/** The search and the copy buttons of the guide's pages. */
const guide: BuildOptions = {
  input: fileURLToPath(new URL("guide/client/page.ts", import.meta.url)),
  logLevel: "silent",
  platform: "browser",
  output: { file: join(DIST, "guide/guide.js"), format: "esm", codeSplitting: false, minify: true },
};

/** No module: a page is drawn only after it. */
const theme: BuildOptions = {
  input: join(PLAYGROUND, "theme.ts"),
  logLevel: "silent",
  platform: "browser",
  output: { file: join(DIST, "playground/theme.js"), format: "iife", codeSplitting: false, minify: true },
};

await build([server, playground, guide, theme]);
