/** The SDKs that are generated from the contract, compiled and toured: one row a language. Commands run in the root of the repository. */
import { execFile } from "node:child_process";
import { delimiter } from "node:path";
import { promisify } from "node:util";

export interface Sdk {
  readonly language: string;
  /** Commands that fail where the toolchain is missing. */
  readonly needs: readonly string[];
  /** The generators, from a package registry. */
  readonly tools: readonly string[];
  readonly generate: readonly string[];
  /** What the generated code uses, from a package registry. */
  readonly packages: readonly string[];
  readonly compile: readonly string[];
  /** The programs in test/sdk that use it; they take an address and a token. */
  readonly tours: readonly string[];
}

const VERSION = "7.25.0";
const GENERATOR = `java -jar sdk/openapi-generator-cli-${VERSION}.jar generate`;
const MAVEN = "mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1";
const JAR = `${MAVEN}:copy -Dartifact=org.openapitools:openapi-generator-cli:${VERSION} -DoutputDirectory=sdk`;
const JAVA = ["java -version", "mvn -version"];

const NPM_TOOLS = "openapi/sdk/node_modules/.bin";
const JARS = ["sdk/java/classes", "sdk/java/lib/*"].join(delimiter);

export const SDKS: readonly Sdk[] = [
  {
    language: "typescript",
    needs: ["npm --version"],
    tools: ["npm ci --prefer-offline --ignore-scripts --no-audit --no-fund --prefix openapi/sdk"],
    generate: [
      `${NPM_TOOLS}/openapi-typescript openapi/openapi-3.0.json --root-types --root-types-no-schema-prefix -o sdk/openapi-fetch/lossd.d.ts`,
      `${NPM_TOOLS}/openapi-ts -f openapi/sdk/openapi-ts.config.js`,
    ],
    packages: [],
    compile: ["node_modules/.bin/tsc -p test/sdk/tsconfig.json"],
    tours: ["node test/sdk/openapi-fetch.ts", "node test/sdk/openapi-ts.ts"],
  },
  {
    language: "python",
    needs: [...JAVA, "python3 -m venv --help"],
    tools: [JAR],
    generate: [`${GENERATOR} -c openapi/sdk/python.yaml`],
    packages: [
      "python3 -m venv sdk/venv",
      "sdk/venv/bin/pip install -q --disable-pip-version-check -r sdk/python/requirements.txt",
    ],
    compile: ["sdk/venv/bin/python -m compileall -q sdk/python/lossd"],
    tours: ["sdk/venv/bin/python test/sdk/tour.py"],
  },
  {
    language: "java",
    needs: [...JAVA, "javac -version"],
    tools: [JAR],
    generate: [`${GENERATOR} -c openapi/sdk/java.yaml`],
    packages: [`${MAVEN}:copy-dependencies -f sdk/java/pom.xml -DincludeScope=compile -DoutputDirectory=lib`],
    compile: [
      `javac -d sdk/java/classes -cp sdk/java/lib/* -sourcepath sdk/java/src/main/java test/sdk/Tour.java`,
    ],
    tours: [`java -cp ${JARS} Tour`],
  },
  {
    language: "go",
    needs: [...JAVA, "go version"],
    tools: [JAR],
    generate: [`${GENERATOR} -c openapi/sdk/go.yaml`, "cp openapi/sdk/real.go sdk/go/real.go"],
    packages: [],
    compile: ["go -C test/sdk vet ."],
    tours: ["go -C test/sdk run ."],
  },
];

const ROOT = new URL("../..", import.meta.url);
const execute = promisify(execFile);

/** Runs a command, and gives what it prints. */
export async function run(command: string, ...more: readonly string[]): Promise<string> {
  const [program, ...args] = [...command.split(" "), ...more];
  // The Python SDK is imported from where it is generated.
  const env = { ...process.env, PYTHONPATH: "sdk/python" };
  const { stdout } = await execute(program!, args, { cwd: ROOT, env });
  return stdout;
}

/** Runs commands one after the other; what went wrong, or undefined. */
export async function obstacle(commands: readonly string[]): Promise<string | undefined> {
  for (const command of commands) {
    try {
      await run(command);
    } catch {
      return command;
    }
  }
  return undefined;
}
