/** What is wrong with a command line. */
import { PlainError } from "../plain.ts";

/** Thrown for a command line that cannot be read; the message says what was expected, and `advice` what to do. */
export class UsageError extends PlainError {
  override readonly name = "UsageError";
  constructor(fault: string, advice = "see lossd --help") {
    super(`${fault}; ${advice}`);
  }
}
