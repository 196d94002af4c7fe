// WebAssembly module of the library: all arithmetic on tensors.
export * from "./convert";
export * from "./fold";
export * from "./logits";
export * from "./kl-div";
export { gatherStep, scatterStep } from "./gather";
export { lineSumsBytes } from "./line-sums";
export { picksBytes } from "./picks";
export { topKStep } from "./top-k";
export { __heap_base as heapBase };
