/** The kernels' compilation: one module with relaxed SIMD, and one without for engines that do not have it. */
import { join } from "node:path";
import { runStep } from "./processes.ts";
import { ROOT } from "./requirements.mjs";

const OPTIONS =
  "-O3 --noAssert --disableWarning 112 --zeroFilledMemory --runtime stub --importMemory --enable simd";

const MODULES: Readonly<Record<string, string>> = {
  "kernel.wasm": `${OPTIONS} --enable relaxed-simd`,
  "kernel-plain.wasm": OPTIONS,
};

/** Compiles both into `folder`, at the same time. */
export async function compileKernels(folder: string): Promise<void> {
  const compiler = join(ROOT, "node_modules/assemblyscript/bin/asc.js");
  const source = join(ROOT, "src/kernel/assembly/index.ts");
  const compiled = Object.entries(MODULES).map(([name, options]) =>
    runStep(`asc ${name}`, [compiler, source, ...options.split(" "), "-o", join(folder, name)]),
  );
  await Promise.all(compiled);
}
