// WebAssembly module of the library: all arithmetic on tensors.
export { convert } from "./convert";
export * from "./fold";
export * from "./kl-div";
export * from "./logits";
export { nllStep } from "./nll";
export * from "./targets";
export { gatherStep, scatterStep } from "./gather";
export { lineSumsBytes } from "./line-sums";
export { picksBytes } from "./picks";
export { topKStep } from "./top-k";
export { __heap_base as heapBase };
