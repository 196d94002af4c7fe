/** Parses the server address given on the command line. */
import { withoutUser } from "../user-error.ts";
import { OPERATIONS } from "./operations.ts";
import { TOKEN_ADVICE, UsageError } from "./usage.ts";

const NAMES = OPERATIONS.join("|");

/** Paths that lossd serves itself. A URL that ends with one of them points to a page or an operation, not to the server. */
const OWN_PATH = new RegExp(
  `^/v1/?$|/(?:${[
    `v1/(?:${NAMES})`,
    `v2(?:/health/(?:live|ready)|/models/(?:${NAMES})(?:/.*)?)?`,
    "health/(?:live|ready)",
    "(?:docs|guide)",
    "metrics",
    "openapi(?:-3\\.0)?\\.(?:json|yaml)",
  ].join("|")})/?$`,
);

/** Parses a server URL, which may have a path prefix of a proxy. Rejects with {@link UsageError} and never prints a password. */
export function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new UsageError(`expected an address like http://127.0.0.1:8080, got ${withoutUser(text)}`);
  if (url.username !== "" || url.password !== "") {
    throw new UsageError(`expected an address without user and password for ${url.host}`, TOKEN_ADVICE);
  }
  const plain = url.origin + url.pathname;
  // Hides the query string because it may hold a secret.
  if (/[?#]/.test(text))
    throw new UsageError(`expected the server's address alone, like ${plain}, got an address with ? or #`);
  const base = url.origin + url.pathname.replace(OWN_PATH, "");
  if (OWN_PATH.test(url.pathname))
    throw new UsageError(`expected the server's address alone, like ${base}, got ${text}`);
  return url;
}

/** Resolves `path` against a server URL, keeping the prefix of that URL. */
export function below(base: URL, path: string): URL {
  return new URL(path, base.href.endsWith("/") ? base : `${base.href}/`);
}
