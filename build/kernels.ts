/** The kernels' compilation: each module with relaxed SIMD, and without for engines that do not have it. */
import { join } from "node:path";
import { runStep } from "./processes.ts";
import { ROOT } from "./requirements.mjs";

const OPTIONS =
  "-O3 --noAssert --disableWarning 112 --zeroFilledMemory --runtime stub --importMemory --enable simd";
const RELAXED = `${OPTIONS} --enable relaxed-simd`;

/** Modules by their path in `src/`: of the server, and of the library without the kernels for texts. */
const MODULES = [
  { path: "kernel/kernel.wasm", entry: "index.ts", options: RELAXED },
  { path: "kernel/kernel-plain.wasm", entry: "index.ts", options: OPTIONS },
  { path: "runtimes/kernel.wasm", entry: "losses.ts", options: RELAXED },
  { path: "runtimes/kernel-plain.wasm", entry: "losses.ts", options: OPTIONS },
];

/** Compiles all into `folder`, at the same time. */
export async function compileKernels(folder: string): Promise<void> {
  const compiler = join(ROOT, "node_modules/assemblyscript/bin/asc.js");
  const compiled = MODULES.map(({ path, entry, options }) => {
    const source = join(ROOT, "src/kernel/assembly", entry);
    return runStep(`asc ${path}`, [compiler, source, ...options.split(" "), "-o", join(folder, path)]);
  });
  await Promise.all(compiled);
}
