/** Entry for Cloudflare Workers, which compile modules at their upload only. */
import { setSource } from "../library/instance.ts";
import module from "./kernel.wasm";

export * from "../index.ts";

setSource(() => module);
