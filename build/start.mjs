/**
 * `npm start`: builds what is missing or older than its sources, then serves in this very process, so that a signal to npm reaches the server.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";
import { checkRequirements } from "./requirements.mjs";
import { stalePartsOf } from "./sources.mjs";

const MAIN = new URL("../dist/main.js", import.meta.url);

/** Signals that end the build, and its steps with it. */
const SIGNALS = /** @type {const} */ (["SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR2", "SIGTERM"]);

// Replaces Node's own handler, which opens the inspector. A flag would not do, because Node 20 does not know it.
process.on("SIGUSR1", () => {});
checkRequirements({ development: false });
if (stalePartsOf().length > 0) {
  checkRequirements({ development: true });
  // Before the build: a setting that is refused should not take half a minute to be.
  await run("settings.ts", process.argv.slice(2));
  await run("build.mjs", []);
}
// The other processes of a group start from this file.
process.argv[1] = fileURLToPath(MAIN);
await import(MAIN.href);

/**
 * Runs a script of this folder to its end, and ends with it where it fails or a signal comes.
 * @param {string} script
 * @param {readonly string[]} args
 */
async function run(script, args) {
  const child = spawn(process.execPath, [fileURLToPath(new URL(script, import.meta.url)), ...args], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  /** @type {NodeJS.Signals | undefined} */
  let stopped;
  /** @param {NodeJS.Signals} signal */
  const stop = (signal) => {
    stopped = signal;
    child.kill(signal);
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  const [code] = await once(child, "exit");
  if (stopped !== undefined) process.exit(128 + constants.signals[stopped]);
  if (code !== 0) process.exit(code ?? 1);
  for (const signal of SIGNALS) process.off(signal, stop);
}
