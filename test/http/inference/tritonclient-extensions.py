"""Asks for configurations and statistics through tritonclient: python3 tritonclient-extensions.py HOST:PORT."""
import sys

import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

client = http.InferenceServerClient(sys.argv[1])
extensions = client.get_server_metadata()["extensions"]
assert {"model_configuration", "statistics"} <= set(extensions), extensions


def counts(model, version=""):
    (stats,) = client.get_inference_statistics(model, version)["model_stats"]
    assert (stats["name"], stats["version"]) == (model, "1")
    return stats["inference_stats"]


for model in ("log_softmax", "nll_loss", "cross_entropy"):
    metadata = client.get_model_metadata(model)
    config = client.get_model_config(model)
    assert config == client.get_model_config(model, "1") and config["name"] == model
    assert {tensor["name"] for tensor in config["output"]} <= {tensor["name"] for tensor in metadata["outputs"]}
    before = counts(model)
    x = np.zeros((2, 3), dtype=np.float32)
    inputs = [http.InferInput("input", x.shape, "FP32").set_data_from_numpy(x)]
    if model != "log_softmax":
        classes = np.array([0, 2])
        inputs.append(http.InferInput("target", classes.shape, "INT64").set_data_from_numpy(classes))
    # As perf_analyzer: each output of the metadata, as bytes.
    wanted = [http.InferRequestedOutput(tensor["name"], binary_data=True) for tensor in metadata["outputs"]]
    for _ in range(3):
        result = client.infer(model, inputs, outputs=wanted)
        assert result.as_numpy(config["output"][0]["name"]) is not None
    try:
        client.infer(model, inputs, parameters={"dimension": 1})
        raise SystemExit("an unknown parameter was taken")
    except InferenceServerException:
        pass
    after = counts(model, "1")
    assert after["success"]["count"] - before["success"]["count"] == 3, after
    assert after["fail"]["count"] - before["fail"]["count"] == 1, after
    assert after["compute_infer"]["ns"] > before["compute_infer"]["ns"], after
assert len(client.get_inference_statistics()["model_stats"]) == 3
print("statistics agree")
