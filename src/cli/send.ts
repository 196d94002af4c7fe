/** `lossd send`: uploads a safetensors file from disk while its answer comes back, in constant memory. */
import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import type { ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import http from "node:http";
import https from "node:https";
import { pipeline } from "node:stream/promises";
import { fileFault, PlainError } from "../config.ts";
import type { Send } from "./command.ts";
import { readToken } from "./files.ts";
import { bytesText, Progress } from "./progress.ts";
import type { Terminal } from "./terminal.ts";

/** Bytes of a refusal that are read. */
const REFUSAL = 64 * 1024;

/** Sends the file; the exit code. */
export async function send({ file, url, tokenFile, output }: Send, terminal: Terminal): Promise<number> {
  const token = await readToken(tokenFile, terminal);
  const about = await stat(file).catch((error: NodeJS.ErrnoException) => {
    throw new PlainError(`${file}: ${fileFault(error)}`);
  });
  if (!about.isFile()) throw new PlainError(`${file}: expected a file`);
  const { size } = about;
  const headers = {
    "content-type": "application/vnd.safetensors",
    "content-length": size,
    accept: output === undefined ? "application/json" : "application/vnd.safetensors",
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  const request = open(url, { method: "POST", headers, signal: terminal.stopped });
  // Told by whoever waits for the request; after its answer nobody has to hear of it.
  request.on("error", () => {});
  const progress = new Progress(terminal, size);
  // An answer may come before the whole file has left: a refusal at once, a gradient while rows are computed.
  const upload = write(request, file, progress);
  upload.catch(() => {});
  const answer = await answerOf(request);
  if (answer.statusCode !== 200) throw await refusalOf(answer, request);
  if (output === undefined) {
    for await (const text of answer.setEncoding("utf8")) await terminal.out(text as string);
    await terminal.out("\n");
  } else await store(answer, output, terminal.stopped);
  await upload;
  progress.end(size);
  if (output !== undefined) terminal.err(`${output}: ${bytesText((await stat(output)).size)}\n`);
  return 0;
}

function open(url: URL, options: RequestOptions): ClientRequest {
  return url.protocol === "https:" ? https.request(url, options) : http.request(url, options);
}

async function write(request: ClientRequest, file: string, progress: Progress): Promise<void> {
  let sent = 0;
  const body = createReadStream(file, { highWaterMark: 256 * 1024 });
  await pipeline(
    body,
    async function* (pieces: AsyncIterable<Buffer>) {
      for await (const piece of pieces) {
        yield piece;
        sent += piece.length;
        progress.update(sent);
      }
    },
    request,
  );
}

async function answerOf(request: ClientRequest): Promise<IncomingMessage> {
  try {
    const [answer] = await once(request, "response");
    return answer;
  } catch (error) {
    throw new PlainError((error as Error).message);
  }
}

/** What a problem document says, in one line; the rest of the upload is given up. */
async function refusalOf(answer: IncomingMessage, request: ClientRequest): Promise<PlainError> {
  let text = "";
  for await (const piece of answer.setEncoding("utf8")) {
    text += piece;
    if (text.length > REFUSAL) break;
  }
  request.destroy();
  try {
    const { code, detail } = JSON.parse(text);
    return new PlainError(`refused with ${answer.statusCode} ${code}: ${detail}`);
  } catch {
    return new PlainError(`refused with ${answer.statusCode}: ${text.slice(0, 300)}`);
  }
}

/** Stores an answer under its name once it is whole. */
async function store(answer: IncomingMessage, output: string, signal: AbortSignal): Promise<void> {
  const partial = `${output}.part`;
  try {
    await pipeline(answer, createWriteStream(partial), { signal });
    await rename(partial, output);
  } catch (error) {
    await rm(partial, { force: true });
    throw new PlainError((error as Error).message);
  }
}
