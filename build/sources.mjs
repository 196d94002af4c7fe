/**
 * What the build makes, and from what. Each part keeps a hash of its sources beside its output. Times of files would not do: a clone, a copy and
 * a checkout of an older commit all change them. Plain JavaScript, so that a start without a build does not load the TypeScript stripper.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./requirements.mjs";

/** @typedef {"kernels" | "dist"} Part */

/**
 * @typedef {object} Recipe
 * @property {readonly string[]} sources files, folders with all that is below them, and endings of the names of files beside package.json
 * @property {readonly string[]} outputs
 * @property {string} record the file with the hash of the sources
 */

/** @type {Readonly<Record<Part, Recipe>>} */
export const PARTS = {
  kernels: {
    sources: ["src/kernel/assembly", "build/kernels.ts"],
    outputs: [
      ...["kernel", "runtimes"].flatMap((folder) =>
        ["kernel.wasm", "kernel-plain.wasm"].map((file) => `src/${folder}/${file}`),
      ),
      "src/kernel/kernel-paired.wasm",
    ],
    record: "src/kernel/kernel.sha256",
  },
  dist: {
    sources: [
      "src",
      "playground",
      "docs",
      "reference",
      "build",
      ".md",
      "LICENSE",
      "package.json",
      "package-lock.json",
      "tsconfig.json",
      "tsconfig.build.json",
    ],
    outputs: ["dist/main.js"],
    record: "dist/sources.sha256",
  },
};

/** What the build itself writes between its sources. */
const BUILT = /\.(?:wasm|sha256)$/;

/**
 * The parts that are missing or older than their sources, in the order in which they are built.
 * @returns {Part[]}
 */
export function stalePartsOf(root = ROOT) {
  const parts = /** @type {Part[]} */ (Object.keys(PARTS));
  return parts.filter((part) => {
    const { outputs, record } = PARTS[part];
    if (![...outputs, record].every((file) => existsSync(join(root, file)))) return true;
    return readFileSync(join(root, record), "utf8") !== hashOf(part, root);
  });
}

/**
 * A hash of the names and bytes of a part's sources, as hexadecimal digits.
 * @param {Part} part
 */
export function hashOf(part, root = ROOT) {
  const hash = createHash("sha256");
  for (const file of PARTS[part].sources.flatMap((source) => filesOf(source, root)).sort()) {
    const bytes = readFileSync(join(root, file));
    hash.update(`${file}\n${bytes.length}\n`).update(bytes);
  }
  if (part === "kernels") hash.update(compilerOf(root));
  return hash.digest("hex");
}

/**
 * The kernels' compiler, with its version; another package does not change them.
 * @param {string} root
 */
function compilerOf(root) {
  const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return `assemblyscript ${devDependencies.assemblyscript}`;
}

/**
 * @param {string} source
 * @param {string} root
 * @returns {string[]}
 */
function filesOf(source, root) {
  if (source.startsWith(".")) return readdirSync(root).filter((name) => name.endsWith(source));
  if (statSync(join(root, source)).isFile()) return [source];
  return readdirSync(join(root, source), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !BUILT.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(join(root, "/").length));
}
