/** Lists every promise in the order of their numbers. */
import { CLIENTS } from "./clients.ts";
import { EARLY_ERRORS } from "./early-errors.ts";
import { LIFE } from "./life.ts";
import { LOAD } from "./load.ts";
import type { Promised } from "./promise.ts";
import { REPLICAS } from "./replicas.ts";
import { TESTED } from "./tested.ts";

export const PROMISES: readonly Promised[] = [
  ...LOAD,
  ...CLIENTS,
  ...EARLY_ERRORS,
  ...LIFE,
  ...REPLICAS,
  ...TESTED,
].toSorted((a, b) => Number(a.id.slice(1)) - Number(b.id.slice(1)));
