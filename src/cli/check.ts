/** `lossd check`: whether a running server answers as it should. */
import { CHECKS } from "./checks.ts";
import type { Check } from "./command.ts";
import { readToken, socketOf } from "./files.ts";
import { Hopeless, Remote } from "./remote.ts";
import type { Terminal } from "./terminal.ts";
import { shown } from "./text.ts";

/** What came of a check. */
interface Result {
  readonly check: string;
  readonly ok: boolean;
  readonly ms: number;
  readonly error?: string;
}

/** Runs the checks, up to one after which the others have no hope; the exit code. */
export async function check(command: Check, terminal: Terminal): Promise<number> {
  const { url, tokenFile, json, timeout } = command;
  const { stopped } = terminal;
  const token = await readToken(tokenFile, terminal);
  const socketPath = socketOf(command, terminal);
  const remote = new Remote(url, { token, timeout, stopped, socketPath });
  const results: Result[] = [];
  for (const { title, run } of CHECKS) {
    const begun = performance.now();
    const failure: unknown = await run(remote).then(
      () => undefined,
      (error: unknown) => error,
    );
    // What a person broke off is no failure of the server.
    if (stopped.aborted) break;
    const ms = Math.round((performance.now() - begun) * 10) / 10;
    const ok = failure === undefined;
    const error = ok ? "" : shown((failure as Error).message);
    results.push({ check: title, ok, ms, ...(ok ? {} : { error }) });
    if (!json) await terminal.out(ok ? `ok    ${title}  (${ms} ms)\n` : `FAIL  ${title}: ${error}\n`);
    if (failure instanceof Hopeless) break;
  }
  const ok = results.length === CHECKS.length && results.every((result) => result.ok);
  await terminal.out(
    json
      ? `${JSON.stringify({ url: url.href, ...(socketPath === undefined ? {} : { socket: socketPath }), ok, results })}\n`
      : summary(results, socketPath === undefined ? url.href : `${url.href} at ${socketPath}`),
  );
  return ok ? 0 : 1;
}

/** Only what was tried counts. */
function summary(results: readonly Result[], address: string): string {
  const passed = results.filter(({ ok }) => ok).length;
  const left = CHECKS.length - results.length;
  const rest = left === 0 ? "" : `; the other ${left} were not tried`;
  return `${passed} of ${results.length} checks passed on ${address}${rest}\n`;
}
