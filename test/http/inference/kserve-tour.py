"""Asks each operation through KServe's SDK, in JSON and as bytes: python3 kserve-tour.py http://HOST:PORT."""
import asyncio
import sys

import numpy as np
from kserve import InferInput, InferRequest, InferenceRESTClient, RESTConfig

url = sys.argv[1]
logits = np.random.default_rng(0).standard_normal((4, 5)).astype(np.float32)
classes = np.array([1, 0, 4, 2])
shifted = logits - logits.max(axis=1, keepdims=True)
log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
EXPECTED = {
    "log_softmax": ("output", log_probabilities),
    "nll_loss": ("loss", -logits[np.arange(4), classes].mean()),
    "cross_entropy": ("loss", -log_probabilities[np.arange(4), classes].mean()),
}


async def tour():
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    assert await client.is_server_live(url) and await client.is_server_ready(url)
    agree = 0
    for model, (output, expected) in EXPECTED.items():
        assert await client.is_model_ready(url, model)
        for binary in (True, False):
            names = ["input"] if model == "log_softmax" else ["input", "target"]
            inputs = []
            for name, values, datatype in (("input", logits, "FP32"), ("target", classes, "INT64")):
                if name in names:
                    tensor = InferInput(name, list(values.shape), datatype)
                    tensor.set_data_from_numpy(values, binary_data=binary)
                    inputs.append(tensor)
            parameters = {"dim": 1} if model == "log_softmax" else {"reduction": "mean"}
            if binary:
                parameters["binary_data_output"] = True
            request = InferRequest(model_name=model, infer_inputs=inputs, parameters=parameters)
            answer = await client.infer(url, request, model_name=model)
            assert answer.model_name == model, answer.model_name
            got = next(one for one in answer.outputs if one.name == output).as_numpy()
            np.testing.assert_allclose(got, expected, rtol=1e-5)
            agree += 1
    print(f"{agree} answers agree")


asyncio.run(tour())
