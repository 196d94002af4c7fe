/** Posts a file repeatedly: `node load-worker.ts <url> <file> <content-type> <seconds> <connections>` prints the responses a second. */
import { readFileSync } from "node:fs";
import { Pool } from "undici";

const [target = "", file = "", type = "", seconds = "1", connections = "1"] = process.argv.slice(2);
const url = new URL(target);
const pool = new Pool(url.origin, { connections: Number(connections) });
const body = readFileSync(file);
const headers = { "content-type": type };

const start = performance.now();
const end = start + Number(seconds) * 1000;
let responses = 0;
await Promise.all(Array.from({ length: Number(connections) }, post));
process.stdout.write(String((responses / (performance.now() - start)) * 1000));
await pool.close();

async function post(): Promise<void> {
  while (performance.now() < end) {
    const response = await pool.request({ method: "POST", path: url.pathname, headers, body });
    if (response.statusCode >= 300) throw new Error(`${target}: ${await response.body.text()}`);
    await response.body.dump({ limit: Number.MAX_SAFE_INTEGER });
    responses++;
  }
}
