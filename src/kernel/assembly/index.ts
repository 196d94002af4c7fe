// WebAssembly module of the server: the losses and the texts.
export * from "./losses";
export * from "./base64";
export * from "./print";
export { powersAt, scalesAt } from "./powers";
export { fillReadTables } from "./read/modes";
export * from "./scan";
