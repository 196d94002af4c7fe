"""PyTorch beside lossd, on one thread. It stays alive and answers each line of JSON on standard input with one line, so that both take turns.

{"do": "prepare", "operation": "cross_entropy", "shape": [64, 10], "backward": true}  readies a computation; the class dimension is 1
{"do": "measure", "time": 150}                                                        {"best": its fastest run in milliseconds}
{"do": "accuracy", "rows": 2, "classes": 3, "input": path, "target": path, "output": path}
    reads float32 logits and int64 targets; writes float32 log_softmax, losses and the gradient of their sum, one after the other
"""
import ctypes
import json
import platform
import sys
import time

import torch
import torch.nn.functional as F

torch.set_num_threads(1)
torch.manual_seed(1)


def prepare(operation, shape, backward):
    x = torch.rand(shape) * 10 - 5
    target = torch.arange(x.numel() // shape[1]).mul(7919).remainder(shape[1]).view([shape[0], *shape[2:]])
    if operation == "log_softmax":
        return lambda: F.log_softmax(x, 1)
    if not backward:
        return lambda: F.cross_entropy(x, target)
    x.requires_grad_()
    return lambda: torch.autograd.grad(F.cross_entropy(x, target), x)


def measure(work, milliseconds):
    best = float("inf")
    end = time.perf_counter() + milliseconds / 1000
    while True:
        start = time.perf_counter()
        work()
        now = time.perf_counter()
        best = min(best, now - start)
        if now >= end:
            return best * 1000


def read(path, dtype, shape):
    with open(path, "rb") as file:
        return torch.frombuffer(bytearray(file.read()), dtype=dtype).view(shape)


def accuracy(request):
    x = read(request["input"], torch.float32, [request["rows"], request["classes"]]).requires_grad_()
    target = read(request["target"], torch.int64, [request["rows"]])
    losses = F.cross_entropy(x, target, reduction="none")
    (gradient,) = torch.autograd.grad(losses.sum(), x)
    with open(request["output"], "wb") as file:
        for tensor in (F.log_softmax(x, 1), losses, gradient):
            stored = tensor.detach().contiguous()
            file.write(ctypes.string_at(stored.data_ptr(), stored.numel() * stored.element_size()))


def main():
    print(json.dumps({"version": torch.__version__, "python": platform.python_version()}), flush=True)
    work = None
    for line in sys.stdin:
        request = json.loads(line)
        answer = {}
        if request["do"] == "prepare":
            work = None  # frees the last one's memory first
            work = prepare(request["operation"], request["shape"], request["backward"])
        elif request["do"] == "measure":
            answer["best"] = measure(work, request["time"])
        else:
            accuracy(request)
        print(json.dumps(answer), flush=True)


main()
