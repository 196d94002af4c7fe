/** Losses whose input comes some rows at a time. */
import type { Axis } from "../tensor/axis.ts";
import type { DType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Steps } from "./workspace.ts";

/** A part of a result, before it is known. */
export interface Outline<Name> {
  readonly name: Name;
  readonly dtype: DType;
  /** `[]` for a scalar. */
  readonly shape: readonly number[];
}

/** A computation over the outer positions (rows, samples) of an input, in order. However they are divided, every result has the same bits. */
export interface RowFold<Result> {
  /** The input's lines: `outer` rows of `length * inner` elements. */
  readonly axis: Axis;
  /** What the result will consist of, with what {@link rows} gives. */
  readonly outline: readonly Outline<string & keyof Result>[];
  /** What is known of it before the first row. */
  readonly known: Partial<Result>;
  readonly warnings: readonly string[];
  /** Takes `count` rows from row `first` on, which lie at `address`, and gives what is known of them for good. They may be overwritten. */
  rows(address: number, first: number, count: number): Steps<Tensor | undefined>;
  /** After the last row: the result, without what {@link rows} has given. */
  end(): Steps<Result>;
}
