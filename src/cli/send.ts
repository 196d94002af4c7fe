/** `lossd send`: uploads a safetensors file from disk while its answer comes back, in constant memory. */
import { ACCEPT, checkType, print, refusalOf, store } from "./answers.ts";
import type { Send } from "./command.ts";
import { authorization } from "./exchange.ts";
import type { Input } from "./files.ts";
import { lookAt, readToken, socketOf } from "./files.ts";
import { bytesText, Progress } from "./progress.ts";
import type { Sink } from "./sink.ts";
import { openSink } from "./sink.ts";
import type { Terminal } from "./terminal.ts";
import { Upload } from "./upload.ts";

/** Sends the file; the exit code. */
export async function send(command: Send, terminal: Terminal): Promise<number> {
  const { file, tokenFile, output } = command;
  const token = await readToken(tokenFile, terminal);
  const input = await lookAt(file, terminal);
  let sink: Sink | undefined;
  try {
    if (output !== undefined) sink = await openSink(output, input.about, terminal);
    const stored = await exchange(command, token, input, sink, terminal);
    await sink?.keep();
    if (output !== undefined) terminal.err(`${output}: ${bytesText(stored)}\n`);
    return 0;
  } catch (error) {
    await sink?.discard();
    // What broke off because a person wanted so has no other reason.
    terminal.stopped.throwIfAborted();
    throw error;
  }
}

/** Sends the file and prints or stores the answer; the bytes that were stored. */
async function exchange(
  command: Send,
  token: string | undefined,
  input: Input,
  sink: Sink | undefined,
  terminal: Terminal,
): Promise<number> {
  const { url, timeout } = command;
  const { size } = input.about;
  const types = sink === undefined ? ACCEPT.json : ACCEPT.safetensors;
  const headers = {
    "content-type": ACCEPT.safetensors[0],
    accept: types[0],
    ...authorization(token),
  };
  const progress = new Progress(terminal, size);
  const onProgress = (sent: number): void => progress.update(sent);
  const socketPath = socketOf(command, terminal);
  const options = { headers, timeout, signal: terminal.stopped, socketPath, onProgress };
  const upload = new Upload(url, input, options);
  try {
    const answer = await upload.answer();
    if (answer.statusCode !== 200) throw await refusalOf(answer, token !== undefined);
    checkType(answer, types);
    // The answer begins in a line of its own.
    if (sink === undefined) progress.leave();
    const bytes = sink === undefined ? await print(answer, terminal) : await store(answer, sink);
    await upload.end();
    progress.end(size);
    return bytes;
  } catch (error) {
    throw upload.faultOf(error);
  } finally {
    progress.leave();
    upload.close();
  }
}
