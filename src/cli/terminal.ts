/** Input and output of a command, so that no command touches the process. */
export interface Terminal {
  /** Prints results. Resolves when the output has drained or the command is stopped. */
  out(text: string): Promise<void>;
  /** Prints messages to standard error. */
  err(text: string): void;
  /** Whether standard error is a terminal, so that lines may be overwritten. */
  readonly isLive: boolean;
  /** Aborted when the command is stopped. Its reason is a UserError. */
  readonly stopped: AbortSignal;
  /** Base folder of relative paths. */
  readonly folder: string;
}
