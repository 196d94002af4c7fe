/** CHANGELOG.md as sections by version. */

/** Title of the section of changes that no version has yet. */
const UNRELEASED = "Unreleased";

/** Returns the text below `## title`, trimmed, or undefined without that heading. */
function sectionOf(changelog: string, title: string): string | undefined {
  const sections = changelog.split(/^## /m).slice(1);
  const found = sections.find((section) => section.split("\n", 1)[0] === title);
  return found?.slice(title.length).trim();
}

/** Versions in their order in the file, without the unreleased changes. */
export function versionsOf(changelog: string): string[] {
  const titles = [...changelog.matchAll(/^## (.*)$/gm)].map(([, title]) => title!);
  return titles.filter((title) => title !== UNRELEASED);
}

/** Whether changes are listed that no version has yet. */
export function hasUnreleased(changelog: string): boolean {
  return (sectionOf(changelog, UNRELEASED) ?? "") !== "";
}

/** Returns the changes of a version. Throws if there are none. */
export function notesOf(changelog: string, version: string): string {
  const notes = sectionOf(changelog, version);
  if (notes === undefined || notes === "")
    throw new Error(`CHANGELOG.md: expected changes under "## ${version}"`);
  return notes;
}
