/** Runs the command line: parses the arguments, runs the command, reports its failure. */
import { once } from "node:events";
import process from "node:process";
import { ConfigError } from "../config/config.ts";
import { failInCluster } from "../server/cluster-member.ts";
import { unblock } from "../server/log-output.ts";
import { LAST_FLUSH_MS } from "../server/log-stream.ts";
import { insistence, SIGNALLED } from "../server/signals.ts";
import { start } from "../server/start.ts";
import { UserError } from "../user-error.ts";
import { VERSION } from "../version.ts";
import type { Command } from "./command.ts";
import { readCommand } from "./command.ts";
import type { Terminal } from "./terminal.ts";
import { UsageError } from "./usage.ts";

/** Exit code of an invalid command line. */
const USAGE_EXIT_CODE = 2;

/** Runs the command unless a signal arrived while this file was loaded. */
export async function main(early: NodeJS.Signals | undefined): Promise<void> {
  try {
    // Ignores errors of standard error because there is no other place to report them.
    process.stderr.on("error", () => {});
    await runCommand(readCommand(process.argv.slice(2)), early);
  } catch (error) {
    report(error);
  }
}

async function runCommand(command: Command, early: NodeJS.Signals | undefined): Promise<void> {
  if (early !== undefined && command.name !== "serve") process.exit(SIGNALLED[early]);
  // Ignores SIGHUP because the server has read no file yet.
  if (early !== undefined && early !== "SIGHUP") process.exit(0);
  // Loads the other commands on demand because they would delay the server's start.
  switch (command.name) {
    case "version":
      print(`${VERSION}\n`);
      break;
    case "help":
      print((await import("./help.ts")).helpOf(command.of));
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

function print(text: string): void {
  process.stdout.on("error", ({ message }) => report(new UserError(outputFault(message))));
  process.stdout.write(text);
}

const outputFault = (message: string): string => `standard output: ${message}`;

type Work<T> = (command: T, terminal: Terminal) => Promise<number>;

/** Runs a client command to its end. Handles signals while the command is loaded, too. */
async function runClient<T>(load: () => Promise<Work<T>>, command: T): Promise<void> {
  const seen = terminal();
  try {
    const work = await load();
    const code = await work(command, seen);
    process.exitCode ??= code;
  } catch (error) {
    report(error);
  }
  // Exits because unread output would keep a stopped command alive.
  if (seen.stopped.aborted) process.exit();
}

function terminal(): Terminal {
  const { stdout, stderr } = process;
  const stopping = new AbortController();
  const stop = (why: string, code: number): void => {
    process.exitCode ||= code;
    stopping.abort(new UserError(why));
  };
  // Stops when the reader closes the pipe, as `head` does.
  stdout.on("error", ({ message }) => stop(outputFault(message), 1));
  const insists = insistence();
  for (const [signal, code] of Object.entries(SIGNALLED)) {
    process.on(signal, () => {
      // Exits at once if stopping takes long and the user insists.
      if (insists()) process.exit(code);
      stop(`stopped by ${signal}`, code);
    });
  }
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

/** Resolves relative paths against INIT_CWD because npm runs scripts in the package's folder. */
function folderOfPerson({ npm_lifecycle_event, npm_package_name, INIT_CWD }: NodeJS.ProcessEnv): string {
  const isScript = npm_lifecycle_event !== undefined && npm_package_name === "lossd";
  return isScript && INIT_CWD !== undefined ? INIT_CWD : process.cwd();
}

/** Prints one line for a user error and the stack for a bug. */
function report(error: unknown): void {
  const { message, stack } = error as Error;
  const isPlain = error instanceof UserError;
  if (isPlain && failInCluster(message)) return;
  unblock(process.stderr);
  process.stderr.write(`lossd: ${isPlain ? message : stack}\n`);
  const isUsage = error instanceof UsageError || (error instanceof ConfigError && error.isFlag);
  process.exitCode ??= isUsage ? USAGE_EXIT_CODE : 1;
  // Exits after a timeout because a blocked write to standard output or error would keep the process alive.
  setTimeout(() => process.exit(), LAST_FLUSH_MS).unref();
}
