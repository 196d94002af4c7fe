"""Asks each operation through tritonclient, inputs and outputs as bytes and in JSON: python3 tritonclient-tour.py HOST:PORT."""
import sys

import ml_dtypes
import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

client = http.InferenceServerClient(sys.argv[1])
assert client.is_server_live() and client.is_server_ready()
assert "binary_tensor_data" in client.get_server_metadata()["extensions"]

logits = np.random.default_rng(0).standard_normal((4, 5))
classes = np.array([1, 0, 4, 2])


def log_softmax(x):
    shifted = x - x.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def expected(model, x):
    scores = x if model == "nll_loss" else log_softmax(x)
    return scores if model == "log_softmax" else np.array(-scores[np.arange(4), classes].mean())


agree = 0
for model in ("log_softmax", "nll_loss", "cross_entropy"):
    assert client.is_model_ready(model) and client.is_model_ready(model, "1")
    assert client.get_model_metadata(model)["name"] == model
    name = "output" if model == "log_softmax" else "loss"
    for datatype, dtype in (("FP32", np.float32), ("FP64", np.float64)):
        x = logits.astype(dtype)
        for binary_in in (True, False):
            inputs = [http.InferInput("input", x.shape, datatype).set_data_from_numpy(x, binary_data=binary_in)]
            if model != "log_softmax":
                target = http.InferInput("target", classes.shape, "INT64")
                inputs.append(target.set_data_from_numpy(classes, binary_data=binary_in))
            for outputs in (None, True, False):
                wanted = outputs if outputs is None else [http.InferRequestedOutput(name, binary_data=outputs)]
                options = {"dim": 1} if model == "log_softmax" else {"return_grad": False}
                result = client.infer(model, inputs, outputs=wanted, parameters=options)
                got = result.as_numpy(name)
                assert got.dtype == dtype, got.dtype
                np.testing.assert_allclose(got, expected(model, x), rtol=1e-5)
                agree += 1

# 16-bit floats, gradients, a target without dimensions, and numbers that JSON has no literal for.
for datatype, dtype in (("FP16", np.float16), ("BF16", ml_dtypes.bfloat16)):
    inputs = [
        http.InferInput("input", [5], datatype).set_data_from_numpy(logits[0].astype(dtype)),
        http.InferInput("target", [], "INT64").set_data_from_numpy(np.array(1)),
    ]
    for binary_out in (True, False):
        wanted = [http.InferRequestedOutput(name, binary_data=binary_out) for name in ("grad_input", "loss")]
        result = client.infer("cross_entropy", inputs, outputs=wanted, parameters={"return_grad": True})
        loss, grad = result.as_numpy("loss"), result.as_numpy("grad_input")
        assert (loss.dtype, loss.shape, grad.dtype, grad.shape) == (dtype, (), dtype, (5,))
        assert abs(float(loss) + log_softmax(logits)[0, 1]) < 0.02 and abs(grad.astype(float).sum()) < 0.02
        agree += 1
for binary in (True, False):
    infinite = np.array([0, -np.inf], dtype=np.float32)
    inputs = [http.InferInput("input", [2], "FP32").set_data_from_numpy(infinite, binary_data=binary)]
    wanted = [http.InferRequestedOutput("output", binary_data=binary)]
    result = client.infer("log_softmax", inputs, outputs=wanted, parameters={"dim": 0})
    np.testing.assert_array_equal(result.as_numpy("output"), infinite)
    agree += 1

assert not client.is_model_ready("mse_loss") and not client.is_model_ready("cross_entropy", "2")
try:
    client.infer("cross_entropy", inputs[:1])
    raise SystemExit("a request without target was taken")
except InferenceServerException as error:
    assert "/inputs: target: required" in str(error), error
print(f"{agree} answers agree")
