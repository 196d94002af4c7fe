/** The library as a package of its own, lossd-core, from what tsc has written: `node build/core.ts DIST`. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { argv } from "node:process";
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

await build({
  input: Object.fromEntries(Object.entries(ENTRIES).map(([name, file]) => [name, join(DIST, file)])),
  logLevel: "silent",
  platform: "neutral",
  external: /^node:/,
  plugins: [
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

/** Manifest of lossd-core. Its exports are those of lossd, which contains the same files. */
function manifest(): object {
  const { name, version, license, type, exports } = JSON.parse(
    readFileSync(join(ROOT, "package.json"), "utf8"),
  );
  const own = JSON.stringify(exports).replaceAll("./dist/core/", "./");
  return {
    name: `${name}-core`,
    version,
    description: "PyTorch's log_softmax, nll_loss, cross_entropy and kl_div with gradients, in WebAssembly",
    keywords: ["cross-entropy", "softmax", "loss", "gradient", "pytorch", "wasm", "simd"],
    license,
    type,
    engines: { node: ">=20" },
    main: "./node.js",
    types: "./index.d.ts",
    exports: JSON.parse(own),
    sideEffects: ["./node.js", "./browser.js", "./workerd.js"],
  };
}
