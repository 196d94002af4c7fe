/** SDKs generated from the contract, one row per language. Commands run in the root of the repository. */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { withLock } from "../../build/lock.ts";

export interface Sdk {
  readonly language: string;
  /** Commands that fail without the toolchain. */
  readonly needs: readonly string[];
  /** Generators from a package registry, and their arguments. */
  readonly generate: readonly string[];
  /** Generated paths. */
  readonly folders: readonly string[];
}

const VERSION = "7.25.0";
const JAR = `sdk/openapi-generator-cli-${VERSION}.jar`;
const DOWNLOAD = `mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy -Dartifact=org.openapitools:openapi-generator-cli:${VERSION} -DoutputDirectory=sdk`;
const GENERATOR = `java -jar ${JAR} generate`;
const JAVA = ["java -version", "mvn -version"];
const NPM_TOOLS = "openapi/sdk/node_modules/.bin";

export const SDKS: readonly Sdk[] = [
  {
    language: "typescript",
    needs: ["npm --version"],
    generate: [
      "npm ci --prefer-offline --ignore-scripts --no-audit --no-fund --prefix openapi/sdk",
      `${NPM_TOOLS}/openapi-typescript openapi/openapi-3.0.json --root-types --root-types-no-schema-prefix -o sdk/openapi-fetch/lossd.d.ts`,
      `${NPM_TOOLS}/openapi-ts -f openapi/sdk/openapi-ts.config.js`,
    ],
    folders: ["sdk/openapi-fetch", "sdk/openapi-ts"],
  },
  {
    language: "python",
    needs: [...JAVA, "python3 -m venv --help"],
    generate: [`${GENERATOR} -c openapi/sdk/python.yaml`],
    folders: ["sdk/python"],
  },
  {
    language: "java",
    needs: [...JAVA, "javac -version"],
    generate: [`${GENERATOR} -c openapi/sdk/java.yaml`],
    folders: ["sdk/java"],
  },
  {
    language: "kotlin",
    needs: JAVA,
    generate: [`${GENERATOR} -c openapi/sdk/kotlin.yaml`, "cp openapi/sdk/kotlin-pom.xml sdk/kotlin/pom.xml"],
    folders: ["sdk/kotlin"],
  },
  {
    language: "go",
    needs: [...JAVA, "go version", "gofmt -l openapi/sdk"],
    generate: [
      `${GENERATOR} -c openapi/sdk/go.yaml`,
      "cp openapi/sdk/real.go sdk/go/real.go",
      "gofmt -w sdk/go",
    ],
    folders: ["sdk/go"],
  },
  {
    language: "rust",
    needs: [...JAVA, "cargo --version"],
    generate: [`${GENERATOR} -c openapi/sdk/rust.yaml`, `${process.execPath} openapi/sdk/add-real.ts`],
    folders: ["sdk/rust"],
  },
  {
    language: "csharp",
    needs: JAVA,
    generate: [`${GENERATOR} -c openapi/sdk/csharp.yaml`],
    folders: ["sdk/csharp"],
  },
];

const ROOT = new URL("../..", import.meta.url);
const execute = promisify(execFile);

/** Runs a command and returns its output. */
export async function run(command: string, ...more: readonly string[]): Promise<string> {
  const [program, ...args] = [...command.split(" "), ...more];
  return (await execute(program!, args, { cwd: ROOT })).stdout;
}

/** Generates an SDK. Runs side by side share the download of OpenAPI Generator. */
export async function generate({ generate: commands, folders }: Sdk): Promise<void> {
  // Removes old files, because the generators keep them.
  for (const folder of folders) rmSync(new URL(folder, ROOT), { recursive: true, force: true });
  if (commands.some((command) => command.startsWith(GENERATOR))) {
    mkdirSync(new URL("sdk", ROOT), { recursive: true });
    await withLock(fileURLToPath(new URL("sdk/.download.lock", ROOT)), async () => {
      if (!existsSync(new URL(JAR, ROOT))) await run(DOWNLOAD);
    });
  }
  for (const command of commands) await run(command);
}

/** Finds the first failing command of a toolchain. */
export async function missingTool({ needs }: Sdk): Promise<string | undefined> {
  for (const command of needs) {
    try {
      await run(command);
    } catch {
      return command;
    }
  }
  return undefined;
}
