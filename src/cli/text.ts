/** What a server sent, as a terminal may show it: its control characters would move the cursor, or worse. */

/** Characters of a server's text that a message shows. */
const SHOWN = 300;

/** The beginning of a server's text, in one line. */
export function shown(text: string, limit = SHOWN): string {
  return (text.length > limit ? `${text.slice(0, limit)}...` : text).replaceAll(/\p{Cc}/gu, escaped);
}

/** JSON that means the same without control characters but the ends of lines. */
export function shownJson(json: string): string {
  return json.replaceAll("\r", " ").replaceAll(/[^\P{Cc}\n\t]/gu, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
