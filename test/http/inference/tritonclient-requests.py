"""Writes tritonclient-requests.json: what tritonclient[http] sends, byte by byte, and what NumPy says of it: python3 tritonclient-requests.py

Then: npm run format."""
import json
import os
import socket
import threading

import ml_dtypes
import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

REFUSAL = b'HTTP/1.1 400 Bad Request\r\ncontent-length: 13\r\nconnection: close\r\n\r\n{"error":"x"}'
LOGITS = np.array([[0.5, -0.5, 1], [2, 0, 1]])
CLASSES = np.array([2, 0])
WEIGHT = np.array([1.0, 2.0, 0.5])
ROWS = np.arange(2)


def receive(server, into):
    """Reads one request and refuses it."""
    connection, _ = server.accept()
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
    while len(body) < int(headers["content-length"]):
        body += connection.recv(65536)
    connection.sendall(REFUSAL)
    connection.close()
    into.append((lines[0].split(" ")[1], headers, body))


def record(title, expected, *arguments, **options):
    with socket.create_server(("127.0.0.1", 0)) as server:
        got = []
        thread = threading.Thread(target=receive, args=(server, got))
        thread.start()
        try:
            http.InferenceServerClient(f"127.0.0.1:{server.getsockname()[1]}").infer(*arguments, **options)
        except InferenceServerException:
            pass
        thread.join()
    path, headers, body = got[0]
    for name in ("host", "content-length"):
        del headers[name]
    length = int(headers.get("inference-header-content-length", len(body)))
    return {
        "title": title,
        "path": path,
        "headers": headers,
        "json": body[:length].decode(),
        "bytes": body[length:].hex(),
        "outputs": {name: np.ravel(value).tolist() for name, value in expected.items()},
    }


def tensor(name, values, datatype, binary=True):
    return http.InferInput(name, list(values.shape), datatype).set_data_from_numpy(values, binary_data=binary)


def wanted(binary, *names):
    return [http.InferRequestedOutput(name, binary_data=binary) for name in names]


scores = LOGITS - np.log(np.exp(LOGITS).sum(axis=1, keepdims=True))
picked = -scores[ROWS, CLASSES]
smooth = np.full((2, 3), 0.25 / 3)
smooth[ROWS, CLASSES] += 0.75

requests = []
for binary in (True, False):
    form = "bytes" if binary else "JSON"
    logits = tensor("input", LOGITS.astype(np.float32), "FP32", binary)
    requests.append(record(f"log_softmax, {form}, all outputs", {"output": scores}, "log_softmax", [logits], parameters={"dim": 1}))
    weighted = [
        tensor("input", LOGITS, "FP64", binary),
        tensor("target", CLASSES.astype(np.int32), "INT32", binary),
        tensor("weight", WEIGHT, "FP64", binary),
    ]
    requests.append(record(
        f"nll_loss, {form}, with weights, of version 1",
        {"loss": -(LOGITS[ROWS, CLASSES] * WEIGHT[CLASSES]).sum(), "total_weight": WEIGHT[CLASSES].sum()},
        "nll_loss", weighted, outputs=wanted(binary, "loss", "total_weight"),
        parameters={"ignore_index": -1, "reduction": "sum"}, model_version="1",
    ))
    requests.append(record(
        f"cross_entropy, {form}, with its gradient and an id",
        {"grad_input": (np.exp(scores) - smooth) / 2, "loss": -(smooth * scores).sum() / 2},
        "cross_entropy", [logits, tensor("target", CLASSES, "INT64", binary)], outputs=wanted(binary, "grad_input", "loss"),
        parameters={"return_grad": True, "label_smoothing": 0.25}, request_id="7",
    ))
requests.append(record(
    "cross_entropy, bfloat16 as bytes, classes in JSON", {"losses": picked}, "cross_entropy",
    [tensor("input", LOGITS.astype(ml_dtypes.bfloat16), "BF16"), tensor("target", CLASSES.astype(np.uint8), "UINT8", False)],
    outputs=wanted(False, "losses"), parameters={"reduction": "none"},
))
requests.append(record(
    "cross_entropy of one row in float16, for one class", {"loss": picked[0]}, "cross_entropy",
    [tensor("input", LOGITS[0].astype(np.float16), "FP16"), tensor("target", np.array(2), "INT64")], outputs=wanted(True, "loss"),
))
with open(os.path.join(os.path.dirname(__file__), "tritonclient-requests.json"), "w") as file:
    json.dump(requests, file, indent=2)
    file.write("\n")
