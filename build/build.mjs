/** `npm run build [-- kernels]`: builds what is missing or older than its sources, of all parts or of one. */
import { constants } from "node:os";
import { checkRequirements } from "./requirements.mjs";
import { PARTS } from "./sources.mjs";

checkRequirements({ development: true });
// The end that the exit handlers see: they stop the step, and remove what it has made and the lock.
for (const signal of /** @type {const} */ (["SIGTERM", "SIGINT"]))
  process.once(signal, () => process.exit(128 + constants.signals[signal]));
const parts = /** @type {import("./sources.mjs").Part[]} */ (Object.keys(PARTS));
const [part] = process.argv.slice(2);
const { buildParts } = await import("./parts.ts");
try {
  await buildParts(part === undefined ? parts : parts.filter((name) => name === part));
} catch (error) {
  process.stderr.write(`lossd: ${/** @type {Error} */ (error).message}\n`);
  process.exitCode = 1;
}
