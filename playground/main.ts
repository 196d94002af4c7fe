/** The page: what is typed becomes a question, its answers a picture; a newer question drops an older one. */
import { watchBar } from "./bar.ts";
import { byId } from "./dom.ts";
import { EXAMPLES } from "./examples.ts";
import { clearFaults, FieldError, fillIn, readForm, settle } from "./form.ts";
import type { Question } from "./picture.ts";
import { paintPicture } from "./picture.ts";
import type { Language } from "./samples.ts";
import { sampleOf } from "./samples.ts";
import { hush, say } from "./say.ts";
import { addressOf, Refused, Unanswered } from "./server.ts";
import { shorten, showBusy, showFieldError, showPicture, showProblem, showRefusal } from "./show.ts";

/** Milliseconds without a key before a question is asked. */
const PAUSE = 250;

const textOf = (id: string): string => (byId(id) as HTMLInputElement).value;

let example: number | undefined = 0;
let pause: number | undefined;
let running = new AbortController();
let shown: Question | undefined;

function soon(): void {
  window.clearTimeout(pause);
  pause = window.setTimeout(() => void update(), PAUSE);
}

async function update(): Promise<void> {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  // What an older answer has to say is true no more.
  hush();
  clearFaults();
  byId("copied").textContent = "";
  shown = undefined;
  try {
    const question = readForm(example !== undefined && EXAMPLES[example]!.threeWays === true);
    shown = question;
    showSample();
    showBusy(true);
    const picture = await paintPicture(question, textOf("token").trim(), signal);
    if (!signal.aborted) showPicture(picture);
  } catch (error) {
    if (!signal.aborted) showError(error, shown);
  } finally {
    if (!signal.aborted) {
      showSample();
      showBusy(false);
    }
  }
}

function showError(error: unknown, question: Question | undefined): void {
  if (error instanceof FieldError) showFieldError(error.field, error.message);
  else if (error instanceof Refused) showRefusal(question!, error.problem);
  else if (error instanceof Unanswered) showProblem("The server does not answer.", error.message, true);
  else {
    showProblem("This page failed.", (error as Error).message, false);
    throw error;
  }
}

/** The request as code; nothing while the form cannot be read. */
function sample(): string {
  if (shown === undefined) return "";
  const language = document.querySelector<HTMLInputElement>("input[name=language]:checked")!.value;
  const hasToken = textOf("token").trim() !== "";
  return sampleOf(language as Language, addressOf(shown.operation), shown.body, hasToken);
}

function showSample(): void {
  byId("sample").textContent = shorten(sample());
  (byId("copy") as HTMLButtonElement).disabled = shown === undefined;
}

async function copySample(): Promise<void> {
  try {
    await navigator.clipboard.writeText(sample());
    byId("copied").textContent = "Copied.";
  } catch {
    // Without a secure context there is no clipboard for a page.
    window.getSelection()?.selectAllChildren(byId("sample"));
    byId("copied").textContent = "Selected: copy it with the keyboard.";
  }
}

function choose(at: number): void {
  example = at;
  (byId("example") as HTMLSelectElement).value = String(at);
  fillIn(EXAMPLES[at]!);
  byId("example-note").textContent = EXAMPLES[at]!.note;
  void update();
}

/** What is typed is no example any more. */
function edit({ target }: Event): void {
  const { id } = target as HTMLElement;
  if (id === "example") return;
  if (id !== "token") {
    example = undefined;
    (byId("example") as HTMLSelectElement).value = "";
    byId("example-note").textContent = "";
    settle(id);
  }
  soon();
}

function begin(): void {
  const examples = byId("example") as HTMLSelectElement;
  for (const [at, { title }] of EXAMPLES.entries()) examples.append(new Option(title, String(at)));
  examples.addEventListener("change", () => choose(Number(examples.value)));
  byId("form").addEventListener("input", edit);
  byId("form").addEventListener("submit", (event) => {
    event.preventDefault();
    void update();
  });
  for (const radio of document.querySelectorAll("input[name=language]"))
    radio.addEventListener("change", showSample);
  byId("copy").addEventListener("click", () => void copySample());
  byId("retry").addEventListener("click", () => {
    void update();
    say("Trying again.", 0);
  });
  watchBar();
  choose(0);
}

begin();
