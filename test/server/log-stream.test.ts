/** The log's destination, with outputs that fail, block and write parts. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import type { LogOutput } from "../../src/server/log-output.ts";
import { LogStream } from "../../src/server/log-stream.ts";

const BLOCKED = Object.assign(new Error("blocked"), { code: "EAGAIN" });
const FULL = Object.assign(new Error("full"), { code: "ENOSPC" });

/** An output that takes so many bytes of each write, or fails with an error; without more steps, all. */
function output(size: number, steps: (number | Error)[] = [], takesAll = false) {
  let text = "";
  let writes = 0;
  const take = (bytes: Buffer): number => {
    const step = steps.shift() ?? bytes.length;
    if (step instanceof Error) throw step;
    const taken = bytes.subarray(0, step);
    text += taken;
    return taken.length;
  };
  const made: LogOutput = {
    size,
    takesAll,
    write(bytes, done) {
      writes++;
      setImmediate(() => {
        try {
          done(null, take(bytes));
        } catch (error) {
          done(error as Error, 0);
        }
      });
    },
    writeSync: take,
  };
  return { output: made, text: () => text, writes: () => writes };
}

/** An output whose write never ends, as that to a stuck pipe. */
const STUCK: LogOutput = {
  size: 4096,
  takesAll: false,
  write: () => {},
  writeSync: () => {
    throw BLOCKED;
  },
};

it.each([16, 100, 4096])("writes 1,000 lines in order, in writes of %s bytes", async (size) => {
  const { output: made, text } = output(size);
  const sink = new LogStream(made);
  const lines = Array.from({ length: 1000 }, (_, at) => `{"line":${at},"text":"é"}\n`);
  for (const line of lines) sink.write(line);
  await sink.end();
  expect(text()).toBe(lines.join(""));
  expect(sink.dropped).toEqual({ buffer_full: 0, write_error: 0 });
});

it("writes all that waits at once to an output that takes it, so that no turn of the event loop limits it", async () => {
  const { output: made, text, writes } = output(64, [], true);
  const sink = new LogStream(made);
  const lines = Array.from({ length: 1000 }, (_, at) => `{"line":${at}}\n`);
  for (const line of lines) sink.write(line);
  await sink.end();
  expect(text()).toBe(lines.join(""));
  // The first piece, then the others, but for the last if it was not complete.
  expect(writes()).toBeLessThanOrEqual(3);
});

it("writes a line within 0.2 s although no other follows", async () => {
  const { output: made, text } = output(4096);
  new LogStream(made).write("one\n");
  await sleep(200);
  expect(text()).toBe("one\n");
});

it("keeps 1 MiB of 100 MiB of lines for an output that is stuck, and counts the others", () => {
  const sink = new LogStream(STUCK);
  const line = `${"x".repeat(1023)}\n`;
  for (let count = 0; count < 102_400; count++) sink.write(line);
  expect(sink.dropped).toEqual({ buffer_full: 102_400 - 1024, write_error: 0 });
});

it("counts the lines of a write that fails, and writes those after it", async () => {
  const { output: made, text } = output(8, [FULL]);
  const sink = new LogStream(made);
  for (const line of ["a\n", "b\n", "c\n", "d\n", "e\n", "f\n"]) sink.write(line);
  await sink.end();
  expect(text()).toBe("e\nf\n");
  expect(sink.dropped).toEqual({ buffer_full: 0, write_error: 4 });
});

it("begins a new line after one that was torn by an error", async () => {
  const { output: made, text } = output(8, [6, FULL]);
  const sink = new LogStream(made);
  for (const line of ["abc\n", "def\n", "ghi\n"]) sink.write(line);
  await sink.end();
  expect(text()).toBe("abc\nde\nghi\n");
  expect(sink.dropped).toEqual({ buffer_full: 0, write_error: 1 });
});

it("counts each line once while writes fail behind one that was torn", async () => {
  const { output: made, text } = output(64, [4, FULL, FULL, FULL]);
  const sink = new LogStream(made);
  for (const line of ["torn line\n", "lost\n", "lost, too\n", "kept\n"]) {
    sink.write(line);
    await sink.end();
  }
  expect(text()).toBe("torn\nkept\n");
  expect(sink.dropped).toEqual({ buffer_full: 0, write_error: 3 });
});

it("tries a blocked write again, and drops nothing", async () => {
  const { output: made, text } = output(8, [3, BLOCKED, BLOCKED]);
  const sink = new LogStream(made);
  for (const line of ["abc\n", "def\n", "ghi\n"]) sink.write(line);
  await sink.end();
  expect(text()).toBe("abc\ndef\nghi\n");
  expect(sink.dropped).toEqual({ buffer_full: 0, write_error: 0 });
});

it("gives the last flush up after 1 s, at once where a write has been stuck for so long", async () => {
  const sink = new LogStream(STUCK);
  sink.write("one\n");
  sink.flush();
  const start = performance.now();
  await sink.end();
  const first = performance.now() - start;
  expect(first).toBeGreaterThan(900);
  expect(first).toBeLessThan(1500);
  await sink.end();
  expect(performance.now() - start - first).toBeLessThan(100);
  // Nor does the exit wait again.
  sink.write("two\n");
  sink.endSync();
  expect(performance.now() - start - first).toBeLessThan(100);
});

it("writes at the exit what waits: in parts, past blocked writes, and not past an error", () => {
  const { output: made, text } = output(8, [3, BLOCKED, 5]);
  const sink = new LogStream(made);
  sink.write("abcdefghijk\n");
  sink.endSync();
  expect(text()).toBe("abcdefghijk\n");
  const full = output(8, [FULL]);
  const other = new LogStream(full.output);
  other.write("abc\n");
  other.endSync();
  expect(full.text()).toBe("");
});

it("waits at the exit for a blocked output for 1 s at most", () => {
  const sink = new LogStream({ ...STUCK, size: 4096 });
  sink.write("abc\n");
  const start = performance.now();
  sink.endSync();
  expect(performance.now() - start).toBeLessThan(1500);
});
