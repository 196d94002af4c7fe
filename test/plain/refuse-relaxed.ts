/** An engine that refuses relaxed SIMD: the loader of the kernels has to take the plain build. */

import { readFileSync } from "node:fs";

const relaxed = readFileSync(new URL("../../src/kernel/kernel.wasm", import.meta.url));

WebAssembly.Module = class extends WebAssembly.Module {
  constructor(bytes: BufferSource) {
    if (ArrayBuffer.isView(bytes) && relaxed.equals(bytes as Buffer)) {
      throw new WebAssembly.CompileError("invalid SIMD opcode 0x105, enable with relaxed SIMD");
    }
    super(bytes);
  }
};
