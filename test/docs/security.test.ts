/** SECURITY.md says what is: its counts, its files. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";

const page = readFileSync(new URL("../../SECURITY.md", import.meta.url), "utf8");

it("states the number of production packages", () => {
  const { dependencies } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const { packages } = JSON.parse(readFileSync(new URL("../../package-lock.json", import.meta.url), "utf8"));
  const production = Object.entries<{
    dev?: boolean;
    optional?: boolean;
    peer?: boolean;
    devOptional?: boolean;
  }>(packages)
    .filter(([name, { dev, optional, devOptional }]) => name !== "" && !dev && !optional && !devOptional)
    .map(([name]) => name.slice(name.lastIndexOf("node_modules/") + "node_modules/".length));
  const all = new Set(production);
  expect(page).toContain(`${Object.keys(dependencies).length} direct and ${all.size} production packages`);
});

it("names files that exist", () => {
  const paths = [...page.matchAll(/`(src\/[\w./-]+)`/g)].map(([, path]) => path!);
  expect(paths.length).toBeGreaterThan(10);
  for (const path of paths) expect(existsSync(new URL(`../../${path}`, import.meta.url)), path).toBe(true);
});

it("has an SBOM of what production installs", () => {
  const cwd = new URL("../..", import.meta.url).pathname;
  const args = ["sbom", "--package-lock-only", "--omit=dev", "--sbom-format", "cyclonedx"];
  const { components } = JSON.parse(execFileSync("npm", args, { cwd, encoding: "utf8", maxBuffer: 2 ** 26 }));
  expect(components.map(({ name }: { name: string }) => name)).toContain("fastify");
});

it("says of the only package with an install script what it fetches, and what works without", () => {
  const { packages } = JSON.parse(readFileSync(new URL("../../package-lock.json", import.meta.url), "utf8"));
  const scripted = Object.entries<{ hasInstallScript?: boolean; optional?: boolean }>(packages)
    .filter(([, { hasInstallScript, optional }]) => hasInstallScript && !optional)
    .map(([name]) => name);
  expect(scripted).toEqual(["node_modules/node"]);
  expect(page).toContain("development package `node`, whose install script fetches the Node 24");
  expect(page).toContain("`npm ci --ignore-scripts`");
});
