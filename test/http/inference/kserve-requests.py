"""Writes what KServe's SDK sends of an inference, in JSON and as bytes: python3 kserve-requests.py > kserve-requests.json

Then: npm run format. The versions recorded are named in the file, one after another; give the file of the last run as an argument to add to it."""
import importlib.metadata
import json
import sys

import numpy as np
from kserve import InferInput, InferRequest

version = importlib.metadata.version("kserve")
rows = json.load(open(sys.argv[1])) if len(sys.argv) > 1 else []
for binary in (True, False):
    inputs = []
    for name, values, datatype in (
        ("input", np.array([[0.5, -0.5, 1], [2, 0, 1]], dtype=np.float32), "FP32"),
        ("target", np.array([2, 0]), "INT64"),
    ):
        tensor = InferInput(name, list(values.shape), datatype)
        tensor.set_data_from_numpy(values, binary_data=binary)
        inputs.append(tensor)
    parameters = {"reduction": "sum"}
    request = InferRequest("cross_entropy", inputs, request_id="7", parameters=parameters)
    body, length = request.to_rest()
    if length is None:
        body = json.dumps(body).encode()
    rows.append(
        {
            "title": f"kserve {version}, {'bytes' if binary else 'JSON'}",
            "headers": {"content-type": "application/json"}
            if length is None
            else {"content-type": "application/octet-stream", "inference-header-content-length": str(length)},
            "json": body[:length].decode(),
            "bytes": body[length:].hex() if length is not None else "",
        }
    )
print(json.dumps(rows))
