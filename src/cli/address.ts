/** The address of a server, as it stands on a command line. */
import { withoutUser } from "../errors.ts";
import { OPERATIONS } from "./operations.ts";
import { TOKEN_ADVICE, UsageError } from "./usage.ts";

const NAMES = OPERATIONS.join("|");

/** What stands behind the address of every lossd; an address that ends so is one of a page or an operation. */
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

/** Reads the address of a server, which may lie below a path of a proxy. Refuses with {@link UsageError}, without showing a password. */
export function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new UsageError(`expected an address like http://127.0.0.1:8080, got ${withoutUser(text)}`);
  if (url.username !== "" || url.password !== "") {
    throw new UsageError(`expected an address without user and password for ${url.host}`, TOKEN_ADVICE);
  }
  const plain = url.origin + url.pathname;
  // What stands behind ? may be a secret, too.
  if (/[?#]/.test(text))
    throw new UsageError(`expected the server's address alone, like ${plain}, got one with ? or #`);
  const base = url.origin + url.pathname.replace(OWN_PATH, "");
  if (OWN_PATH.test(url.pathname))
    throw new UsageError(`expected the server's address alone, like ${base}, got ${text}`);
  return url;
}

/** The address of `path` below a server's, which may have a path of its own. */
export function below(base: URL, path: string): URL {
  return new URL(path, base.href.endsWith("/") ? base : `${base.href}/`);
}
