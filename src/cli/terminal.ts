/** Where a command writes, so that none of them touches the process. */
export interface Terminal {
  /** Results. */
  out(text: string): void;
  /** What a person looks at meanwhile. */
  err(text: string): void;
  /** Whether a person looks: then a line may be written over. */
  readonly isLive: boolean;
  /** Fires when the person asks to stop. */
  readonly stopped: AbortSignal;
}
