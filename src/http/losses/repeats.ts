/**
 * Runs a loss again that was prepared for an earlier body, because clients send the same options and shapes many times. A repetition has the
 * skeleton of the earlier body and its numbers at the same addresses, so only the numbers differ, which no check before the run reads. A plan
 * may therefore depend on nothing else: no setting, no element, and no header but Accept, which decides the response's format.
 */
import type { Kernel } from "../../kernel/load.ts";
import type { Source } from "../../wire/operands.ts";
import type { Skeleton } from "../../wire/skeleton.ts";
import type { LossContext } from "../context.ts";
import type { Prepared } from "./compute.ts";

/** Body of which the loss may be repeated. */
export interface Repeatable {
  readonly skeleton: Skeleton;
  /** Records of the numbers in JSON: their addresses, lengths and shapes. */
  readonly records?: Int32Array;
  /** Bytes of the other tensors, whose lengths are in the skeleton. */
  readonly source?: Source;
}

/** Loss of the last body with a skeleton. Taken from it while it runs, because its steps have state, and not returned after an error. */
interface Repeat {
  /** Route that prepared the loss. */
  readonly route: object;
  readonly prepared: Prepared;
  readonly kernel: Kernel;
  readonly responseFormat: LossContext["responseFormat"];
  readonly input: LossContext["input"];
  readonly records: Int32Array;
  /** Source from which the steps of the loss copy tensors, without bytes between two bodies. */
  readonly source: Source | undefined;
  /** Length of its bytes. */
  readonly sourceBytes: number;
  /** Memory that the preparation allocated behind the numbers. */
  readonly memory: NonNullable<Prepared["memory"]>;
}

/** Takes the loss that a body repeats, with its memory allocated, or undefined. `route` is the same as in {@link keepPrepared}. */
export function takePrepared(loss: LossContext, route: object, body: Repeatable): Prepared | undefined {
  const repeat = body.skeleton.repeat as Repeat | undefined;
  const { kernel, region } = loss;
  if (repeat === undefined || repeat.route !== route || repeat.kernel !== kernel) return undefined;
  if (repeat.responseFormat !== loss.responseFormat) return undefined;
  const { start, bytes } = repeat.memory;
  if (start !== region.next || bytes > region.left) return undefined;
  const { records = NONE, source } = body;
  if (!areEqual(repeat.records, records) || repeat.sourceBytes !== (source?.bytes.length ?? 0))
    return undefined;
  body.skeleton.repeat = undefined;
  loss.timings.enter("compute");
  region.alloc(bytes);
  if (repeat.source !== undefined && source !== undefined) repeat.source.bytes = source.bytes;
  loss.input = repeat.input;
  loss.locate = repeat.prepared.responder.locate;
  return repeat.prepared;
}

/** Keeps the loss of a body for repetitions once it has run, unless its skeleton is new or it needed more memory than the request had reserved. */
export function keepPrepared(
  { kernel, responseFormat, input }: LossContext,
  route: object,
  { skeleton, records = NONE, source }: Repeatable,
  prepared: Prepared,
): Prepared {
  const { memory } = prepared;
  const isRepeated = skeleton.hasBeenPrepared;
  skeleton.hasBeenPrepared = true;
  // What is kept for bodies that never come takes time of the garbage collector.
  if (memory === undefined || !isRepeated) return prepared;
  const onEnd = (): void => {
    if (source !== undefined) source.bytes = NO_BYTES;
    skeleton.repeat = repeat;
  };
  const repeat: Repeat = {
    route,
    prepared: { ...prepared, onEnd },
    kernel,
    responseFormat,
    input,
    records: records.slice(),
    source,
    sourceBytes: source?.bytes.length ?? 0,
    memory,
  };
  return repeat.prepared;
}

const NONE = new Int32Array(0);
const NO_BYTES = new Uint8Array(0);

/** Compares records, of which most bodies have two. */
function areEqual(some: Int32Array, others: Int32Array): boolean {
  if (some.length !== others.length) return false;
  for (let at = 0; at < some.length; at++) if (some[at] !== others[at]) return false;
  return true;
}
