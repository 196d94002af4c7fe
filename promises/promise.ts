/** What a promise is, and what proving it gave. */

export interface Proof {
  /** What was measured, in words and figures. */
  readonly value: string;
  /** Undefined where what the proof needs is not installed. */
  readonly holds: boolean | undefined;
}

export interface Promised {
  readonly id: string;
  /** X under Y gets Z. */
  readonly text: string;
  /** Proved by the test suite too: it takes seconds, and no time decides it. */
  readonly isCheap?: true;
  /** Under a minute on two cores. */
  readonly prove: () => Promise<Proof>;
}
