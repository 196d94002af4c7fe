/** Escapes control characters in a server's text because they could move the terminal's cursor or run its commands. */

/** Longest excerpt of a server's text in a message. */
const MAX_TEXT_CHARS = 300;

/** Shortens a server's text and escapes it to one line. */
export function escapeText(text: string, limit = MAX_TEXT_CHARS): string {
  return (text.length > limit ? `${text.slice(0, limit)}...` : text).replaceAll(/\p{Cc}/gu, escapeCharacter);
}

/** Escapes control characters in JSON without changing its meaning. Newlines and tabs stay. */
export function escapeJson(json: string): string {
  return json.replaceAll("\r", " ").replaceAll(/[^\P{Cc}\n\t]/gu, escapeCharacter);
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
