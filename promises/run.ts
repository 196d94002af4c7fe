/** `npm run promise R7` proves the named promises; `npm run promises` proves all and writes their values to PROMISES.md. */
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { bypassProxies } from "../build/processes.ts";
import { PROMISES } from "./all.ts";
import type { Promised, Proof } from "./promise.ts";

bypassProxies();
const PAGE = fileURLToPath(new URL("../PROMISES.md", import.meta.url));
const given = process.argv.slice(2);
const unknown = given.filter((id) => !PROMISES.some((promised) => promised.id === id));
if (unknown.length > 0) {
  console.error(
    `no such promise: ${unknown.join(", ")}; expected ${PROMISES.map(({ id }) => id).join(", ")}`,
  );
  process.exit(1);
}

const chosen = PROMISES.filter(({ id }) => given.length === 0 || given.includes(id));
const rows: string[] = [];
let broken = 0;
for (const [at, promised] of chosen.entries()) {
  const { id, text } = promised;
  process.stdout.write(`[${at + 1}/${chosen.length}] ${id} ${text}\n`);
  const start = performance.now();
  const proof = await prove(promised);
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  process.stdout.write(`    ${verdict(proof)}: ${proof.value} (${seconds} s)\n`);
  if (proof.holds === false) broken++;
  rows.push(`| ${id} | ${text} | ${proof.value} | ${verdict(proof)} |`);
}
if (given.length === 0) writePage(rows);
console.log(broken === 0 ? "every promise holds" : `${broken} of ${rows.length} do not hold`);
process.exitCode = broken === 0 ? 0 : 1;

function verdict({ holds }: Proof): string {
  if (holds === undefined) return "not proved";
  return holds ? "holds" : "DOES NOT HOLD";
}

async function prove({ prove: run }: Promised): Promise<Proof> {
  try {
    return await run();
  } catch (error) {
    return { value: `the proof failed: ${(error as Error).message.split("\n")[0]}`, holds: false };
  }
}

/** Replaces the table of the page; the text around it is maintained by hand. */
function writePage(table: readonly string[]): void {
  const page = readFileSync(PAGE, "utf8");
  const day = new Date().toISOString().slice(0, 10);
  const { length, 0: cpu } = cpus();
  const text = `Last proved on ${day}, ${cpu?.model.trim()}, ${length} cores, Node ${process.version}.

| | promise | last value | result |
|---|---|---|---|
${table.join("\n")}
`;
  writeFileSync(
    PAGE,
    page.replace(/<!-- table -->\n[\s\S]*<!-- end -->/, `<!-- table -->\n${text}<!-- end -->`),
  );
}
