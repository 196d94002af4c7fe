/** Generators of `npm run sdk:matrix`. Their bash commands run in separate folders, with the generated code in lossd. */

export interface Generator {
  readonly name: string;
  readonly version: string;
  /** OpenAPI versions of the tested documents. */
  readonly documents: readonly ("3.1" | "3.0")[];
  /** Settings as printed on the page. */
  readonly settings: string;
  /** Commands that fail without the toolchain. */
  readonly needs: readonly string[];
  /** Installs the generator once per run; a failure skips it by name. */
  readonly install: string;
  readonly generate: string;
  /** File in openapi/sdk/programs and its name beside the generated code; without it, code is only generated. */
  readonly program?: readonly [from: string, to: string];
  readonly compile?: string;
  readonly run?: string;
}

const NPM_TOOLS = [
  "@hey-api/openapi-ts@0.99.0",
  "@kubb/cli@4.39.3",
  "@kubb/core@4.39.3",
  "@kubb/plugin-client@4.39.3",
  "@kubb/plugin-oas@4.39.3",
  "@kubb/plugin-ts@4.39.3",
  "@types/node@24.19.2",
  "@zodios/core@10.9.6",
  "axios@1.21.1",
  "openapi-fetch@0.17.0",
  "openapi-typescript@7.13.0",
  "openapi-zod-client@1.18.3",
  "orval@8.38.0",
  "swagger-typescript-api@13.13.0",
  "typescript@5.9.3",
  "zod@3.25.76",
];
const npmInstall = `npm install --ignore-scripts --prefer-offline --no-audit --no-fund --prefix .. ${NPM_TOOLS.join(" ")}`;
// Modules of the folder are CommonJS, so that generated imports without an extension resolve.
const TSC =
  "tsc --strict --skipLibCheck --target es2022 --module commonjs --moduleResolution node10 --esModuleInterop --outDir out --rootDir . client.ts";
const typescript = (
  [name, version]: readonly [string, string],
  generate: string,
  program = name,
): Generator => ({
  name,
  version,
  documents: ["3.1", "3.0"],
  settings: "none",
  needs: ["npm --version"],
  install: npmInstall,
  generate,
  program: [`${program}.ts`, "client.ts"],
  compile: TSC,
  run: "node out/client.js",
});

const PYTHON = {
  documents: ["3.1", "3.0"],
  needs: ["python3 -m venv --help"],
  install:
    "python3 -m venv ../venv && pip install -q openapi-python-client==0.29.1 datamodel-code-generator==0.89.0 httpx==0.28.1 python-dateutil urllib3 typing-extensions",
  compile: "python -m compileall -q lossd* && python -m py_compile client.py",
  run: "python client.py",
} as const;

const GO_MODULE = "printf 'module client\\n\\ngo 1.25\\n' > go.mod";
const GO = {
  needs: ["go version"],
  install: "",
  compile: "go mod tidy && go build -o client .",
  run: "./client",
} as const;

const VERSION = "7.25.0";
const GENERATOR_JAR = `test -f "$ROOT/sdk/openapi-generator-cli-${VERSION}.jar" || mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy -Dartifact=org.openapitools:openapi-generator-cli:${VERSION} -DoutputDirectory="$ROOT/sdk"`;
const ofOpenApiGenerator = (
  language: string,
  more: Partial<Generator> & { options?: string } = {},
): Generator => ({
  name: `OpenAPI Generator ${language}`,
  version: VERSION,
  documents: ["3.0"],
  settings: more.options === undefined ? "none" : `\`${more.options.trim().replace(/^-p /, "")}\``,
  needs: ["java -version", "mvn -version"],
  install: GENERATOR_JAR,
  generate: `java -jar "$ROOT/sdk/openapi-generator-cli-${VERSION}.jar" generate -i "$DOCUMENT" -g ${language} -o lossd ${more.options ?? ""}`,
  ...more,
});

