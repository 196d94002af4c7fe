/** Runs the command line: reads the arguments, runs the command, reports its failure. */
import { once } from "node:events";
import process from "node:process";
import { ConfigError } from "../config.ts";
import { UserError } from "../errors.ts";
import { failInGroup } from "../server/cluster-member.ts";
import { LAST_FLUSH_MS, unblock } from "../server/log-stream.ts";
import { SIGNALLED } from "../server/signals.ts";
import { start } from "../server/start.ts";
import { VERSION } from "../version.ts";
import type { Command } from "./command.ts";
import { readCommand } from "./command.ts";
import type { Terminal } from "./terminal.ts";
import { UsageError } from "./usage.ts";

/** The exit code of a command line that cannot be read. */
const USAGE = 2;

/** Does what the command line asks for, unless a signal came while this file was loaded. */
export async function main(early: NodeJS.Signals | undefined): Promise<void> {
  try {
    // Standard error that is full or closed changes nothing either.
    process.stderr.on("error", () => {});
    await runCommand(readCommand(process.argv.slice(2)), early);
  } catch (error) {
    report(error);
  }
}

async function runCommand(command: Command, early: NodeJS.Signals | undefined): Promise<void> {
  if (early !== undefined) process.exit(command.name === "serve" ? 0 : SIGNALLED[early]);
  // The commands beside serve are loaded when they are asked for: the first answer should not wait for them.
  switch (command.name) {
    case "version":
      process.stdout.write(`${VERSION}\n`);
      break;
    case "help":
      process.stdout.write((await import("./help.ts")).helpOf(command.of));
      break;
    case "check":
      await runClient(async () => (await import("./check.ts")).check, command);
      break;
    case "send":
      await runClient(async () => (await import("./send.ts")).send, command);
      break;
    case "serve":
      await start(command.settings, report);
  }
}

type Work<T> = (command: T, terminal: Terminal) => Promise<number>;

/** Runs a command that asks a server, to its end. Signals are heard while it is loaded, too. */
async function runClient<T>(load: () => Promise<Work<T>>, command: T): Promise<void> {
  const seen = terminal();
  try {
    const work = await load();
    const code = await work(command, seen);
    process.exitCode ??= code;
  } catch (error) {
    report(error);
  }
  // Without this, what nobody reads any more would keep a stopped command.
  if (seen.stopped.aborted) process.exit();
}

function terminal(): Terminal {
  const { stdout, stderr } = process;
  const stopping = new AbortController();
  const stop = (why: string, code: number): void => {
    process.exitCode ||= code;
    stopping.abort(new UserError(why));
  };
  // Who reads no further, as `head` does, has seen enough.
  stdout.on("error", ({ message }) => stop(`standard output: ${message}`, 1));
  for (const [signal, code] of Object.entries(SIGNALLED))
    process.once(signal, () => stop(`stopped by ${signal}`, code));
  return {
    out: async (text) => {
      if (stdout.write(text)) return;
      await once(stdout, "drain", { signal: stopping.signal }).catch(() => {});
    },
    err: (text) => void stderr.write(text),
    isLive: stderr.isTTY === true,
    stopped: stopping.signal,
    folder: folderOfPerson(process.env),
  };
}

/** Where relative names begin: npm runs this package's scripts in the package's folder, and tells where the person is. */
function folderOfPerson({ npm_lifecycle_event, npm_package_name, INIT_CWD }: NodeJS.ProcessEnv): string {
  const isScript = npm_lifecycle_event !== undefined && npm_package_name === "lossd";
  return isScript && INIT_CWD !== undefined ? INIT_CWD : process.cwd();
}

/** One line for what a person can mend, the stack for what is our fault. */
function report(error: unknown): void {
  const { message, stack } = error as Error;
  const isPlain = error instanceof UserError;
  if (isPlain && failInGroup(message)) return;
  unblock(process.stderr);
  process.stderr.write(`lossd: ${isPlain ? message : stack}\n`);
  const isUsage = error instanceof UsageError || (error instanceof ConfigError && error.isFlag);
  process.exitCode ??= isUsage ? USAGE : 1;
  // Writes to standard output or error that are stuck would keep the process alive.
  setTimeout(() => process.exit(), LAST_FLUSH_MS).unref();
}
