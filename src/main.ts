#!/usr/bin/env node
/** The entry: what it starts, src/process.ts, is kept as compiled code from the build on, which saves a sixth of the start. */
import { existsSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";

const cache = fileURLToPath(new URL("cache", import.meta.url));
if (existsSync(cache)) enableCompileCache({ directory: cache, portable: true });
await import("./process.ts");
