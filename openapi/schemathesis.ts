/**
 * `npm run schemathesis URL`: tests a running server against both documents with every check of schemathesis (a Python package), except
 * those that EXCEPTIONS and DOCUMENTS list. SCHEMATHESIS names the program where it is not on the PATH.
 */
import { spawnSync } from "node:child_process";

/** Checks that both runs exclude, each with its reason. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  positive_data_acceptance:
    "no schema says that shapes fit together, that data fill a shape, or what PyTorch refuses; those are 422",
};
/** Checks that one document's run excludes. */
const DOCUMENTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "openapi.json": {},
  "openapi-3.0.json": {
    negative_data_rejection:
      "it describes one form of each thing for generators, so the wire takes more: null, nested lists, deprecated options",
    response_schema_conformance:
      "its numbers are null where not finite, and with non_finite string, for Jackson and the like, they are strings",
  },
};

const program = process.env.SCHEMATHESIS ?? "schemathesis";
const url = process.argv[2] ?? "http://127.0.0.1:8080";
if (spawnSync(program, ["--version"]).status !== 0) {
  console.log("skipped: schemathesis is not installed; pip install schemathesis, or name it in SCHEMATHESIS");
} else {
  for (const [document, own] of Object.entries(DOCUMENTS)) {
    const exceptions = { ...EXCEPTIONS, ...own };
    for (const [check, reason] of Object.entries(exceptions))
      console.log(`${document}: ${check} is excluded, because ${reason}`);
    const left = Object.keys(exceptions).join();
    const { status } = spawnSync(
      program,
      [
        "run",
        new URL(document, url).href,
        "--checks",
        "all",
        "--exclude-checks",
        left,
        "--max-examples",
        "20",
      ],
      { stdio: "inherit" },
    );
    if (status !== 0) process.exitCode = 1;
  }
}
