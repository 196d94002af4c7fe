"""Files that the reference implementation writes, and what it reads. It cannot have the format's name, which Python would then import.

    python files.py > files.json
    python files.py FILE

The first writes files in base64; the second prints the tensors and the metadata of a file as JSON. Needs safetensors and numpy.
"""
import base64
import json
import sys

import numpy as np
from safetensors import TensorSpec, deserialize, safe_open, serialize
from safetensors.numpy import save

INPUT = np.array([[2, 1, 0], [-1, 0.5, 0.25]])
TARGET = np.array([0, -100])
WEIGHT = np.array([1, 2, 0.5])
BFLOAT16 = np.array([0x3F80, 0x4000, 0x3F00], "uint16")


def files():
    # numpy has no bfloat16, so its file is made from bits.
    bfloat16 = TensorSpec(dtype="bfloat16", shape=[3], data_ptr=BFLOAT16.ctypes.data, data_len=BFLOAT16.nbytes)
    return {
        "nothing": save({}),
        "a loss": save(
            {
                "input": INPUT.astype("float32"),
                "target": TARGET.astype("int64"),
                "weight": WEIGHT.astype("float32"),
            }
        ),
        "metadata": save({"input": INPUT.astype("float64")}, {"é\"\\\n\x01/": "π 𝄞"}),
        "float16": save({"input": INPUT.astype("float16")}),
        "bfloat16": serialize({"input": bfloat16}),
        "small integers": save({"a": TARGET.astype("int32"), "b": np.array([1, 2, 255], "uint8")}),
        "no elements": save({"b": np.zeros((0, 3), "float32"), "a": np.zeros((2, 0), "float32")}),
        "some elements between none": save(
            {"a": np.zeros((0,), "int64"), "b": np.ones((2,), "int32"), "c": np.zeros((1, 0), "uint8")}
        ),
        "a number": save({"": np.array(1.5, "float32")}),
        "8 dimensions": save({"input": np.zeros((1, 1, 1, 2, 1, 1, 1, 1), "float32")}),
        "odd names": save({name: np.array([7], "uint8") for name in ["10", "9", "__proto__", "constructor", "a/b~c"]}),
    }


def read(path):
    with open(path, "rb") as file:
        tensors = {
            name: {"dtype": info["dtype"], "shape": info["shape"], "data": bytes(info["data"]).hex()}
            for name, info in deserialize(file.read())
        }
    with safe_open(path, "np") as file:
        return {"tensors": tensors, "metadata": file.metadata()}


if len(sys.argv) > 1:
    print(json.dumps(read(sys.argv[1])))
else:
    print(json.dumps({name: base64.b64encode(data).decode() for name, data in files().items()}, indent=2, ensure_ascii=False))
