/** The request as code, in the chosen language, and its copies. */
import { urlOf } from "../request/api.ts";
import type { Language } from "../request/code-samples.ts";
import { codeSample } from "../request/code-samples.ts";
import type { LossRequest } from "../request/request.ts";
import { byId, setText } from "./dom.ts";
import { readToken, truncate } from "./server-check.ts";

/** Shows the code of a request, none for a form that is not valid. */
export function showCode(request: LossRequest | undefined): void {
  setText("sample", truncate(codeOf(request)));
  (byId("copy") as HTMLButtonElement).disabled = request === undefined;
}

/** Copies the code of a request. */
export async function copyCode(request: LossRequest | undefined): Promise<void> {
  if (await copyText(codeOf(request))) setText("copied", "Copied.");
  else {
    window.getSelection()?.selectAllChildren(byId("sample"));
    setText("copied", "Selected: copy it with the keyboard.");
  }
}

/** Returns false where the browser offers no clipboard, which is in secure contexts only. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

function codeOf(request: LossRequest | undefined): string {
  if (request === undefined) return "";
  const language = document.querySelector<HTMLInputElement>("input[name=language]:checked")!.value;
  return codeSample(language as Language, urlOf(request.operation), request.body, readToken() !== "");
}
