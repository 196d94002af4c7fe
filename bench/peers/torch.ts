/** PyTorch as a peer, in a Python process controlled through a pipe. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { fixedEnvironment } from "../../build/processes.ts";
import type { Contender } from "../measure.ts";
import type { KernelPeer, Task } from "./peer.ts";

/** Python with torch. */
const PYTHON = process.env.LOSSD_BENCH_PYTHON ?? "python3";
const SCRIPT = fileURLToPath(new URL("torch_bench.py", import.meta.url));

/** Folder for rows of the error comparison and PyTorch's results. */
export interface RowFiles {
  readonly rows: number;
  readonly classes: number;
  readonly input: string;
  readonly target: string;
  readonly output: string;
}

/** Starts Python; undefined if it or torch is absent. */
export async function openTorch(): Promise<Torch | undefined> {
  const child = spawn(PYTHON, [SCRIPT], {
    env: fixedEnvironment(),
    stdio: ["pipe", "pipe", "ignore"],
  });
  const started = await new Promise((resolve) =>
    child.once("spawn", () => resolve(true)).once("error", () => resolve(false)),
  );
  if (started === false) return undefined;
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const first = await lines.next();
  if (first.done) return undefined;
  const { version, python } = JSON.parse(first.value) as { version: string; python: string };
  return new Torch(child.stdin, lines, `${version} (Python ${python})`);
}

export class Torch implements KernelPeer {
  readonly name = "PyTorch";
  readonly version: string;
  readonly #stdin: Writable;
  readonly #lines: AsyncIterator<string>;

  constructor(stdin: Writable, lines: AsyncIterator<string>, version: string) {
    this.#stdin = stdin;
    this.#lines = lines;
    this.version = version;
  }

  async prepare(task: Task): Promise<Contender> {
    await this.#ask({ do: "prepare", ...task });
    return {
      name: this.name,
      measure: async (time) => ((await this.#ask({ do: "measure", time })) as { best: number }).best,
    };
  }

  /** Computes log_softmax, the losses and the gradient of their sum for rows in files. */
  async computeRows(files: RowFiles): Promise<void> {
    await this.#ask({ do: "accuracy", ...files });
  }

  close(): void {
    this.#stdin.end();
  }

  async #ask(request: Readonly<Record<string, unknown>>): Promise<unknown> {
    this.#stdin.write(`${JSON.stringify(request)}\n`);
    const { done, value } = await this.#lines.next();
    if (done) throw new Error(`PyTorch ended at ${JSON.stringify(request)}`);
    return JSON.parse(value);
  }
}
