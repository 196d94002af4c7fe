/**
 * The end of `npm run build`: the new folder takes the place of the old one, whole. A server that runs from it and replaces a process meanwhile
 * finds the old files or the new ones, never some of them. `node build/swap.ts NEW PLACE`.
 */
import { existsSync, renameSync, rmSync } from "node:fs";
import { argv } from "node:process";

const [fresh, place] = argv.slice(2) as [string, string];
const old = `${place}.old`;
rmSync(old, { recursive: true, force: true });
// A folder cannot be renamed onto one that is not empty.
if (existsSync(place)) renameSync(place, old);
renameSync(fresh, place);
rmSync(old, { recursive: true, force: true });
