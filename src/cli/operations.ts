/** The operations by the names under which `lossd send` asks for them. */
import { LOSSES } from "../loss/names.ts";

/** The default first. */
export const OPERATIONS = LOSSES.toReversed();
