/** The operations by the names under which `lossd send` asks for them. */
import { LOSSES } from "../loss/names.ts";

const DEFAULT = "cross_entropy";

/** The default first. */
export const OPERATIONS = [DEFAULT, ...LOSSES.toReversed().filter((name) => name !== DEFAULT)];
