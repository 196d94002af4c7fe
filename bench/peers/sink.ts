/** Node's minimum for a body: counts its bytes. Listens on PORT. */
import { createServer } from "node:http";

const server = createServer((request, response) => {
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  request.on("end", () => {
    response.setHeader("content-type", "application/json");
    response.end(`{"bytes":${bytes}}`);
  });
});

server.listen(Number(process.env.PORT), "127.0.0.1");
