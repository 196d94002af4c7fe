/** The library as a package of its own, lossd-core, from what tsc has written: `node build/core.ts DIST`. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { argv } from "node:process";
import type { Plugin } from "rolldown";
import { build } from "rolldown";
import { reachedFrom } from "./reach.ts";
import { ROOT } from "./requirements.mjs";
import { PARTS } from "./sources.mjs";

const DIST = argv[2]!;
const CORE = join(DIST, "core");

/** Entries by their names in the package. Their common code is a file beside them. */
const ENTRIES = {
  node: "runtimes/node.js",
  browser: "runtimes/browser.js",
  workerd: "runtimes/workerd.js",
  slim: "index.js",
};

/** Before these words, a line begins. */
const LINE_STARTS = /([;}])(?=(?:function|const|let|class|throw|return|if|for)\b)/g;

/**
 * Makes uncaught errors readable: Node prints the line of the throw, so the minified text has lines, and the name of the class. Costs 70 bytes
 * of the compressed file. Keeping the names of all classes costs 85 more.
 */
const readableErrors: Plugin = {
  name: "readable-errors",
  generateBundle(_options, { "losses.js": losses }) {
    if (losses?.type !== "chunk") throw new Error("there is no losses.js");
    const named = losses.code.replace(/=class extends Error\{/, "=class LossError extends Error{");
    if (named === losses.code) throw new Error("there is no LossError");
    losses.code = named.replaceAll("/* @__PURE__ */", "").replace(LINE_STARTS, "$1\n");
  },
};

await build({
  input: Object.fromEntries(Object.entries(ENTRIES).map(([name, file]) => [name, join(DIST, file)])),
  logLevel: "silent",
  platform: "neutral",
  external: /^node:/,
  plugins: [
    readableErrors,
    { name: "kernels", resolveId: (id) => (id.endsWith(".wasm") ? { id, external: "relative" } : null) },
  ],
  output: { dir: CORE, format: "esm", chunkFileNames: "losses.js", minify: true },
});
for (const file of reachedFrom([join(DIST, "index.d.ts")])) {
  const to = join(CORE, relative(DIST, file));
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(file, to);
}
for (const file of PARTS.kernels.outputs)
  if (file.startsWith("src/runtimes/"))
    copyFileSync(join(ROOT, file), join(CORE, relative("src/runtimes", file)));
copyFileSync(join(ROOT, "LICENSE"), join(CORE, "LICENSE"));
copyFileSync(join(ROOT, "src/runtimes/README.md"), join(CORE, "README.md"));
writeFileSync(join(CORE, "package.json"), `${JSON.stringify(manifest(), undefined, 2)}\n`);

/** Manifest of lossd-core. Its entries are those of lossd, which contains the same files. */
function manifest(): object {
  const root = readFileSync(join(ROOT, "package.json"), "utf8").replaceAll('"./dist/core/', '"./');
  const { name, version, license, type, main, types, exports, sideEffects } = JSON.parse(root);
  return {
    name: `${name}-core`,
    version,
    description: "PyTorch's log_softmax, nll_loss, cross_entropy and kl_div with gradients, in WebAssembly",
    keywords: ["cross-entropy", "softmax", "loss", "gradient", "pytorch", "wasm", "simd"],
    license,
    type,
    engines: { node: ">=20" },
    main,
    types,
    exports,
    sideEffects: sideEffects.filter((file: string) => !file.startsWith("./dist/")),
  };
}
