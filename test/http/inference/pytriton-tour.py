"""Asks each operation through nvidia-pytriton's clients: python3 pytriton-tour.py http://HOST:PORT."""
import asyncio
import sys

import numpy as np
from pytriton.client import AsyncioModelClient, ModelClient

URL = sys.argv[1]
LOGITS = np.random.default_rng(0).standard_normal((4, 5)).astype(np.float32)
CLASSES = np.array([1, 0, 4, 2])


def log_softmax(x):
    shifted = x - x.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def expected(model):
    scores = LOGITS if model == "nll_loss" else log_softmax(LOGITS)
    return scores if model == "log_softmax" else np.array(-scores[np.arange(4), CLASSES].mean())


def check(model, answer):
    name = "output" if model == "log_softmax" else "loss"
    assert list(answer) == [name], answer
    np.testing.assert_allclose(answer[name], expected(model), rtol=1e-5)


async def ask_later(model, inputs, parameters):
    async with AsyncioModelClient(URL, model) as client:
        return await client.infer_sample(*inputs, parameters=parameters)


agree = 0
for model in ("log_softmax", "nll_loss", "cross_entropy"):
    inputs = [LOGITS] if model == "log_softmax" else [LOGITS, CLASSES]
    parameters = {"dim": 1} if model == "log_softmax" else {}
    with ModelClient(URL, model, model_version="1") as client:
        config = client.model_config
        assert config.model_name == model and config.max_batch_size == 0 and not config.decoupled
        required = [spec.name for spec in config.inputs if not spec.optional]
        assert required == ["input", "target"][: len(inputs)], required
        check(model, client.infer_sample(*inputs, parameters=parameters))
    check(model, asyncio.run(ask_later(model, inputs, parameters)))
    agree += 2
print(f"{agree} answers agree")
