/** A server in front of the service, as programs meet them: it hands on what comes, and what goes back in its own manner. */
import type { Server } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll } from "vitest";

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}
/** What becomes of an answer; undefined is a closed connection. */
export type Manner = (answer: Answer) => Answer | undefined;

export interface Front {
  readonly url: string;
  /** The address of the service. */
  target: string;
  manner: Manner;
}

export const asItIs: Manner = (answer) => answer;

/** As a later version of the service may answer: more fields in each object, another code. */
export const asLaterVersion: Manner = ({ status, type, text }) => ({
  status,
  type,
  text: JSON.stringify(grown(JSON.parse(text))),
});

function grown(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(grown);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).map(([name, member]) => [name, grown(member)]);
  const code = "code" in value ? { code: "a_later_code" } : {};
  return { ...Object.fromEntries(members), ...code, later: { numbers: [1] } };
}

/** In the place of a refusal, the page of a proxy. */
export const asProxy =
  (status: number): Manner =>
  (answer) =>
    answer.status === 422 ? { status, type: "text/html", text: "<html>Not here</html>" } : answer;

/** In the place of a refusal, nothing. */
export const asGone: Manner = (answer) => (answer.status === 422 ? undefined : answer);

/** A front for all tests of a file. */
export function useFront(): () => Front {
  let server: Server;
  let front: Front;
  beforeAll(async () => {
    server = createServer(async (request, response) => {
      const { authorization = "", "content-type": type = "" } = request.headers;
      const answer = await fetch(front.target + request.url, {
        method: request.method!,
        headers: { authorization, "content-type": type },
        body: Buffer.concat(await request.toArray()),
      });
      const contentType = answer.headers.get("content-type") ?? "";
      const given = { status: answer.status, type: contentType, text: await answer.text() };
      const taken = front.manner(given);
      if (taken === undefined) response.destroy();
      else response.writeHead(taken.status, { "content-type": taken.type }).end(taken.text);
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const { port } = server.address() as AddressInfo;
    front = { url: `http://127.0.0.1:${port}`, target: "", manner: asItIs };
  });
  afterAll(() => server.close());
  return () => front;
}
