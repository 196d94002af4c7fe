/** Errors of the command line. */
import { UserError } from "../user-error.ts";

/** Advice for a missing token or a token in the URL. */
export const TOKEN_ADVICE = "put the token into a file: --token-file FILE";

/** Thrown for an invalid command line. The message has the expected value, `advice` the remedy. */
export class UsageError extends UserError {
  override readonly name = "UsageError";
  constructor(fault: string, advice = "see lossd --help") {
    super(`${fault}; ${advice}`);
  }
}
