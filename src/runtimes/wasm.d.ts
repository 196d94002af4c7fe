/** Modules that the runtime or a bundler has compiled. */
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
