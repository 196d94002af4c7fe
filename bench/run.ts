/**
 * Measures every bar in one run: `npm run bench` measures all and writes RESULTS.md. `npm run bench -- P1 P7` measures some and only prints,
 * like `npm run bench -- profile` with the profile's tables.
 */
import { execFileSync } from "node:child_process";
import { cpus } from "node:os";
import { bypassProxies } from "../build/processes.ts";
import { VERSION } from "../src/version.ts";
import { accuracyBars, errorTable, measureErrors } from "./accuracy.ts";
import { gridBars, gridTable, measureGrid } from "./accuracy-grid.ts";
import type { Row } from "./bars.ts";
import { BARS, barTable, shortfalls } from "./bars.ts";
import type { Bench } from "./folds.ts";
import { openBench } from "./folds.ts";
import { kernelBars, narrowBars } from "./kernel-bars.ts";
import { CONNECTIONS, GENERATOR } from "./load.ts";
import { memoryBars } from "./memory.ts";
import { openOnnx } from "./peers/onnx.ts";
import type { KernelPeer } from "./peers/peer.ts";
import { openTensorFlow } from "./peers/tfjs.ts";
import { openTorch } from "./peers/torch.ts";
import { sizeTable, stageTable } from "./profile.ts";
import type { Section } from "./results.ts";
import { plainTable, writeResults } from "./results.ts";
import { serviceBars, startBars } from "./service-bars.ts";

const PROFILE = "profile";
const ALL = [...Object.keys(BARS), PROFILE];
/** Memory for 10^8 float32 logits and their gradient. */
const MEMORY_BYTES = 2 ** 30;

const ERRORS =
  "2000 rows of 1000 classes each, against float64; ulp: units in the last place of the true value as float32.";
const GRID =
  "The worst relative error against float64, ours / PyTorch's float32: logits of -gap - [0, 1) beside a target of 0, first, in the middle and last.";
const SIZES = "float32, the best of many runs, the check of class indices included.";
const STAGES =
  "Read: bytes to doubles. Compute: doubles to float32, loss. Print: the response to text. Over HTTP: the time between two responses of the server, including the socket, Fastify and the validation of options.";
const INTRODUCTION =
  "Written by `npm run bench`; [README.md](README.md) explains the ratios. Compare within one run only.";

bypassProxies();
const given = process.argv.slice(2);
const unknown = given.filter((name) => !ALL.includes(name));
if (unknown.length > 0) {
  console.error(`no such row: ${unknown.join(", ")}; expected some of ${ALL.join(", ")}`);
  process.exit(1);
}
const wanted: ReadonlySet<string> = new Set(given.length > 0 ? given : ALL);
const wants = (...names: readonly string[]): boolean => names.some((name) => wanted.has(name));

const torch = wants("P1", "P2", "P3", "P11") ? await openTorch() : undefined;
const peers = wants("P1", "P2", "P3") ? await openPeers() : [];
const bench = openBench(MEMORY_BYTES);
const { rows, sections } = await measureBars(bench);
if (wants(PROFILE)) sections.push(...(await measureProfile(bench)));
for (const peer of [torch, ...peers]) if (peer !== undefined && typeof peer !== "string") peer.close();
const short = shortfalls(rows);
console.log(short.length === 0 ? "No measured bar falls short." : `Falls short:\n${short.join("\n")}`);
if (given.length === 0) writeResults([...describeRun(), barSection(rows, short), ...sections]);

/** Whether one of these rows is selected; prints the progress. */
function begins(...names: readonly string[]): boolean {
  if (!wants(...names)) return false;
  const seconds = Math.round(performance.now() / 1000);
  const at = [...wanted].findIndex((name) => names.includes(name)) + 1;
  console.log(`[${at}/${wanted.size}, ${seconds} s] ${names.filter((name) => wanted.has(name)).join(", ")}`);
  return true;
}

/** Opens the kernels' peers; returns the names of absent ones. */
async function openPeers(): Promise<readonly (KernelPeer | string)[]> {
  return [
    torch ?? "PyTorch",
    (await openOnnx()) ?? "ONNX Runtime",
    (await openTensorFlow()) ?? "TensorFlow.js WASM",
  ];
}

async function measureBars(engine: Bench): Promise<{ rows: Row[]; sections: Section[] }> {
  const all: Row[] = [];
  const more: Section[] = [];
  const add = (found: readonly Row[]): void => {
    all.push(...found);
    if (found.length > 0) console.log(`${plainTable(barTable(found))}\n`);
  };
  if (begins("P1", "P2", "P3")) add(await kernelBars(engine, peers, wanted));
  if (begins("P4")) add(await narrowBars(engine));
  if (begins("P5", "P6", "P7", "P8")) add(await serviceBars(wanted));
  if (begins("P9")) add(await memoryBars());
  if (begins("P10")) add(await startBars());
  if (begins("P11")) {
    const lines = await measureErrors(torch);
    add(accuracyBars(lines));
    more.push(
      show({ title: "## Worst errors by distribution (P11)", text: ERRORS, table: errorTable(lines) }),
    );
    const cells = await measureGrid(torch);
    add(gridBars(cells));
    for (const quantity of ["loss", "gradient"] as const) {
      const title = `## The ${quantity} at a dominant target (P11)`;
      more.push(show({ title, text: GRID, table: gridTable(cells, quantity) }));
    }
  }
  return { rows: all, sections: more };
}

async function measureProfile(engine: Bench): Promise<Section[]> {
  const sizes = { title: "## The kernels' cost by size", text: SIZES, table: sizeTable(engine) };
  return [
    show(sizes),
    show({ title: "## The stages of a request", text: STAGES, table: await stageTable(engine) }),
  ];
}

function show(section: Section): Section {
  console.log(`${section.title}\n${plainTable(section.table ?? [])}\n`);
  return section;
}

function describeRun(): Section[] {
  const { length: cores, 0: cpu } = cpus();
  const facts = [
    ["", ""],
    ["date", new Date().toISOString().slice(0, 10)],
    ["machine", `${cpu?.model.trim()}, ${cores} cores`],
    ["Node", process.version],
    ["lossd", `${VERSION} (commit ${commit()})`],
    ...peers.map((peer) => (typeof peer === "string" ? [peer, "absent"] : [peer.name, peer.version])),
    ["load", `${GENERATOR}, ${CONNECTIONS} connections`],
  ];
  return [{ title: "# Results", text: INTRODUCTION, table: facts }];
}

function commit(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  } catch {
    return "unknown";
  }
}

function barSection(all: readonly Row[], missed: readonly string[]): Section {
  const text =
    missed.length === 0
      ? "No measured bar falls short."
      : `Falls short:\n\n${missed.map((line) => `- ${line}`).join("\n")}`;
  return { title: "## Bars", text, table: barTable(all) };
}
