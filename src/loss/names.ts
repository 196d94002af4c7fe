/** The losses by PyTorch's names: paths, models, the command line and their tables have an entry for each, which the compiler checks. */
export const LOSSES = ["log_softmax", "nll_loss", "cross_entropy", "kl_div"] as const;

export type LossName = (typeof LOSSES)[number];
