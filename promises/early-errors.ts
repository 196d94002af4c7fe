/** The promise about errors before the end of a body, directly and behind nginx. */

import { dial } from "./connection.ts";
import { hasNginx, NO_NGINX, startNginx } from "./nginx.ts";
import type { Promised, Proof } from "./promise.ts";
import { freePort, waitFor, withServer } from "./server.ts";

const MB = 1024 * 1024;
const CLIENTS = 100;
const BODY_PIECES = 8;
const PIECE = "1".repeat(MB);

/** Errors before the body: too large, of another type, to an unknown path. */
const ERRORS = [
  [413, "/v1/cross_entropy", "application/json"],
  [415, "/v1/cross_entropy", "text/plain"],
  [404, "/v1/mse_loss", "application/json"],
] as const;

/** Version and fields by which a client says whether the connection stays open. */
const MANNERS = [
  ["keep-alive", "1.1", ""],
  ["Connection: close", "1.1", "connection: close\r\n"],
  ["HTTP/1.0", "1.0", ""],
] as const;

type Manner = (typeof MANNERS)[number];

/** Directives beside proxy_pass. */
const PROXIES = [
  ["nginx", ""],
  ["nginx without buffering", "proxy_request_buffering off; proxy_buffering off;"],
] as const;

/** Clients of 100 that write 8 MiB before they read, and receive the whole error. */
async function countSeen(port: number, [, version, fields]: Manner): Promise<number> {
  let seen = 0;
  for (let client = 0; client < CLIENTS; client++) {
    const [status, path, type] = ERRORS[client % ERRORS.length]!;
    const line = await dial(port);
    line.socket.pause();
    line.socket.write(
      `POST ${path} HTTP/${version}\r\nhost: x\r\ncontent-type: ${type}\r\ncontent-length: ${BODY_PIECES * MB}\r\n${fields}\r\n`,
    );
    for (let k = 0; k < BODY_PIECES; k++) await new Promise((resolve) => line.socket.write(PIECE, resolve));
    line.socket.resume();
    const whole = new RegExp(`^HTTP/1.1 ${status} [\\s\\S]*"request_id":"[^"]+"\\}$`);
    if (await line.until(whole, 2000)) seen++;
    line.socket.destroy();
  }
  return seen;
}

/** Counts the same behind nginx with its defaults, except for its own limit of 1 MiB. */
async function countBehindNginx(port: number, directives: string): Promise<number> {
  const front = await freePort();
  const nginx = startNginx(`
  client_max_body_size 0;
  server {
    listen 127.0.0.1:${front};
    location / {
      proxy_pass http://127.0.0.1:${port};
      ${directives}
    }
  }`);
  try {
    const isReady = () => fetch(`http://127.0.0.1:${front}/health/ready`).then(Boolean, () => false);
    if ((await waitFor(isReady, 10_000)) === undefined) throw new Error("nginx does not listen after 10 s");
    return await countSeen(front, MANNERS[0]);
  } finally {
    await nginx.stop();
  }
}

async function prove(port: number): Promise<Proof> {
  const counts: (readonly [string, number])[] = [];
  for (const manner of MANNERS) counts.push([manner[0], await countSeen(port, manner)]);
  const isProxied = hasNginx();
  if (isProxied) {
    for (const [name, directives] of PROXIES) counts.push([name, await countBehindNginx(port, directives)]);
  }
  const value = counts.map(([name, seen]) => `${name} ${seen}`).join(", ");
  const holds = counts.every(([, seen]) => seen >= 0.99 * CLIENTS);
  if (holds && !isProxied) return { value: `${value}; ${NO_NGINX}`, holds: undefined };
  return { value: `${value} of ${CLIENTS} each`, holds };
}

export const EARLY_ERRORS: readonly Promised[] = [
  {
    id: "R12",
    isCheap: true,
    text: "99 % or more of clients that write 8 MiB before they read receive an early 413, 415 or 404, with keep-alive, `Connection: close` and HTTP/1.0, and behind nginx with its defaults and without buffering",
    prove: () => withServer({ BODY_LIMIT: String(MB) }, ({ port }) => prove(port)),
  },
];
