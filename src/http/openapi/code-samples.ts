/** Code samples that API references show (`x-codeSamples`). docs/formats.md has the same samples, and its test runs them. */

export interface CodeSample {
  readonly lang: "Shell" | "Python" | "TypeScript";
  readonly label: string;
  readonly source: string;
}

/** Samples by path, in display order. */
export const CODE_SAMPLES: Readonly<Record<string, readonly CodeSample[]>> = {
  "/v1/cross_entropy": [
    {
      lang: "Shell",
      label: "curl",
      source: `curl -T request.safetensors -X POST -H 'content-type: application/vnd.safetensors' -H 'accept: application/json' \\
  'http://127.0.0.1:8080/v1/cross_entropy?return_grad=true'`,
    },
    {
      lang: "Python",
      label: "numpy and safetensors",
      source: `import urllib.request
import numpy as np
from safetensors.numpy import load, save

logits = np.zeros((1, 2), dtype=np.float32)
classes = np.array([1])

request = urllib.request.Request(
    "http://127.0.0.1:8080/v1/cross_entropy?return_grad=true",
    data=save({"input": logits, "target": classes}),
    headers={"content-type": "application/vnd.safetensors"},
)
result = load(urllib.request.urlopen(request).read())
print(result["loss"], result["grad_input"])`,
    },
    {
      lang: "TypeScript",
      label: "fetch",
      source: `type Part = { dtype: string; shape: number[]; data: Uint8Array | Float32Array | BigInt64Array };

function safetensors(tensors: Record<string, Part>): Blob {
  let end = 0;
  const entries = Object.entries(tensors).map(([name, { dtype, shape, data }]) => {
    const begin = end;
    end += data.byteLength;
    return [name, { dtype, shape, data_offsets: [begin, end] }];
  });
  const header = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const parts = Object.values(tensors).map(({ data }) => data as BlobPart);
  return new Blob([new BigUint64Array([BigInt(header.length)]), header, ...parts]);
}

const body = safetensors({
  target: { dtype: "I64", shape: [1], data: new BigInt64Array([1n]) },
  input: { dtype: "F32", shape: [1, 2], data: new Float32Array([0, 0]) },
});
const response = await fetch("http://127.0.0.1:8080/v1/cross_entropy", {
  method: "POST",
  headers: { "content-type": "application/vnd.safetensors", accept: "application/json" },
  body,
});
console.log(await response.json());`,
    },
  ],
  "/v2/models/cross_entropy/infer": [
    {
      lang: "Shell",
      label: "curl",
      source: `curl http://127.0.0.1:8080/v2/models/cross_entropy/infer -H 'content-type: application/json' -d '
{"inputs": [{"name": "input", "shape": [1, 2], "datatype": "FP32", "data": [0, 0]},
            {"name": "target", "shape": [1], "datatype": "INT64", "data": [1]}],
 "parameters": {"return_grad": true}}'`,
    },
    {
      lang: "Python",
      label: "numpy and tritonclient",
      source: `import numpy as np
import tritonclient.http as http

logits = np.zeros((1, 2), dtype=np.float32)
classes = np.array([1])

client = http.InferenceServerClient("127.0.0.1:8080")
inputs = [http.InferInput("input", logits.shape, "FP32"), http.InferInput("target", classes.shape, "INT64")]
inputs[0].set_data_from_numpy(logits)
inputs[1].set_data_from_numpy(classes)
result = client.infer("cross_entropy", inputs, parameters={"return_grad": True})
print(result.as_numpy("loss"), result.as_numpy("grad_input"))`,
    },
    {
      lang: "TypeScript",
      label: "fetch",
      source: `const response = await fetch("http://127.0.0.1:8080/v2/models/cross_entropy/infer", {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({
    inputs: [
      { name: "input", shape: [1, 2], datatype: "FP32", data: [0, 0] },
      { name: "target", shape: [1], datatype: "INT64", data: [1] },
    ],
  }),
});
const { outputs } = await response.json();
console.log({ [outputs[0].name]: outputs[0].data[0] });`,
    },
  ],
};
