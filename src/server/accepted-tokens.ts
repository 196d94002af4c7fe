/** Accepted tokens of TOKENS_FILE, which SIGHUP reads again. */
import type { Logger } from "pino";
import type { AcceptedTokens, Tokens } from "../http/server/auth.ts";
import { digestTokens } from "../http/server/auth.ts";
import { readTokensFile } from "./tokens-file.ts";

/** Tokens of TOKENS_FILE, or none without a file. An empty file is rejected because it would disable authentication. */
export class TokensFile implements AcceptedTokens {
  readonly #path: string;
  #tokens: Tokens;

  constructor(path: string) {
    this.#path = path;
    this.#tokens = path === "" ? [] : digestTokens(readTokensFile(path));
  }

  get tokens(): Tokens {
    return this.#tokens;
  }

  /** Reads the file again, and keeps the former tokens if it is invalid. Returns whether it was read. */
  reload(logger: Logger): boolean {
    if (this.#path === "") {
      logger.info("no TOKENS_FILE to read again");
      return false;
    }
    try {
      this.#tokens = digestTokens(readTokensFile(this.#path, true));
    } catch (error) {
      logger.error(
        { why: (error as Error).message },
        "cannot read TOKENS_FILE again, keeping the former tokens",
      );
      return false;
    }
    logger.info({ tokens: this.#tokens.length }, "read TOKENS_FILE again");
    return true;
  }
}
