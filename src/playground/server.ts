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

export type Body = Readonly<Record<string, unknown>>;

/** The address of an operation, also below a proxy's path. */
export function addressOf(operation: string): string {
  return new URL(`v1/${operation}`, document.baseURI).href;
}

/** Posts a request; refuses with {@link Refused}. */
export async function ask(operation: string, body: Body, token: string, signal: AbortSignal): Promise<Body> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (token !== "") headers.authorization = `Bearer ${token}`;
  const answer = await fetch(addressOf(operation), {
    method: "POST",
    headers,
    body: JSON.stringify(body),
    signal,
  });
  const json = await answer.json();
  if (!answer.ok) throw new Refused(json);
  return json;
}
