/** Fields that an object should not have, with what was probably meant, and those that it lacks. */

import { nearest } from "../near.ts";
import type { ProblemError } from "../problems.ts";
import { ECHO, echo, pointerStep } from "../problems.ts";

/** What a schema says of an object's fields. */
export interface ObjectSchema {
  readonly properties: Readonly<Record<string, unknown>>;
  readonly required?: readonly string[];
}

/** What was found: the places that an answer names, and how many there are. */
export interface FieldFaults {
  readonly places: readonly ProblemError[];
  readonly count: number;
}

/** Places that an answer names. */
const MOST = 10;

/**
 * The unknown fields of the object at `pointer`, then the missing ones. Of the client's names no more is repeated than of any text; those in
 * `unoffered` are never said to be meant.
 */
export function findFaults(
  object: object,
  pointer: string,
  { properties, required = [] }: ObjectSchema,
  unoffered: readonly string[] = [],
): FieldFaults {
  const known = new Set(Object.keys(properties));
  const offered = [...known].filter((name) => !unoffered.includes(name));
  const unknown = Object.keys(object).filter((name) => !known.has(name));
  const missing = required.filter((name) => !Object.hasOwn(object, name));
  const places: ProblemError[] = [];
  let room = ECHO;
  let isListed = false;
  for (const name of unknown) {
    if (room <= 0 || places.length >= MOST - missing.length) break;
    const meant = nearest(name, offered);
    const list = isListed ? "" : `; expected ${offered.join(", ")}`;
    const hint = meant === undefined ? list : `; did you mean ${meant}?`;
    places.push({ pointer: `${pointer}/${pointerStep(echo(name, room))}`, detail: `unknown field${hint}` });
    isListed ||= meant === undefined;
    room -= name.length;
  }
  for (const name of missing) places.push({ pointer: `${pointer}/${name}`, detail: "required, but missing" });
  return { places, count: unknown.length + missing.length };
}
