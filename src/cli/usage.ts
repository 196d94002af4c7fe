/** What is wrong with a command line. */
import { UserError } from "../errors.ts";

/** For whoever has a token and did not say it, or said it where others see it. */
export const TOKEN_ADVICE = "a token goes into a file: --token-file FILE";

/** Thrown for a command line that cannot be read; the message says what was expected, and `advice` what to do. */
export class UsageError extends UserError {
  override readonly name = "UsageError";
  constructor(fault: string, advice = "see lossd --help") {
    super(`${fault}; ${advice}`);
  }
}
