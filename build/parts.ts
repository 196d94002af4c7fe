/** The steps of the build. Each part is made in a folder of its own name, under a lock, and put into place whole. */
import {
  copyFileSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, join, relative } from "node:path";
import { compileKernels } from "./kernels.ts";
import { withLock } from "./lock.ts";
import { runStep } from "./processes.ts";
import { ROOT } from "./requirements.mjs";
import type { Part } from "./sources.mjs";
import { hashOf, PARTS, stalePartsOf } from "./sources.mjs";
import { setModes, swapFolder } from "./swap.ts";

/** Before the random letters of a folder's name; .gitignore knows it. */
const PREFIX = "dist-";

/** Milliseconds after which a folder that a killed build has left is removed. */
const ABANDONED_MS = 3_600_000;

/** Milliseconds for which a step that has got SIGTERM may still write files. */
const EXIT_WAIT_MS = 100;

const WORDS: Readonly<Record<Part, string>> = { kernels: "the kernels", dist: "the server" };

const MAKERS: Readonly<Record<Part, (folder: string) => Promise<void>>> = {
  kernels: makeKernels,
  dist: makeDist,
};

/** Builds those of `parts` that are missing or older than their sources. Rejects with what the failing step wrote. */
export async function buildParts(parts: readonly Part[]): Promise<void> {
  const stale = (): Part[] => stalePartsOf().filter((part) => parts.includes(part));
  if (stale().length === 0) return;
  try {
    await withLock(join(ROOT, "dist.lock"), async () => {
      removeAbandoned();
      // Another process may have built them meanwhile.
      for (const part of stale()) await makePart(part);
    });
  } catch (error) {
    throw isReadOnly(error) ? new Error(readOnlyMessage(stale())) : error;
  }
}

async function makePart(part: Part): Promise<void> {
  process.stderr.write(`lossd: building ${WORDS[part]}\n`);
  // Taken before: a source that changes meanwhile makes the part older than it.
  const hash = hashOf(part);
  const folder = mkdtempSync(join(ROOT, PREFIX));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  const removeAtExit = (): void => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, EXIT_WAIT_MS);
    remove();
  };
  process.once("exit", removeAtExit);
  try {
    writeFileSync(join(folder, basename(PARTS[part].record)), hash);
    await MAKERS[part](folder);
  } finally {
    process.off("exit", removeAtExit);
    remove();
  }
}

async function makeKernels(folder: string): Promise<void> {
  await compileKernels(folder);
  setModes(folder, []);
  // The record last: without it, half of them would count as all.
  const { outputs, record } = PARTS.kernels;
  for (const file of outputs) renameSync(join(folder, relative("src", file)), join(ROOT, file));
  renameSync(join(folder, basename(record)), join(ROOT, record));
}

async function makeDist(folder: string): Promise<void> {
  const script = (name: string): string => join(ROOT, "build", name);
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  await runStep("tsc", [tsc, "-p", join(ROOT, "tsconfig.build.json"), "--outDir", folder]);
  for (const file of PARTS.kernels.outputs)
    if (file.startsWith("src/kernel/")) copyFileSync(join(ROOT, file), join(folder, relative("src", file)));
  mkdirSync(join(folder, "playground"));
  for (const file of globSync("playground/*.{html,css}", { cwd: ROOT }))
    copyFileSync(join(ROOT, file), join(folder, "playground", basename(file)));
  copyReference(join(folder, "reference"));
  for (const name of ["core.ts", "bundle.ts", "guide.ts", "prune.ts", "warm.ts"])
    await runStep(`build/${name}`, [script(name), folder]);
  setModes(folder, ["main.js"]);
  swapFolder(folder, join(ROOT, "dist"));
}

/** The files of Swagger UI that the reference loads: from @fastify/swagger-ui, because swagger-ui-dist comes with a package that runs at its installation. */
const SWAGGER_UI = ["swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"];

function copyReference(folder: string): void {
  mkdirSync(folder);
  for (const name of ["index.html", "reference.js"])
    copyFileSync(join(ROOT, "reference", name), join(folder, name));
  for (const name of SWAGGER_UI)
    copyFileSync(join(ROOT, "node_modules/@fastify/swagger-ui/static", name), join(folder, name));
}

/** Removes the folders of builds that were killed. */
function removeAbandoned(): void {
  for (const name of readdirSync(ROOT)) {
    const folder = join(ROOT, name);
    const age = Date.now() - (statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (name.startsWith(PREFIX) && age > ABANDONED_MS) rmSync(folder, { recursive: true, force: true });
  }
}

function isReadOnly(error: unknown): boolean {
  return ["EROFS", "EACCES", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "");
}

function readOnlyMessage(parts: readonly Part[]): string {
  const names = parts.map((part) => WORDS[part]).join(" and ");
  return `${names} must be built, and this user may not write to ${ROOT}; give write access, then run: npm run build`;
}
