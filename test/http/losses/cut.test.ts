/** A proxy such as nginx ends an exchange whose answer begins before its request has ended. */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { tensor, writeTestFile } from "../../conformance/files.ts";
import { useService } from "../../support/service.ts";
import { dial, head } from "../../support/socket.ts";

const lines: string[] = [];
const service = useService({ bodyLimit: 16 * 1024, log: (line) => void lines.push(line) });

const BODY = writeTestFile({ input: tensor("float32", [400, 1000], (at) => at % 7) });

it.each(["destroy", "resetAndDestroy"] as const)(
  "a connection that closes (%s) while rows come and their answers leave has one line in the log beside its request's, without a stack",
  async (close) => {
    lines.length = 0;
    const { socket, text } = await dial(service());
    socket.write(head("/v1/log_softmax?dim=1", BODY.length, "content-type: application/vnd.safetensors\r\n"));
    socket.write(BODY.subarray(0, BODY.length / 2));
    await once(socket, "data");
    expect(text()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    socket[close]();
    const about = () => lines.map((line) => JSON.parse(line)).filter(({ reqId }) => reqId !== undefined);
    await expect.poll(() => about().length).toBe(2);
    await sleep(200);
    const request = about().find(({ msg }) => msg === "request");
    const cut = about().find(({ msg }) => msg !== "request");
    expect(cut).toMatchObject({ level: 40, operation: "log_softmax" });
    expect(cut.msg).toMatch(
      /^the connection closed while the request was still sent and its response had begun: /,
    );
    expect(request).toMatchObject({ msg: "request", operation: "log_softmax", status: 200, aborted: true });
    expect(lines.join("")).not.toContain("stack");
    expect(about()).toHaveLength(2);
    await expect.poll(() => service().arena.reserved).toBe(0);
  },
);
