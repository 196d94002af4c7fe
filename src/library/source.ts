/** Sources of the library's kernels, which become a compiled module. */
import { hasRelaxedSimd, hasSimd } from "../kernel/simd.ts";
import { tagOf, wrong } from "./check.ts";
import type { KernelSource } from "./types.ts";

const EXPECTED = "a WebAssembly.Module, bytes, a URL, a Response, or a promise of one";

/** Compiles a source at once. Rejects those that must be fetched or awaited. */
export function compileSync(where: string, source: unknown): WebAssembly.Module {
  requireSimd();
  if (isModule(source)) return source;
  if (!isBytes(source)) throw wrong(where, "a WebAssembly.Module or bytes", source);
  try {
    return new WebAssembly.Module(source);
  } catch (error) {
    throw explained(error);
  }
}

/** Compiles a source. Fetches a URL, and compiles a Response while it arrives if its type is application/wasm. */
export async function compile(where: string, source: KernelSource): Promise<WebAssembly.Module> {
  requireSimd();
  const given: unknown = await source;
  if (isModule(given)) return given;
  try {
    if (isBytes(given)) return await WebAssembly.compile(given);
    return await compileResponse(where, isUrl(given) ? await fetch(given) : given);
  } catch (error) {
    throw explained(error);
  }
}

async function compileResponse(where: string, response: unknown): Promise<WebAssembly.Module> {
  if (!isResponse(response)) throw wrong(where, EXPECTED, response);
  const { ok, status, url, headers } = response;
  if (!ok) throw new Error(`${url}: expected the kernels, got HTTP status ${status}`);
  // Servers that do not know the type of .wasm files are common, and streaming rejects their responses.
  if (headers.get("content-type") === "application/wasm") return WebAssembly.compileStreaming(response);
  return WebAssembly.compile(await response.arrayBuffer());
}

function requireSimd(): void {
  if (!hasSimd()) throw new Error("the kernels need WebAssembly with SIMD, which this engine does not have");
}

/** Explains that the build with relaxed SIMD has been loaded into an engine without it. */
function explained(error: unknown): unknown {
  if (!(error instanceof WebAssembly.CompileError) || hasRelaxedSimd()) return error;
  const message =
    "these kernels need relaxed SIMD, which this engine does not have; load kernel-plain.wasm instead";
  return new Error(message, { cause: error });
}

function isTagged(value: unknown, tag: string): boolean {
  return typeof value === "object" && value !== null && tagOf(value) === tag;
}

function isUrl(value: unknown): value is string | URL {
  return typeof value === "string" || isTagged(value, "URL");
}

function isResponse(value: unknown): value is Response {
  return isTagged(value, "Response");
}

function isModule(value: unknown): value is WebAssembly.Module {
  return isTagged(value, "WebAssembly.Module");
}

function isBytes(value: unknown): value is BufferSource {
  return ArrayBuffer.isView(value) || isTagged(value, "ArrayBuffer") || isTagged(value, "SharedArrayBuffer");
}