export const GENERATORS: readonly Generator[] = [
  {
    ...typescript(
      ["openapi-typescript", "7.13.0"],
      'openapi-typescript "$DOCUMENT" --default-non-nullable false -o lossd/lossd.d.ts',
      "openapi-fetch",
    ),
    settings: "`--default-non-nullable false`",
  },
  typescript(["hey-api", "0.99.0"], 'openapi-ts -i "$DOCUMENT" -o lossd -c @hey-api/client-fetch'),
  typescript(["orval", "8.38.0"], 'orval --input "$DOCUMENT" --output lossd/lossd.ts --client fetch'),
  typescript(
    ["kubb", "4.39.3"],
    // The generator's configuration is an ECMAScript module.
    'cp "$ROOT/openapi/sdk/programs/kubb.config.js" kubb.config.mjs && kubb generate --config kubb.config.mjs',
  ),
  typescript(
    ["swagger-typescript-api", "13.13.0"],
    'swagger-typescript-api generate -p "$DOCUMENT" -o lossd -n lossd.ts',
  ),
  typescript(
    ["openapi-zod-client", "1.18.3"],
    'mkdir -p lossd && openapi-zod-client "$DOCUMENT" -o lossd/lossd.ts',
  ),
  {
    ...PYTHON,
    name: "openapi-python-client",
    version: "0.29.1",
    settings: "none",
    generate: 'openapi-python-client generate --path "$DOCUMENT" --meta none --output-path lossd --overwrite',
    program: ["openapi-python-client.py", "client.py"],
  },
  {
    ...PYTHON,
    name: "datamodel-code-generator",
    version: "0.89.0",
    settings: "`--output-model-type pydantic_v2.BaseModel`",
    generate:
      'datamodel-codegen --input "$DOCUMENT" --input-file-type openapi --output lossd.py --output-model-type pydantic_v2.BaseModel',
    program: ["pydantic.py", "client.py"],
  },
  {
    ...GO,
    name: "oapi-codegen",
    version: "2.8.2",
    documents: ["3.1", "3.0"],
    settings: "`-generate types,client`",
    generate: `${GO_MODULE} && mkdir -p lossd && go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 -generate types,client -package lossd -o lossd/lossd.go "$DOCUMENT"`,
    program: ["oapi-codegen-$DOC.go", "client.go"],
  },
  {
    ...GO,
    name: "ogen",
    version: "1.24.0",
    documents: ["3.1", "3.0"],
    settings: "none",
    generate: `${GO_MODULE} && go run github.com/ogen-go/ogen/cmd/ogen@v1.24.0 --target lossd --package lossd --clean "$DOCUMENT"`,
    program: ["ogen.go", "client.go"],
  },
  {
    name: "progenitor",
    version: "0.15.1",
    documents: ["3.0"],
    settings: "none",
    needs: ["cargo --version"],
    install: "cargo install -q --locked cargo-progenitor@0.15.1 --root ../cargo",
    generate: 'cargo progenitor -i "$DOCUMENT" -o lossd -n lossd -v 0.1.0',
    program: ["progenitor.rs", "lossd/examples/client.rs"],
    compile:
      "cd lossd && cargo add -q --dev tokio@1 --features macros,rt-multi-thread && cargo build -q --example client",
    run: "../target/debug/examples/client",
  },
  ofOpenApiGenerator("python", {
    options: "-p packageName=lossd",
    needs: ["java -version", "mvn -version", "python3 -m venv --help"],
    install: `${PYTHON.install} && ${GENERATOR_JAR}`,
    program: ["openapi-generator.py", "client.py"],
    compile: "python -m compileall -q lossd/lossd",
    run: "PYTHONPATH=lossd python client.py",
  }),
  ofOpenApiGenerator("typescript-fetch", {
    program: ["typescript-fetch.ts", "client.ts"],
    compile: `${npmInstall} && ${TSC}`,
    run: "node out/client.js",
  }),
  ofOpenApiGenerator("typescript-axios", {
    program: ["typescript-axios.ts", "client.ts"],
    compile: `${npmInstall} && ${TSC}`,
    run: "node out/client.js",
  }),
  ofOpenApiGenerator("ruby", {
    needs: ["java -version", "mvn -version", "ruby -r typhoeus -e ''"],
    program: ["ruby.rb", "client.rb"],
    compile: "find lossd/lib -name '*.rb' -exec ruby -c {} + > /dev/null",
    run: "ruby client.rb",
  }),
  ofOpenApiGenerator("php", {
    // The HTTP libraries of Ruby and PHP come from the system, for example from Debian's ruby-typhoeus and php-guzzlehttp-guzzle.
    needs: [
      "java -version",
      "mvn -version",
      "php --version",
      "php -r 'exit((int) !@include \"GuzzleHttp/autoload.php\");'",
    ],
    program: ["php.php", "client.php"],
    compile: "find lossd/lib -name '*.php' | xargs -n 1 php -l > /dev/null",
    run: "php client.php",
  }),
  ofOpenApiGenerator("perl", {
    // Debian has the modules as libwww-perl, libjson-perl, libclass-accessor-perl, liburi-query-perl and the like.
    needs: [
      "java -version",
      "mvn -version",
      "perl -MLWP -MJSON -MClass::Accessor -MClass::Inspector -MDate::Parse -MDateTime -MLog::Any -MModule::Find -MMoose -MURI::Query -e 1",
    ],
    program: ["perl.pl", "client.pl"],
    compile: "perl -c client.pl",
    run: "perl client.pl",
  }),
  ofOpenApiGenerator("cpp-restsdk", {
    // Debian has the C++ REST SDK as libcpprest-dev.
    needs: [
      "java -version",
      "mvn -version",
      "cmake --version",
      "echo '#include <cpprest/http_client.h>' | c++ -fsyntax-only -x c++ -",
    ],
    program: ["cpp-restsdk.cpp", "client.cpp"],
    compile:
      "cmake -S lossd -B build -DCMAKE_CXX_FLAGS=-O0 && cmake --build build -j 2 && c++ -O0 -I lossd/include client.cpp build/*.a -lcpprest -lssl -lcrypto -o client",
    run: "./client",
  }),
  ofOpenApiGenerator("ocaml", {
    // Debian has them as ocaml-dune, libcohttp-lwt-unix-ocaml-dev, libppx-deriving-ocaml-dev and libppx-deriving-yojson-ocaml-dev.
    needs: [
      "java -version",
      "mvn -version",
      "dune --version",
      "ocamlfind query cohttp-lwt-unix ppx_deriving_yojson",
    ],
    program: ["ocaml.ml", "client.ml"],
    compile:
      'sed -i "s#http://localhost#$LOSSD_URL#" lossd/src/support/request.ml && mv lossd/dune-project lossd/openapi.opam . && echo "(executable (name client) (libraries openapi lwt.unix))" > dune && dune build --root . ./client.exe',
    run: "_build/default/client.exe",
  }),
  ...["csharp", "dart", "elixir"].map((language) => ofOpenApiGenerator(language)),
];
