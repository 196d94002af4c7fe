/** `lossd check`: whether a running server answers as it should. */
import { readFile } from "node:fs/promises";
import { PlainError } from "../config.ts";
import { CHECKS } from "./checks.ts";
import type { Check } from "./command.ts";
import { Remote, Unreachable } from "./remote.ts";
import type { Terminal } from "./terminal.ts";

/** Why a file cannot be read, for people. */
export function fileFault({ code, message }: NodeJS.ErrnoException): string {
  return code === "ENOENT" ? "there is no such file" : message;
}

/** The first line of a file of tokens. */
export async function readToken(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new PlainError(`--token-file ${file}: ${fileFault(error)}`);
  });
  const lines = text.split("\n").map((line) => line.trim());
  return lines.find((line) => line !== "" && !line.startsWith("#"));
}

/** Runs all checks; the exit code. */
export async function check({ url, tokenFile, json }: Check, terminal: Terminal): Promise<number> {
  const remote = new Remote(url, await readToken(tokenFile));
  const results: { check: string; ok: boolean; ms: number; error?: string | undefined }[] = [];
  for (const { title, run } of CHECKS) {
    const begun = performance.now();
    const failure: unknown = await run(remote).then(
      () => undefined,
      (error: unknown) => error,
    );
    const ms = Math.round((performance.now() - begun) * 10) / 10;
    const ok = failure === undefined;
    const error = ok ? undefined : (failure as Error).message;
    results.push({ check: title, ok, ms, ...(ok ? {} : { error }) });
    if (!json) terminal.out(ok ? `ok    ${title}  (${ms} ms)\n` : `FAIL  ${title}: ${error}\n`);
    // The others would wait for the same in vain.
    if (failure instanceof Unreachable || terminal.stopped.aborted) break;
  }
  const failed = results.filter(({ ok }) => !ok).length;
  if (json) terminal.out(`${JSON.stringify({ url: url.href, ok: failed === 0, results })}\n`);
  else terminal.out(`${results.length - failed} of ${CHECKS.length} checks passed on ${url.href}\n`);
  return failed === 0 ? 0 : 1;
}
