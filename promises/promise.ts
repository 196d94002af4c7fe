/** Types of promises and their proofs. */

export interface Proof {
  /** The measured result, in words and figures. */
  readonly value: string;
  /** Undefined if a requirement of the proof is not installed. */
  readonly holds: boolean | undefined;
}

export interface Promised {
  readonly id: string;
  /** Condition and expected result. */
  readonly text: string;
  /** Also proved by the test suite, because it takes seconds and depends on no timing. */
  readonly isCheap?: true;
  /** Takes less than a minute on two cores. */
  readonly prove: () => Promise<Proof>;
}
