/** Body without its numbers. Requests share it if they differ only in their numbers, so its value must not be changed. */
export class Skeleton {
  readonly value: unknown;
  /** Validator that has accepted the value. */
  acceptedBy: unknown;
  /** Kept by the user of the body for the next one with this skeleton. */
  repeat: unknown;
  /** Whether a body with it has been prepared. Set by that user, too. */
  hasBeenPrepared = false;

  constructor(value: unknown) {
    this.value = value;
  }
}

const MAX_SKELETONS = 256;
const MAX_SKELETON_CHARS = 512;

/** Adds a skeleton to a cache by text, because clients repeat their options. */
export function remember<S extends Skeleton>(skeletons: Map<string, S>, text: string, skeleton: S): void {
  if (text.length > MAX_SKELETON_CHARS) return;
  if (skeletons.size >= MAX_SKELETONS) skeletons.clear();
  skeletons.set(text, skeleton);
}
