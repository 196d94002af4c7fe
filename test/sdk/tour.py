"""A tour of the Python SDK. Usage: python tour.py URL TOKEN"""

import array
import base64
import math
import sys

import lossd
from lossd import CrossEntropyRequest, DType, LogSoftmaxRequest, ProblemCode, Reduction, Tensor

passed = 0


def expect(what: str, ok: bool) -> None:
    global passed
    if not ok:
        sys.exit(f"{what}: not as expected")
    passed += 1


# Connect
url, token = sys.argv[1:]
api = lossd.LossdApi(lossd.ApiClient(lossd.Configuration(host=url, access_token=token)))

# Cross entropy with its gradient
logits = Tensor(
    shape=[3, 5],
    data=[
        2, 1, 0, -1, 0.5,
        0.25, 0.5, -0.5, 1, -1,
        1, 0.75, -0.25, 0, 2,
    ],
)
target = Tensor(shape=[3], data=[1, 0, 4])
answer = api.cross_entropy(CrossEntropyRequest(input=logits, target=target, return_grad=True))
print("loss", answer.loss, "gradient", answer.grad_input.data)
expect("loss", math.isclose(answer.loss, 1.2848786, rel_tol=1e-6))
expect("gradient", math.isclose(answer.grad_input.data[0], 0.18767375, rel_tol=1e-6))

# One loss for each row
rows = api.cross_entropy(CrossEntropyRequest(input=logits, target=target, reduction=Reduction.NONE))
expect("losses", math.isclose(rows.losses.data[2], 0.6392815, rel_tol=1e-6))

# An image: one sample, two classes, 2 x 2 pixels
image = Tensor(shape=[1, 2, 2, 2], data=[0, 1, 2, 3, 0, 0, 0, 0])
classes = Tensor(shape=[1, 2, 2], data=[0, 1, 0, 1])
pixels = api.cross_entropy(CrossEntropyRequest(input=image, target=classes))
expect("image loss", math.isclose(pixels.loss, 1.2954811, rel_tol=1e-6))

# Infinite logits
masked = Tensor(shape=[2, 2], data=[0, 0, 1, -math.inf])
logs = api.log_softmax(LogSoftmaxRequest(input=masked, dim=1))
expect("-Infinity", logs.output.data[3] == -math.inf)

# A mean over nothing
ignored = Tensor(shape=[3], data=[-100, -100, -100])
nothing = api.cross_entropy(CrossEntropyRequest(input=logits, target=ignored))
expect("NaN", math.isnan(nothing.loss) and len(nothing.warnings) == 1)

# A refusal
try:
    api.cross_entropy(CrossEntropyRequest(input=logits, target=Tensor(shape=[3], data=[1, 0, 5])))
except lossd.ApiException as refusal:
    problem = refusal.data
    print(problem.code, problem.errors[0].pointer, problem.detail)
    expect("code", problem.code == ProblemCode.TARGET_OUT_OF_BOUNDS)
    expect("pointer", problem.errors[0].pointer == "/target/data/2")

# No token
try:
    stranger = lossd.LossdApi(lossd.ApiClient(lossd.Configuration(host=url)))
    stranger.cross_entropy(CrossEntropyRequest(input=logits, target=target))
except lossd.ApiException as refusal:
    expect("unauthorized", refusal.data.code == ProblemCode.UNAUTHORIZED)

# 100000 numbers as bytes
numbers = array.array("f", (i % 7 for i in range(100_000)))
large = Tensor(dtype=DType.FLOAT32, shape=[100, 1000], base64=base64.b64encode(numbers.tobytes()).decode())
output = api.log_softmax(LogSoftmaxRequest(input=large, dim=1)).output
values = array.array("f", base64.b64decode(output.base64))
expect("base64", abs(sum(map(math.exp, values[:1000])) - 1) < 1e-5 and output.shape == large.shape)

print(passed, "steps passed")
