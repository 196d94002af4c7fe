/** How `npm run build` puts its folder into place: under a server that runs from it. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";

const read = (file: string): string => readFileSync(new URL(`../${file}`, import.meta.url), "utf8");

it("touches dist with its last step alone", () => {
  const steps = (JSON.parse(read("package.json")).scripts.build as string).split(" && ");
  expect(steps.at(-1)).toBe("node build/swap.ts dist.new dist");
  for (const step of steps.slice(0, -1)) expect(step).not.toMatch(/\bdist(?!\.new\b)/);
  for (const file of [
    "tsconfig.build.json",
    "rolldown.config.ts",
    "build/guide.ts",
    "build/prune.ts",
    "build/warm.ts",
  ])
    expect(read(file), file).not.toMatch(/["`/]dist(?!\.new\b)[/"`]/);
});

it("leaves the new files there and nothing else, whether there were old ones or not", () => {
  const folder = mkdtempSync(join(tmpdir(), "lossd-swap-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const name of ["one", "two", "three"]) {
    mkdirSync(join(folder, "new/inner"), { recursive: true });
    writeFileSync(join(folder, "new/inner", name), name);
    execFileSync(process.execPath, ["build/swap.ts", join(folder, "new"), join(folder, "place")]);
    expect(readdirSync(folder)).toEqual(["place"]);
    expect(readdirSync(join(folder, "place/inner"))).toEqual([name]);
  }
});
