/** Bytes for a body without Content-Length, which is read chunk by chunk, however short it is. */
export async function* chunked(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}
