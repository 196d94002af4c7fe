/**
 * The check before `npm start` and `npm run build`: finds what the checkout lacks, and names the command that installs it. Plain JavaScript
 * without packages, because Node 20 runs it, possibly before anything is installed.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Brings the Node that lossd runs on; not needed where Node is new enough. */
const RUNTIME = "node";

/**
 * @typedef {object} Checkout
 * @property {string} root its folder
 * @property {string} nodeVersion of the Node that runs, without v
 * @property {boolean} development whether the development packages are needed, too
 * @property {Readonly<Record<string, string | undefined>>} env
 */

/**
 * The first requirement that is not met, with the command that meets it, in one line; undefined where all are.
 * @param {Checkout} checkout
 * @returns {string | undefined}
 */
export function unmetRequirement({ root, nodeVersion, development, env }) {
  const { engines, dependencies, devDependencies } = readJson(join(root, "package.json"));
  const { [RUNTIME]: _, ...tools } = devDependencies;
  const omitsDevelopment = env.NODE_ENV === "production" || /\bdev\b/.test(env.npm_config_omit ?? "");
  const install = omitsDevelopment ? "npm ci --include=dev" : "npm ci";
  if (!existsSync(join(root, "node_modules"))) return `the packages are not installed; run: ${install}`;
  const needed = Number.parseInt(engines.node.replace(/\D+/, ""), 10);
  if (Number.parseInt(nodeVersion, 10) < needed)
    return `expected Node ${needed} or later, got ${nodeVersion}${remedyForNode(root)}`;
  const outdated = outdatedPackage(root, dependencies);
  if (outdated !== undefined) return `${outdated}; run: ${install}`;
  const missing = development ? outdatedPackage(root, tools) : undefined;
  return missing && `${missing}, and the build needs the development packages; run: npm ci --include=dev`;
}

/**
 * Ends the process with one line where a requirement is not met.
 * @param {{ development: boolean }} needs
 */
export function checkRequirements({ development }) {
  const { env, versions } = process;
  const unmet = unmetRequirement({ root: ROOT, nodeVersion: versions.node, development, env });
  if (unmet === undefined) return;
  process.stderr.write(`lossd: ${unmet}\n`);
  process.exit(1);
}

/** @param {string} root */
function remedyForNode(root) {
  const folder = join(root, "node_modules", RUNTIME);
  if (!existsSync(folder))
    return "; the npm package node brings it, a development package that is not installed; run: npm ci --include=dev";
  if (!existsSync(join(folder, "bin/node")))
    return "; the install script that fetches it has not run (--ignore-scripts); run: npm rebuild node --ignore-scripts=false, or use a Node of your own";
  return "; npm puts the right one on the PATH; run: npm start";
}

/**
 * What is wrong with the first package that is not there in its version.
 * @param {string} root
 * @param {Readonly<Record<string, string>>} packages
 */
function outdatedPackage(root, packages) {
  for (const [name, version] of Object.entries(packages)) {
    const file = join(root, "node_modules", name, "package.json");
    if (!existsSync(file)) return `the package ${name} is not installed`;
    const installed = readJson(file).version;
    if (installed !== version) return `expected the package ${name} ${version}, got ${installed}`;
  }
  return undefined;
}

/** @param {string} file */
function readJson(file) {
  return JSON.parse(readFileSync(file, "utf8"));
}
