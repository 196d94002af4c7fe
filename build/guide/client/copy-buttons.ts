/** A button on every block of code that copies its text. */

/** Milliseconds for which a button says that the text is copied. */
const CONFIRMATION_MS = 2000;

/** Adds the buttons. Without scripts there are none. */
export function addCopyButtons(): void {
  for (const block of document.querySelectorAll<HTMLElement>(".code")) {
    const pre = block.querySelector("pre")!;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy ${pre.getAttribute("aria-label")}`);
    button.addEventListener("click", async () => {
      const isCopied = await copy(pre);
      button.textContent = isCopied ? "Copied" : "Select and copy";
      announce(isCopied ? "Copied" : "The browser does not allow copying. The text is selected.");
      setTimeout(() => {
        button.textContent = "Copy";
      }, CONFIRMATION_MS);
    });
    block.append(button);
  }
}

/** Copies the text. Selects it if the browser has no clipboard, as on a page of plain HTTP that is not local. */
async function copy(pre: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(`${pre.textContent.trimEnd()}\n`);
    return true;
  } catch {
    getSelection()?.selectAllChildren(pre);
    return false;
  }
}

/** Lets screen readers say a text. */
function announce(text: string): void {
  document.getElementById("announcement")!.textContent = text;
}
