/** Operations of `lossd send`. The first is the default. */
export const OPERATIONS = ["cross_entropy", "nll_loss", "log_softmax"] as const;
