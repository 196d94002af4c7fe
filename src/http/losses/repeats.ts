/**
 * Runs a loss again that was prepared for an earlier body, because clients send the same options and shapes many times. A repetition has the
 * skeleton of the earlier body and its number spans at the same addresses, so only the numbers differ, which no check before the run reads.
 * A plan may therefore depend on nothing else: no header, no setting, no element.
 */
import type { Kernel } from "../../kernel/load.ts";
import type { JsonBody } from "../../wire/json/reader.ts";
import type { LossContext } from "../context.ts";
import type { Prepared } from "./compute.ts";

/** Loss of the last body with a skeleton. Taken from it while it runs, because its steps have state, and not returned after an error. */
interface Repeat {
  /** Route that prepared the loss. */
  readonly route: object;
  readonly prepared: Prepared;
  readonly kernel: Kernel;
  readonly input: LossContext["input"];
  readonly records: Int32Array;
  /** Memory that the preparation allocated behind the number spans. */
  readonly start: number;
  readonly bytes: number;
}

/** Takes the loss that a body repeats, with its memory allocated, or undefined. `route` is the same as in {@link prepareAndKeep}. */
export function takePrepared(loss: LossContext, route: object, body: JsonBody): Prepared | undefined {
  const repeat = body.skeleton.repeat as Repeat | undefined;
  const { kernel, region } = loss;
  if (repeat === undefined || repeat.route !== route || repeat.kernel !== kernel) return undefined;
  if (repeat.start !== region.next || repeat.bytes > region.left) return undefined;
  if (!areEqual(repeat.records, body.records)) return undefined;
  body.skeleton.repeat = undefined;
  region.alloc(repeat.bytes);
  loss.input = repeat.input;
  return repeat.prepared;
}

/** Prepares the loss of a body, and keeps it for repetitions once it has run, unless it needed more memory than the request had reserved. */
export function prepareAndKeep(
  loss: LossContext,
  route: object,
  body: JsonBody,
  prepareLoss: () => Prepared,
): Prepared {
  const { kernel, region } = loss;
  const { next: start, left } = region;
  const prepared = prepareLoss();
  const bytes = region.next - start;
  if (bytes !== left - region.left) return prepared;
  const { skeleton } = body;
  const onEnd = (): void => {
    skeleton.repeat = repeat;
  };
  const repeat: Repeat = {
    route,
    prepared: { ...prepared, onEnd },
    kernel,
    input: loss.input,
    records: body.records.slice(),
    start,
    bytes,
  };
  return repeat.prepared;
}

/** Compares records, of which most bodies have two. */
function areEqual(some: Int32Array, others: Int32Array): boolean {
  if (some.length !== others.length) return false;
  for (let at = 0; at < some.length; at++) if (some[at] !== others[at]) return false;
  return true;
}
