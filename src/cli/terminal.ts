/** Where a command reads and writes, so that none of them touches the process. */
export interface Terminal {
  /** Results. Resolves when whoever reads them has room for more, or when the command is to stop. */
  out(text: string): Promise<void>;
  /** What a person looks at meanwhile. */
  err(text: string): void;
  /** Whether a person looks: then a line may be written over. */
  readonly isLive: boolean;
  /** Fires when the command is to stop; its reason is a UserError. */
  readonly stopped: AbortSignal;
  /** Where the relative names of files begin. */
  readonly folder: string;
}
