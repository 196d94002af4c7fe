/** The page's entry: connects the form, the API and the results. A newer request aborts an older one. */
import { fetchResults, NoResponseError, ProblemError, urlOf } from "./api.ts";
import type { Language } from "./code-samples.ts";
import { codeSample } from "./code-samples.ts";
import { announce, byId, cancelAnnouncement } from "./dom.ts";
import { EXAMPLES } from "./examples.ts";
import { clearErrors, drawOptions, FieldError, fillForm, readForm, updateControls } from "./form.ts";
import type { LossRequest } from "./request.ts";
import {
  initExplanationBar,
  showBusy,
  showFailure,
  showFieldError,
  showProblemResponse,
  showResults,
  truncate,
} from "./results.ts";

/** Waits for a pause in typing before it sends a request. */
const TYPING_PAUSE_MS = 250;

let exampleIndex: number | undefined;
let typingTimer: number | undefined;
let controller = new AbortController();
/** The request in the code sample, undefined while the form is not valid. */
let shownRequest: LossRequest | undefined;

const exampleSelect = byId("example") as HTMLSelectElement;
const readToken = (): string => (byId("token") as HTMLInputElement).value.trim();

/** Sends the form's request, and shows its results or its error. */
async function update(): Promise<void> {
  controller.abort();
  controller = new AbortController();
  const { signal } = controller;
  // A pending announcement belongs to an older response.
  cancelAnnouncement();
  clearErrors();
  byId("copied").textContent = "";
  shownRequest = undefined;
  try {
    const request = readForm(exampleIndex !== undefined && EXAMPLES[exampleIndex]!.threeWays === true);
    shownRequest = request;
    showSample();
    showBusy(true);
    const results = await fetchResults(request, readToken(), signal);
    if (!signal.aborted) showResults(results);
  } catch (error) {
    if (!signal.aborted) showError(error, shownRequest);
  } finally {
    if (!signal.aborted) {
      showSample();
      showBusy(false);
    }
  }
}

function showError(error: unknown, request: LossRequest | undefined): void {
  if (error instanceof FieldError) showFieldError(error.field, error.message);
  else if (error instanceof ProblemError) showProblemResponse(request!, error.problem);
  else if (error instanceof NoResponseError) showFailure("The server does not respond.", error.message, true);
  else {
    showFailure("This page failed.", (error as Error).message, false);
    throw error;
  }
}

/** Returns the request as code, empty while the form is not valid. */
function sample(): string {
  if (shownRequest === undefined) return "";
  const language = document.querySelector<HTMLInputElement>("input[name=language]:checked")!.value;
  const { operation, body } = shownRequest;
  return codeSample(language as Language, urlOf(operation), body, readToken() !== "");
}

function showSample(): void {
  byId("sample").textContent = truncate(sample());
  (byId("copy") as HTMLButtonElement).disabled = shownRequest === undefined;
}

async function copySample(): Promise<void> {
  try {
    await navigator.clipboard.writeText(sample());
    byId("copied").textContent = "Copied.";
  } catch {
    // Browsers offer the clipboard in secure contexts only.
    window.getSelection()?.selectAllChildren(byId("sample"));
    byId("copied").textContent = "Selected: copy it with the keyboard.";
  }
}

function showExample(index: number): void {
  exampleIndex = index;
  exampleSelect.value = String(index);
  fillForm(EXAMPLES[index]!);
  byId("example-note").textContent = EXAMPLES[index]!.note;
  void update();
}

/** Follows an edit. An edited example becomes the user's own request. */
function handleInput({ target }: Event): void {
  const { id } = target as HTMLElement;
  if (id === "example") return;
  if (id !== "token") {
    exampleIndex = undefined;
    exampleSelect.value = "";
    byId("example-note").textContent = "";
    updateControls(id);
  }
  window.clearTimeout(typingTimer);
  typingTimer = window.setTimeout(() => void update(), TYPING_PAUSE_MS);
}

function start(): void {
  drawOptions();
  for (const [index, { title }] of EXAMPLES.entries()) exampleSelect.append(new Option(title, String(index)));
  exampleSelect.addEventListener("change", () => showExample(Number(exampleSelect.value)));
  byId("form").addEventListener("input", handleInput);
  byId("form").addEventListener("submit", (event) => {
    event.preventDefault();
    void update();
  });
  for (const radio of document.querySelectorAll("input[name=language]"))
    radio.addEventListener("change", showSample);
  byId("copy").addEventListener("click", () => void copySample());
  byId("retry").addEventListener("click", () => {
    void update();
    announce("Trying again.", 0);
  });
  initExplanationBar();
  showExample(0);
}

start();
