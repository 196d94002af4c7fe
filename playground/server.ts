/** The API, as every client sees it. */

export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
}

/** Thrown for a refusal; the problem says why and where. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

/** Thrown where there is no answer of lossd: nobody answers, not in time, or something between answers. */
export class Unanswered extends Error {
  override readonly name = "Unanswered";
}

export type Body = Readonly<Record<string, unknown>>;

/** Milliseconds for an answer. */
const TIME = 30_000;

/** The address of an operation, also below a proxy's path. */
export function addressOf(operation: string): string {
  return new URL(`v1/${operation}`, document.baseURI).href;
}

/** Posts a request. Refuses with {@link Refused} or {@link Unanswered}; an abort by `signal` is thrown as it is. */
export async function ask(operation: string, body: Body, token: string, signal: AbortSignal): Promise<Body> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (token !== "") headers.authorization = `Bearer ${token}`;
  const answer = await fetch(addressOf(operation), {
    method: "POST",
    headers,
    body: JSON.stringify(body),
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIME)]),
  }).catch((error: Error) => {
    if (signal.aborted) throw error;
    throw new Unanswered(error.name === "TimeoutError" ? "It did not answer in time." : error.message);
  });
  const json: unknown = await answer.json().catch(() => undefined);
  signal.throwIfAborted();
  if (answer.ok && typeof json === "object") return json as Body;
  if (isProblem(json)) throw new Refused(json);
  throw new Unanswered(`What came is no answer of lossd, but status ${answer.status}.`);
}

function isProblem(json: unknown): json is Problem {
  const { code, detail } = (json ?? {}) as Partial<Problem>;
  return typeof code === "string" && typeof detail === "string";
}
