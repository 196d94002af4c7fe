/**
 * Names the released image in the chart's values, by its digest, before the chart is packaged:
 * `node build/release/pin-image.ts ghcr.io/example/lossd sha256:...`.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { parseDocument } from "yaml";

/** Returns the text of values.yaml with this image, and with its comments. Rejects anything but a digest. */
export function pinImage(values: string, repository: string, digest: string): string {
  if (!/^sha256:[0-9a-f]{64}$/.test(digest))
    throw new Error(`expected a digest like sha256:..., got ${digest}`);
  const document = parseDocument(values);
  document.setIn(["image", "repository"], repository);
  document.setIn(["image", "digest"], digest);
  return document.toString({ lineWidth: 0 });
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const file = new URL("../../deploy/helm/lossd/values.yaml", import.meta.url);
  const [, , repository = "", digest = ""] = argv;
  writeFileSync(file, pinImage(readFileSync(file, "utf8"), repository, digest));
}
