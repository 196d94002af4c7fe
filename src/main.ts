#!/usr/bin/env node
/** The entry: what it starts, src/process.ts, is kept as compiled code from the build on, which saves a sixth of the start. */
import { existsSync } from "node:fs";
import module from "node:module";
import { exit, stderr, versions } from "node:process";
import { fileURLToPath } from "node:url";

/** The same as in package.json's engines. */
const NODE = 24;

if (Number.parseInt(versions.node, 10) < NODE) {
  stderr.write(`lossd: expected Node ${NODE} or later, got ${versions.node}\n`);
  exit(1);
}
const cache = fileURLToPath(new URL("cache", import.meta.url));
if (existsSync(cache)) module.enableCompileCache({ directory: cache, portable: true });
await import("./process.ts");
