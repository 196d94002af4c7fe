"""Compresses requests, and asks for compressed answers, through tritonclient: python3 tritonclient-compression.py HOST:PORT."""
import contextlib
import io
import sys

import numpy as np
import tritonclient.http as http

# Its lines show the headers of each answer.
client = http.InferenceServerClient(sys.argv[1], verbose=True)
logits = np.random.default_rng(0).standard_normal((64, 500)).astype(np.float32)
classes = np.arange(64)
shifted = logits - logits.max(axis=1, keepdims=True)
scores = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
gradient = np.exp(scores)
gradient[np.arange(64), classes] -= 1

agree = compressed = 0
for binary in (True, False):
    inputs = [
        http.InferInput("input", logits.shape, "FP32").set_data_from_numpy(logits, binary_data=binary),
        http.InferInput("target", classes.shape, "INT64").set_data_from_numpy(classes, binary_data=binary),
    ]
    outputs = [http.InferRequestedOutput(name, binary_data=binary) for name in ("loss", "grad_input")]
    for sent in (None, "gzip", "deflate"):
        for wanted in (None, "gzip", "deflate"):
            with contextlib.redirect_stdout(io.StringIO()) as lines:
                result = client.infer(
                    "cross_entropy",
                    inputs,
                    outputs=outputs,
                    parameters={"return_grad": True},
                    request_compression_algorithm=sent,
                    response_compression_algorithm=wanted,
                )
            compressed += "'content-encoding': 'gzip'" in lines.getvalue()
            np.testing.assert_allclose(result.as_numpy("loss"), -scores[np.arange(64), classes].mean(), rtol=1e-5)
            np.testing.assert_allclose(result.as_numpy("grad_input"), gradient / 64, atol=1e-7)
            agree += 1
print(f"{agree} answers agree, {compressed} were compressed")
