#!/usr/bin/env node
/** The entry: what it starts, src/cli/run.ts, is kept as compiled code from the build on, which saves a sixth of the start. */
import { existsSync } from "node:fs";
import module from "node:module";
import host, { exit, stderr, versions } from "node:process";
import { fileURLToPath } from "node:url";

/** The same as in package.json's engines. */
const NODE = 24;

if (Number.parseInt(versions.node, 10) < NODE) {
  stderr.write(`lossd: expected Node ${NODE} or later, got ${versions.node}\n`);
  exit(1);
}
const cache = fileURLToPath(new URL("cache", import.meta.url));
if (existsSync(cache)) module.enableCompileCache({ directory: cache, portable: true });
// Loading takes longer than a stop may come after, and the first process of a container loses a signal that has no handler.
let early: NodeJS.Signals | undefined;
const remember = (signal: NodeJS.Signals): void => {
  early ??= signal;
};
host.on("SIGTERM", remember).on("SIGINT", remember);
const { main } = await import("./cli/run.ts");
main(early);
// Only now, when it has handlers of its own.
host.off("SIGTERM", remember).off("SIGINT", remember);
