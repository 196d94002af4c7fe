"""Writes pytriton-requests.json: what nvidia-pytriton's ModelClient sends to a server through a proxy, and what NumPy says of it:
python3 pytriton-requests.py HOST:PORT

Then: npm run format."""
import http.client
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from pytriton.client import ModelClient

seen = []


class Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def forward(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen.append((self.command, self.path, headers, body))
        server = http.client.HTTPConnection(sys.argv[1])
        server.request(self.command, self.path, body, headers)
        answer = server.getresponse()
        data = answer.read()
        self.send_response(answer.status)
        for name in ("content-type", "inference-header-content-length"):
            if answer.getheader(name) is not None:
                self.send_header(name, answer.getheader(name))
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = forward

    def log_message(self, *_):
        pass


proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
threading.Thread(target=proxy.serve_forever, daemon=True).start()

LOGITS = np.array([[0.5, -0.5, 1], [2, 0, 1]], dtype=np.float32)
CLASSES = np.array([2, 0])
scores = LOGITS - np.log(np.exp(LOGITS).sum(axis=1, keepdims=True))
rows = []
for model, inputs, parameters, expected in (
    ("log_softmax", [LOGITS], {"dim": 1}, {"output": scores}),
    ("nll_loss", [LOGITS, CLASSES], None, {"loss": -LOGITS[[0, 1], CLASSES].mean()}),
    ("cross_entropy", [LOGITS, CLASSES], {"reduction": "sum"}, {"loss": -scores[[0, 1], CLASSES].sum()}),
):
    seen.clear()
    with ModelClient(f"http://127.0.0.1:{proxy.server_port}", model) as client:
        client.infer_sample(*inputs, parameters=parameters)
    paths = set()
    for method, path, headers, body in seen:
        if path in paths:
            continue
        paths.add(path)
        for name in ("host", "content-length", "connection"):
            headers.pop(name, None)
        length = int(headers.get("inference-header-content-length", len(body)))
        row = {
            "title": f"{model}: {method} {path}",
            "method": method,
            "path": path,
            "headers": headers,
            "json": body[:length].decode(),
            "bytes": body[length:].hex(),
        }
        if method == "POST":
            row["outputs"] = {name: np.ravel(value).tolist() for name, value in expected.items()}
        rows.append(row)
with open(os.path.join(os.path.dirname(__file__), "pytriton-requests.json"), "w") as file:
    json.dump(rows, file, indent=2)
    file.write("\n")
