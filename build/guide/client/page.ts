/** The script of the guide's pages. */
import { addCopyButtons } from "./copy-buttons.ts";
import { connectSearch } from "./search.ts";

addCopyButtons();
connectSearch();
