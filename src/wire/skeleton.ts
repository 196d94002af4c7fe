/** Body without its numbers. Requests share it if they differ only in their numbers, so its value must not be changed. */
export interface Skeleton {
  readonly value: unknown;
  /** Validator that has accepted the value. */
  acceptedBy: unknown;
  /** Whether a second body has had it, because what is kept for bodies that never come takes time of the garbage collector. */
  isRepeated: boolean;
  /** Kept by the user of the body for the next one with this skeleton. */
  repeat: unknown;
}

const MAX_SKELETONS = 256;
const MAX_SKELETON_CHARS = 512;

/** Adds a skeleton to a cache by text, because clients repeat their options. */
export function remember<S extends Skeleton>(skeletons: Map<string, S>, text: string, skeleton: S): void {
  if (text.length > MAX_SKELETON_CHARS) return;
  if (skeletons.size >= MAX_SKELETONS) skeletons.clear();
  skeletons.set(text, skeleton);
}
