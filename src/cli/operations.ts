/** The operations, by the names under which `lossd send` asks for them; the first one is meant where none is named. */
export const OPERATIONS = ["cross_entropy", "nll_loss", "log_softmax"] as const;
