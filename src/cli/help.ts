/** Help texts of the command line. */
import { flagOf } from "../config/config.ts";
import { defaultText, SETTING_GROUPS } from "../config/settings.ts";
import type { Topic } from "./command.ts";

const COMMANDS = `lossd [serve]           serves log_softmax, nll_loss, cross_entropy and kl_div over HTTP
lossd check URL         sends test requests to a server and compares the responses
lossd send FILE URL     uploads a safetensors file and shows the progress

lossd help COMMAND and lossd COMMAND --help print more. --version, -v prints the version.
`;

const CHECK = `lossd check URL [--socket PATH] [--token-file FILE] [--timeout SECONDS] [--json]

Sends small requests to a running server and compares its responses with PyTorch's results. Exits with 0 if all
agree.

  --socket PATH       connects to a Unix socket instead of the URL's host and port
  --token-file FILE   file with a bearer token on its own line
  --timeout SECONDS   longest time for one response (10)
  --json              prints one JSON document instead of lines
`;

const SEND = `lossd send FILE URL [--operation NAME] [--option NAME=VALUE]... [--output FILE] [--socket PATH]
                    [--token-file FILE] [--timeout SECONDS]

Uploads a safetensors file whose tensors are named like the operation's fields. Exits with 0 only if the response is
complete.

  --operation NAME      cross_entropy (default), kl_div, nll_loss or log_softmax
  --option NAME=VALUE   option of the operation, such as reduction=sum or return_grad=true, repeatable
  --output FILE         stores the complete response as a safetensors file instead of printing JSON
  --socket PATH         connects to a Unix socket instead of the URL's host and port
  --token-file FILE     file with a bearer token on its own line
  --timeout SECONDS     longest time without a byte in either direction (30)
`;

/** Returns the text of `lossd COMMAND --help`. */
export function helpOf(command: Topic): string {
  if (command === "check") return CHECK;
  return command === "send" ? SEND : `${COMMANDS}\n${serveHelp()}`;
}

function serveHelp(): string {
  const groups = Object.entries(SETTING_GROUPS).map(([group, settings]) => {
    const lines = Object.entries(settings).map(([name, setting]) => {
      const value = defaultText(setting) || "none";
      return `  --${flagOf(name)}, ${name} (${value})\n${wrap(setting.description ?? "", 6)}`;
    });
    return `${group}:\n${lines.join("\n")}`;
  });
  return `Settings, as flags or environment variables. Flags win. Sizes may have a unit, as in 64MiB.\n\n${groups.join("\n\n")}\n`;
}

/** Wraps text to 96 columns with an indent. */
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
