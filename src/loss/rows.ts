/** Losses whose input comes some rows at a time. */
import type { Axis } from "../tensor/axis.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Steps } from "./workspace.ts";

/** A computation over the outer positions (rows, samples) of an input, in order. However they are divided, every result has the same bits. */
export interface RowFold<Result> {
  /** The input's lines: `outer` rows of `length * inner` elements. */
  readonly axis: Axis;
  /** Takes `count` rows from row `first` on, which lie at `address`, and gives what is known of them for good. They may be overwritten. */
  rows(address: number, first: number, count: number): Steps<Tensor | undefined>;
  /** After the last row: the result, without what {@link rows} has given. */
  end(): Steps<Result>;
}
