/**
 * Nearly the last step of `npm run build`: starts the server once, asks it what `lossd check` asks, and stops it, so that Node leaves the code that
 * it compiled in its folder cache. With it a process answers 60 ms sooner.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { check } from "../src/cli/check.ts";
import { ENGINE_FLAGS } from "../src/group.ts";

const dist = (path: string): string => fileURLToPath(new URL(`../dist.new/${path}`, import.meta.url));

mkdirSync(dist("cache"));
const args = [...ENGINE_FLAGS, dist("main.js"), "--port", "0", "--workers", "1", "--drain-lag-ms", "0"];
const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
const ended = once(child, "exit");
const url = await new Promise<string>((resolve, reject) => {
  createInterface(child.stdout).on("line", (line) => {
    const found = /listening at (http:[^"]+)/.exec(line);
    if (found !== null) resolve(found[1]!);
  });
  child.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
});
let report = "";
const failed = await check(
  { name: "check", url: new URL(url), tokenFile: undefined, timeout: 10_000, json: false },
  {
    out: async (text) => {
      report += text;
    },
    err: () => {},
    isLive: false,
    stopped: new AbortController().signal,
    folder: ".",
  },
);
child.kill("SIGTERM");
await ended;
if (failed) throw new Error(report);
