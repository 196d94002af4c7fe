#!/usr/bin/env node
/** Entry point. src/cli/run.ts is loaded from the compile cache, which saves a sixth of the start. */
import { existsSync } from "node:fs";
import module from "node:module";
import host, { exit, stderr, versions } from "node:process";
import { fileURLToPath } from "node:url";

/** Minimum major version of Node, as in package.json's engines. */
const MIN_NODE_MAJOR = 24;

if (Number.parseInt(versions.node, 10) < MIN_NODE_MAJOR) {
  stderr.write(`lossd: expected Node ${MIN_NODE_MAJOR} or later, got ${versions.node}\n`);
  exit(1);
}
const cache = fileURLToPath(new URL("cache", import.meta.url));
if (existsSync(cache)) module.enableCompileCache({ directory: cache, portable: true });
// Replaces Node's own handler, which opens the inspector.
host.on("SIGUSR1", () => {});
// Records signals while the modules load, because the first process of a container loses a signal without a handler.
let early: NodeJS.Signals | undefined;
const remember = (signal: NodeJS.Signals): void => {
  if (early === undefined || early === "SIGHUP") early = signal;
};
const signals = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR2", "SIGTERM"] as const;
for (const signal of signals) host.on(signal, remember);
const { main } = await import("./cli/run.ts");
// Lets the event loop deliver a signal that has arrived meanwhile.
await new Promise((resolve) => setImmediate(resolve));
main(early);
// Removes these handlers now that run.ts has its own.
for (const signal of signals) host.off(signal, remember);
