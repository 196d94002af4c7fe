/** `lossd send` uploads a safetensors file in constant memory while the response arrives. */

import type { Send } from "./command.ts";
import type { InputFile } from "./files.ts";
import { checkFile, readToken, socketOf } from "./files.ts";
import { authorization } from "./http-client.ts";
import type { Output } from "./output.ts";
import { openOutput } from "./output.ts";
import { bytesText, Progress } from "./progress.ts";
import { ACCEPT, checkType, errorOf, print, store } from "./responses.ts";
import type { Terminal } from "./terminal.ts";
import { Upload } from "./upload.ts";

/** Uploads the file and returns the exit code. */
export async function send(command: Send, terminal: Terminal): Promise<number> {
  const { file, tokenFile, output: path } = command;
  const token = await readToken(tokenFile, terminal);
  const input = await checkFile(file, terminal);
  let output: Output | undefined;
  try {
    if (path !== undefined) output = await openOutput(path, input.stats, terminal);
    const stored = await upload(command, token, input, output, terminal);
    await output?.keep();
    if (path !== undefined) terminal.err(`${path}: ${bytesText(stored)}\n`);
    return 0;
  } catch (error) {
    await output?.discard();
    // Reports the interruption instead of the error that it caused.
    terminal.stopped.throwIfAborted();
    throw error;
  }
}

/** Uploads the file, prints or stores the response, and returns its byte count. */
async function upload(
  command: Send,
  token: string | undefined,
  input: InputFile,
  output: Output | undefined,
  terminal: Terminal,
): Promise<number> {
  const { url, timeout } = command;
  const { size } = input.stats;
  const types = output === undefined ? ACCEPT.json : ACCEPT.safetensors;
  const headers = {
    "content-type": ACCEPT.safetensors[0],
    accept: types[0],
    ...authorization(token),
  };
  const progress = new Progress(terminal, size);
  const onProgress = (sent: number): void => progress.update(sent);
  const socketPath = socketOf(command, terminal);
  const options = { headers, timeout, signal: terminal.stopped, socketPath, onProgress };
  const transfer = new Upload(url, input, options);
  try {
    const response = await transfer.response();
    if (response.statusCode !== 200) throw await errorOf(response, token !== undefined);
    checkType(response, types);
    // Starts the response on a new line.
    if (output === undefined) progress.leave();
    const bytes = output === undefined ? await print(response, terminal) : await store(response, output);
    await transfer.end();
    progress.end(size);
    return bytes;
  } catch (error) {
    throw transfer.faultOf(error);
  } finally {
    progress.leave();
    transfer.close();
  }
}
