/** Limit of the engine's heap for new objects. */
import { env, execArgv } from "node:process";
import { setFlagsFromString } from "node:v8";

/**
 * Node flag of each process, also in the Dockerfile and `npm start`. Without a limit, the young generation grows under
 * load until a process has 230 to 330 MiB instead of 155, and no cache holds it.
 */
export const HEAP_FLAG = "--max-semi-space-size=4";

/**
 * Keeps the heap for new objects at its first size, up to 5 MiB, in a process that was started without a limit, such as
 * by the package's command. The engine reads {@link HEAP_FLAG} only at its start, but the factor at each growth.
 */
export function limitNewSpace(): void {
  const flags = [...execArgv, env.NODE_OPTIONS ?? ""].join(" ").replaceAll("_", "-");
  if (!flags.includes("--max-semi-space-size")) setFlagsFromString("--semi-space-growth-factor=1");
}
