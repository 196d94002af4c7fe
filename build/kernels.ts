/** The kernels' compilation: each module with relaxed SIMD, and without for engines that do not have it. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { runStep } from "./processes.ts";
import { ROOT } from "./requirements.mjs";

const OPTIONS = "--noAssert --disableWarning 112 --zeroFilledMemory --runtime stub --importMemory";

/** Features of the compiler's default, which its optimizer has to be told. */
const DEFAULT_FEATURES = ["bulk-memory", "mutable-globals", "nontrapping-float-to-int", "sign-ext"];
const PLAIN = ["simd"];
const RELAXED = [...PLAIN, "relaxed-simd"];

const SERVER = { entry: "index.ts", optimize: "-O3" };
/**
 * Without the texts, and a third smaller by less inlining, which costs no speed because the loops are inlined by
 * decorators. With -Oz, kl_div takes half as long again.
 */
const LIBRARY = { entry: "losses.ts", optimize: "-O3s" };

interface Build {
  /** Path in `src/`. */
  readonly path: string;
  readonly module: typeof SERVER;
  readonly features: readonly string[];
  /** Whether loops take two vectors at a time, see `assembly/paired.ts`. */
  readonly paired?: true;
}

const BUILDS: readonly Build[] = [
  { path: "kernel/kernel.wasm", module: SERVER, features: RELAXED },
  { path: "kernel/kernel-paired.wasm", module: SERVER, features: RELAXED, paired: true },
  { path: "kernel/kernel-plain.wasm", module: SERVER, features: PLAIN },
  { path: "runtimes/kernel.wasm", module: LIBRARY, features: RELAXED },
  { path: "runtimes/kernel-plain.wasm", module: LIBRARY, features: PLAIN },
];

const COMPILER = join(ROOT, "node_modules/assemblyscript/bin/asc.js");
const OPTIMIZER = join(dirname(createRequire(COMPILER).resolve("binaryen/package.json")), "bin/wasm-opt");

/** Compiles all into `folder`, at the same time. */
export async function compileKernels(folder: string): Promise<void> {
  await Promise.all(BUILDS.map((build) => compile(folder, build)));
}

async function compile(folder: string, { path, module, features, paired }: Build): Promise<void> {
  const file = join(folder, path);
  const source = join(ROOT, "src/kernel/assembly", module.entry);
  const enable = features.flatMap((name) => ["--enable", name]);
  await runStep(`asc ${path}`, [
    COMPILER,
    source,
    module.optimize,
    ...OPTIONS.split(" "),
    ...enable,
    ...(paired ? ["--use", "ASC_PAIRED=1"] : []),
    "-o",
    file,
  ]);
  if (module !== LIBRARY) return;
  // Two more runs of the optimizer find another twentieth. The order of the functions saves 1 % of the compressed file.
  const known = [...DEFAULT_FEATURES, ...features].map((name) => `--enable-${name}`);
  await runStep(`wasm-opt ${path}`, [
    OPTIMIZER,
    "-Os",
    "-Os",
    "--reorder-functions",
    ...known,
    file,
    "-o",
    file,
  ]);
}
