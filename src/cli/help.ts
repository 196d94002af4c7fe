/** What `--help` says. */
import { flagOf, SETTING_ENTRIES } from "../config.ts";
import type { Topic } from "./command.ts";

const COMMANDS = `lossd [serve]           answers requests: log_softmax, nll_loss and cross_entropy over HTTP
lossd check URL         asks a server what it answers, and compares
lossd send FILE URL     uploads a safetensors file, with its progress

lossd help COMMAND, or --help behind it, says more; --version, -v is what it says.
`;

const CHECK = `lossd check URL [--socket PATH] [--token-file FILE] [--timeout SECONDS] [--json]

Sends small requests to a running server and compares its answers with PyTorch's. Ends with 0 if all are right.

  --socket PATH       a Unix socket to connect to, in the place of the URL's host and port
  --token-file FILE   a file with a bearer token in a line of its own
  --timeout SECONDS   how long an answer may take (10)
  --json              one JSON document instead of lines
`;

const SEND = `lossd send FILE URL [--operation NAME] [--option NAME=VALUE]... [--output FILE] [--socket PATH]
                    [--token-file FILE] [--timeout SECONDS]

Uploads a safetensors file whose tensors have the names of the operation's fields, while the answer comes back. Ends
with 0 only if the answer is whole.

  --operation NAME      cross_entropy (default), nll_loss or log_softmax
  --option NAME=VALUE   an option of the operation, such as reduction=sum or return_grad=true; may stand more than once
  --output FILE         where the answer goes as a safetensors file, once it is whole; otherwise it is printed as JSON
  --socket PATH         a Unix socket to connect to, in the place of the URL's host and port
  --token-file FILE     a file with a bearer token in a line of its own
  --timeout SECONDS     how long no byte may move, in either direction, before it is given up (30)
`;

/** The text of `lossd COMMAND --help`. */
export function helpOf(command: Topic): string {
  if (command === "check") return CHECK;
  return command === "send" ? SEND : `${COMMANDS}\n${serveHelp()}`;
}

function serveHelp(): string {
  const lines = SETTING_ENTRIES.map(([name, { default: byDefault, description }]) => {
    const value = byDefault === "" ? "none" : byDefault;
    return `  --${flagOf(name)}, ${name} (${value})\n${wrap(description ?? "", 6)}`;
  });
  return `Settings, as flags or environment variables; a flag wins:\n${lines.join("\n")}\n`;
}

/** Text in lines of at most 96 characters, indented. */
function wrap(text: string, indent: number): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && indent + line.length + 1 + word.length > 96) {
      lines.push(line);
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].map((part) => " ".repeat(indent) + part).join("\n");
}
