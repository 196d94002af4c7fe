// WebAssembly module with all arithmetic on tensors.
export * from "./convert";
export * from "./fold";
export * from "./logits";
export * from "./kl-div";
export * from "./base64";
export { gatherStep, scatterStep } from "./gather";
export { lineSumsBytes } from "./line-sums";
export { picksBytes } from "./picks";
export { topKStep } from "./top-k";
export * from "./print";
export { powersAt, scalesAt } from "./powers";
export { fillReadTables } from "./read/modes";
export * from "./scan";
export { __heap_base as heapBase };
