/** Memory that came back from a client that left, while its work waited for a turn. */
import { expect, it, onTestFinished } from "vitest";
import { turn } from "../../../src/http/turns.ts";
import { useService } from "../../support/service.ts";
import type { Connection } from "../../support/socket.ts";
import { dial, head } from "../../support/socket.ts";

const MiB = 1024 * 1024;
const PATTERN = 0x5a;
const service = useService({ memoryBudget: 64 * MiB });
const reserved = () => service().arena.reserved;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Uses up the turns of the event loop, so that other work waits for 300 ms, until the returned function is called. */
function useTurns(): () => void {
  let isOver = false;
  const use = async () => {
    while (!isOver) {
      await turn("begun");
      for (const end = performance.now() + 3; performance.now() < end && !isOver; );
    }
  };
  for (let worker = 0; worker < 100; worker++) void use();
  const giveUp = () => {
    isOver = true;
  };
  onTestFinished(giveUp);
  return giveUp;
}

const body = `{"dim":0,"input":[${"1.25,".repeat(60_000)}1]}`;
const large = `{"dim":0,"input":[${"1.25,".repeat(900_000)}1]}`;

it.each<[string, (client: Connection) => Promise<void>, (client: Connection) => void]>([
  [
    "the end of a JSON body",
    async ({ socket }) => {
      socket.write(head("/v1/log_softmax", body.length) + body.slice(0, 100_000));
      await expect.poll(reserved).toBeGreaterThan(0);
      await sleep(50);
    },
    ({ socket }) => void socket.write(body.slice(100_000)),
  ],
  [
    "pages of a response",
    async ({ socket, text }) => {
      socket.write(head("/v1/log_softmax", large.length) + large);
      await expect.poll(() => text().length, { interval: 1 }).toBeGreaterThan(0);
    },
    () => {},
  ],
])("%s is not written to returned memory", async (_title, begin, goOn) => {
  const client = await dial(service());
  await begin(client);
  const giveUp = useTurns();
  goOn(client);
  await sleep(100);
  client.socket.destroy();
  await expect.poll(reserved).toBe(0);
  const { arena, kernel } = service();
  const memory = kernel.u8.subarray(arena.start, arena.end);
  memory.fill(PATTERN);
  await sleep(700);
  giveUp();
  await sleep(300);
  expect(memory.findIndex((byte) => byte !== PATTERN)).toBe(-1);
});
