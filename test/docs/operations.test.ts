/** docs/operations.md lists the metrics and the log's fields of the server, and no others. */
import { once } from "node:events";
import { expect, it } from "vitest";
import { LOSSES } from "../../src/loss/names.ts";
import { readPage, tableOf } from "../support/blocks.ts";
import { startProcess } from "../support/process.ts";
import { dial, post as postBytes } from "../support/socket.ts";

const page = readPage("docs/operations.md");

const words = (cell: string): string[] => [...cell.matchAll(/`(\w+)`/g)].map(([, word]) => word!);

it("has every metric of a cluster with its type, labels and help", async () => {
  const { url } = await startProcess({ WORKERS: "2", DRAIN_LAG_MS: "0" });
  const text = await (await fetch(`${url}/metrics`)).text();
  const metrics = [...text.matchAll(/^# HELP (lossd_\w+) (.*)\n# TYPE \1 (\w+)\n((?:[^#\n].*\n)*)/gm)];
  const rows = metrics.map(([, name, help, type, samples]) => {
    const labels = new Set([...samples!.matchAll(/(\w+)="/g)].map(([, label]) => label!));
    labels.delete("le");
    return [`\`${name}\``, type, [...labels].sort().join(), help];
  });
  const listed = tableOf(page, "metric").map(([name, type, labels, help]) => [
    name,
    type,
    words(labels!).sort().join(),
    help,
  ]);
  expect(listed).toEqual(rows);
});

it("has every field of a request's line", async () => {
  const server = await startProcess({ WORKERS: "1", DRAIN_LAG_MS: "0", LOG_LEVEL: "debug" });
  const post = (body: string, headers: Record<string, string> = {}) =>
    fetch(`${server.url}/v1/log_softmax`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
    });
  await post("{");
  await post('{"input":[0],"dim":0}', { traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01` });
  await fetch(`${server.url}/nowhere`);
  const large = `{"dim":0,"input":[${"1,".repeat(999_999)}1]}`;
  const { socket } = await dial(server);
  socket.write(postBytes("/v1/log_softmax", large));
  await once(socket, "data");
  socket.destroy();
  const requests = () => server.lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === "request");
  await expect.poll(() => requests().length).toBe(4);
  const fields = new Set(requests().flatMap((line) => Object.keys(line)));
  expect(
    tableOf(page, "field")
      .flatMap(([names]) => words(names!))
      .sort(),
  ).toEqual([...fields].sort());
});

it("names the operations", () => {
  for (const name of LOSSES) expect(page).toContain(`\`${name}\``);
});
