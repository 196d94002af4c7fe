/**
 * Fails if versions disagree: `node build/release/check.ts [vX.Y.Z]`, with the tag for a release. PACKAGES lists the folders of the npm
 * packages, separated by spaces.
 */
import { resolve } from "node:path";
import { argv, env, exit, stderr } from "node:process";
import { disagreements } from "./versions.ts";

const root = resolve(import.meta.dirname, "../..");
const folders = (env.PACKAGES ?? ".").split(" ");
const found = disagreements(root, folders, argv[2]);
for (const sentence of found) stderr.write(`${sentence}\n`);
exit(found.length === 0 ? 0 : 1);
