/** Adds real.rs to the models of the Rust SDK, because the generator omits schemas that settings map. */
import { appendFileSync, copyFileSync } from "node:fs";

const SETTINGS = new URL("./real.rs", import.meta.url);
const MODELS = new URL("../../sdk/rust/src/models/", import.meta.url);

copyFileSync(SETTINGS, new URL("real.rs", MODELS));
appendFileSync(
  new URL("mod.rs", MODELS),
  "mod real;\npub use self::real::{floats, reals, Real};\npub use self::real::Real as ResultReal;\n",
);
