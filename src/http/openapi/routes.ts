/** Serves the contract as documents: GET /openapi.json, /openapi.yaml and /openapi-3.0.json. */
import swagger from "@fastify/swagger";
import type { FastifyInstance } from "fastify";
import type { OpenAPIV3_1 } from "openapi-types";
import { VERSION } from "../../version.ts";
import { StaticDocument } from "../static/document.ts";
import type { Document } from "./openapi.ts";
import { extendDocument } from "./openapi.ts";
import { toOpenApi30 } from "./openapi-3.0.ts";

/** Relative links from /docs/, because they also work below a proxy's path. */
const DESCRIPTION = `PyTorch's \`log_softmax\`, \`nll_loss\`, \`cross_entropy\` and \`kl_div\`, with their gradients, for programs that are not in a Python process.

Tensors are nested lists, or objects with \`shape\` and \`data\` or \`base64\`. Unknown fields are rejected, so a misspelt option is never silently ignored. Non-finite numbers are the strings "NaN", "Infinity", "-Infinity". Errors are RFC 9457 problem documents with a stable \`code\`.

[The guide](../guide/) has a quickstart, recipes, formats and error codes. [The playground](../) shows the steps of a loss as pictures; [openapi-3.0.json](../openapi-3.0.json) is this contract for SDK generators.`;

/** Must be registered before the routes that it describes. */
export async function registerOpenApi(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "lossd",
        version: VERSION,
        summary: "PyTorch's classification losses over HTTP",
        description: DESCRIPTION,
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      servers: [{ url: "/", description: "This server" }],
      tags: [
        { name: "lossd", description: "The losses and the state of the server." },
        { name: "inference", description: "The losses as models of the Open Inference Protocol." },
      ],
      // Optional because the operator configures tokens.
      security: [{}, { bearer: [] }],
      components: { securitySchemes: { bearer: { type: "http", scheme: "bearer" } } },
    },
    refResolver: {
      buildLocalReference: (schema, _base, _fragment, index) => String(schema.$id ?? `def-${index}`),
    },
    transformObject: (document) => {
      if (!("openapiObject" in document)) return document.swaggerObject;
      extendDocument(document.openapiObject as Document);
      return document.openapiObject;
    },
  });
}

export function registerDocs(app: FastifyInstance): void {
  const hidden = { schema: { hide: true } };
  const contracts = [
    { path: "/openapi.json", type: "application/json; charset=utf-8", write: openApiJson },
    { path: "/openapi.yaml", type: "application/yaml", write: openApiYaml },
    { path: "/openapi-3.0.json", type: "application/json; charset=utf-8", write: openApi30Json },
  ];
  for (const { path, type, write } of contracts) {
    const contract = new StaticDocument(() => Buffer.from(write(app)));
    app.get(path, hidden, (request, reply) => contract.send(request, reply, { "content-type": type }));
  }
}

/** The bytes of openapi/openapi.json. */
export function openApiJson(app: FastifyInstance): string {
  return `${JSON.stringify(app.swagger(), null, 2)}\n`;
}

/** The bytes of openapi/openapi-3.0.json. */
export function openApi30Json(app: FastifyInstance): string {
  return `${JSON.stringify(toOpenApi30(app.swagger() as OpenAPIV3_1.Document), null, 2)}\n`;
}

/** The bytes of openapi/openapi.yaml. */
export function openApiYaml(app: FastifyInstance): string {
  return app.swagger({ yaml: true });
}
