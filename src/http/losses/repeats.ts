/**
 * Runs a loss again that was prepared for an earlier body, because clients send the same options and shapes many times. A repetition has the
 * skeleton of the earlier body and its number spans at the same addresses, so only the numbers differ, which no check before the run reads.
 * A plan may therefore depend on nothing else: no setting, no element, and no header but Accept, of which only responses in JSON are repeated.
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
  readonly memory: NonNullable<Prepared["memory"]>;
}

/** Takes the loss that a body repeats, with its memory allocated, or undefined. `route` is the same as in {@link keepPrepared}. */
export function takePrepared(loss: LossContext, route: object, body: JsonBody): Prepared | undefined {
  const repeat = body.skeleton.repeat as Repeat | undefined;
  const { kernel, region } = loss;
  if (repeat === undefined || repeat.route !== route || repeat.kernel !== kernel) return undefined;
  const { start, bytes } = repeat.memory;
  if (start !== region.next || bytes > region.left) return undefined;
  if (!areEqual(repeat.records, body.records)) return undefined;
  body.skeleton.repeat = undefined;
  loss.timings.enter("compute");
  region.alloc(bytes);
  loss.input = repeat.input;
  loss.locate = repeat.prepared.responder.locate;
  return repeat.prepared;
}

/** Keeps the loss of a body for repetitions once it has run, unless it needed more memory than the request had reserved. */
export function keepPrepared(
  { kernel, input }: LossContext,
  route: object,
  { skeleton, records }: JsonBody,
  prepared: Prepared,
): Prepared {
  const { memory } = prepared;
  if (memory === undefined) return prepared;
  const onEnd = (): void => {
    skeleton.repeat = repeat;
  };
  const repeat: Repeat = {
    route,
    prepared: { ...prepared, onEnd },
    kernel,
    input,
    records: records.slice(),
    memory,
  };
  return repeat.prepared;
}

/** Compares records, of which most bodies have two. */
function areEqual(some: Int32Array, others: Int32Array): boolean {
  if (some.length !== others.length) return false;
  for (let at = 0; at < some.length; at++) if (some[at] !== others[at]) return false;
  return true;
}
