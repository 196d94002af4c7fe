/** Prints the notes of a release from CHANGELOG.md: `node build/release/notes.ts 1.2.3`. */
import { readFileSync } from "node:fs";
import { argv, stdout } from "node:process";
import { notesOf } from "./changelog.ts";

const changelog = readFileSync(new URL("../../CHANGELOG.md", import.meta.url), "utf8");
stdout.write(`${notesOf(changelog, argv[2]!)}\n`);
