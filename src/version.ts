import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";

/** Version in package.json. */
export const VERSION: string = JSON.parse(readFileSync(findPackageJSON(import.meta.url)!, "utf8")).version;
