/** Options of the search index, the same when it is built and when it is loaded. */
import type { Options } from "minisearch";

/** Result of a search: a section of a page. */
export interface Entry {
  readonly id: number;
  /** Address relative to the guide, with the anchor of the section. */
  readonly address: string;
  readonly page: string;
  readonly heading: string;
  readonly text: string;
}

export const SEARCH_OPTIONS: Options<Entry> = {
  fields: ["heading", "page", "text"],
  storeFields: ["address", "page", "heading", "text"],
  searchOptions: {
    boost: { heading: 4, page: 2 },
    prefix: true,
    fuzzy: (term) => (term.length > 4 ? 0.2 : false),
    combineWith: "AND",
  },
};
