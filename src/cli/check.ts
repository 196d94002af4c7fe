/** `lossd check` sends test requests to a running server and compares its responses. */
import { Client, FatalCheckError } from "./check-client.ts";
import { CHECKS } from "./checks.ts";
import type { Check } from "./command.ts";
import { escapeText } from "./escape.ts";
import { readToken, socketOf } from "./files.ts";
import type { Terminal } from "./terminal.ts";

/** Result of one check. */
interface Result {
  readonly check: string;
  readonly ok: boolean;
  readonly ms: number;
  readonly error?: string;
}

/** Runs the checks in order and returns the exit code. Stops at a {@link FatalCheckError}. */
export async function check(command: Check, terminal: Terminal): Promise<number> {
  const { url, tokenFile, json, timeout } = command;
  const { stopped } = terminal;
  const token = await readToken(tokenFile, terminal);
  const socketPath = socketOf(command, terminal);
  const client = new Client(url, { token, timeout, stopped, socketPath });
  const results: Result[] = [];
  for (const { title, run } of CHECKS) {
    const begun = performance.now();
    const failure: unknown = await run(client).then(
      () => undefined,
      (error: unknown) => error,
    );
    // Ignores this failure because the user interrupted the request.
    if (stopped.aborted) break;
    const ms = Math.round((performance.now() - begun) * 10) / 10;
    const ok = failure === undefined;
    const error = ok ? "" : escapeText((failure as Error).message);
    results.push({ check: title, ok, ms, ...(ok ? {} : { error }) });
    if (!json) await terminal.out(ok ? `ok    ${title}  (${ms} ms)\n` : `FAIL  ${title}: ${error}\n`);
    if (failure instanceof FatalCheckError) break;
  }
  const ok = results.length === CHECKS.length && results.every((result) => result.ok);
  await terminal.out(
    json
      ? `${JSON.stringify({ url: url.href, ...(socketPath === undefined ? {} : { socket: socketPath }), ok, results })}\n`
      : summary(results, socketPath === undefined ? url.href : `${url.href} at ${socketPath}`),
  );
  stopped.throwIfAborted();
  return ok ? 0 : 1;
}

/** Counts only the checks that ran. */
function summary(results: readonly Result[], address: string): string {
  const passed = results.filter(({ ok }) => ok).length;
  const left = CHECKS.length - results.length;
  const rest = left === 0 ? "" : `; the other ${left} were not run`;
  return `${passed} of ${results.length} checks passed on ${address}${rest}\n`;
}
