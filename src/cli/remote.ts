/** A server at an address, for `lossd check`. */
import { below } from "./address.ts";

/** Milliseconds that an answer may take. */
const TIMEOUT = 10_000;

/** Thrown where no answer came. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
  constructor(error: unknown) {
    const { name, message, cause } = error as Error & { cause?: Error };
    super(name === "TimeoutError" ? `no answer within ${TIMEOUT / 1000} s` : (cause?.message ?? message));
  }
}

export interface RemoteAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
  // biome-ignore lint/suspicious/noExplicitAny: what a server answers is looked at member by member
  json(): any;
}

export class Remote {
  readonly #base: URL;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(base: URL, token: string | undefined) {
    this.#base = base;
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  get(path: string, headers: Record<string, string> = {}): Promise<RemoteAnswer> {
    return this.#ask(path, { headers });
  }

  send(path: string, body: unknown): Promise<RemoteAnswer> {
    const headers = { "content-type": "application/json" };
    return this.#ask(path, { method: "POST", headers, body: JSON.stringify(body) });
  }

  sendFile(path: string, body: Buffer<ArrayBuffer>): Promise<RemoteAnswer> {
    return this.#ask(path, {
      method: "POST",
      headers: { "content-type": "application/vnd.safetensors" },
      body,
    });
  }

  /** The JSON of an answer with status 200. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  async post(path: string, body: unknown): Promise<any> {
    const { status, json, bytes } = await this.send(path, body);
    if (status !== 200)
      throw new Error(`expected status 200, got ${status}: ${bytes.toString().slice(0, 300)}`);
    return json();
  }

  async #ask(path: string, { headers, ...rest }: RequestInit): Promise<RemoteAnswer> {
    const signal = AbortSignal.timeout(TIMEOUT);
    const all = { ...this.#headers, ...(headers as Record<string, string>) };
    const { answer, bytes } = await fetch(below(this.#base, path), { ...rest, headers: all, signal })
      .then(async (answer) => ({ answer, bytes: Buffer.from(await answer.arrayBuffer()) }))
      .catch((error: unknown) => {
        throw new Unreachable(error);
      });
    const json = (): unknown => {
      try {
        return JSON.parse(bytes.toString());
      } catch {
        throw new Error(`expected JSON, got status ${answer.status}: ${bytes.toString().slice(0, 300)}`);
      }
    };
    return { status: answer.status, headers: answer.headers, bytes, json };
  }
}
