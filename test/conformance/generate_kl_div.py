"""Writes the cases of kl_div to kl-div-cases.jsonl, in the format that README.md describes.

    python generate_kl_div.py

Deterministic for one PyTorch version: a grid of dtypes, reductions, special values and shapes, then random cases. With
from_logits, the answer is that of kl_div over log_softmax of both operands, with log_target. Cases are left out as in
generate.py.
"""
import itertools
import json
import math
import pathlib
import random

import torch
import torch.nn.functional as F

from generate import TOLERANCE, dtype_of, name, random_shape, record, tolerance, well_conditioned

random.seed(11)
torch.manual_seed(11)

DTYPES = list(TOLERANCE)
OPTIONS = ("reduction", "size_average", "reduce", "log_target", "from_logits", "dim", "temperature")
SPECIAL = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, -1.0, 100.0, 3e38, 1e-40]
REDUCTIONS = ["none", "mean", "sum", "batchmean"]


def kl_div(x, t, from_logits=False, dim=-1, temperature=1, **options):
    if not from_logits:
        return F.kl_div(x, t, **options)
    x, t = (F.log_softmax(logits / temperature, dim) for logits in (x, t))
    return F.kl_div(x, t, log_target=True, **options)


def compute(case, tensors, widen):
    """PyTorch's answer; with `widen` from the same numbers in float64."""
    cast = {key: t.double() if widen else t.clone() for key, t in tensors.items()}
    x, t = cast["input"], cast["target"]
    wanted = [key for key, flag in (("input", "grad"), ("target", "grad_target")) if case.get(flag)]
    for key in wanted:
        cast[key].requires_grad_(True)
    output = kl_div(x, t, **{key: case[key] for key in OPTIONS if key in case})
    answer = {"output": output.detach()}
    if wanted:
        grads = torch.autograd.grad(output, [cast[key] for key in wanted], cast.get("grad_output"))
        answer |= {f"grad_{key}": grad for key, grad in zip(wanted, grads)}
    return answer


def finish(case, tensors):
    """The case with its answer, or None if rounding decides the answer."""
    try:
        answer = compute(case, tensors, widen=False)
        # The losses' dtype is known only now.
        rtol, atol = tolerance({}, tensors, answer)
        if not well_conditioned(answer, compute(case, tensors, widen=True), rtol, atol):
            return None
        case["expect"] = {key: record(value) for key, value in answer.items()}
        case["tol"] = {"rtol": rtol, "atol": atol}
    except (RuntimeError, ValueError, IndexError) as error:
        case["expect_error"] = True
        case["error"] = {"type": type(error).__name__, "message": str(error).split("\n")[0]}
    return {**case, **{key: record(tensor) for key, tensor in tensors.items()}}


def operands(shape, x_dtype, t_dtype, case):
    """Log-probabilities and probabilities, or what the options call for, with zeros and one-hot rows among them."""
    x = -torch.rand(shape, dtype=torch.float64) * random.choice([1, 5, 20])
    t = torch.rand(shape, dtype=torch.float64)
    if case.get("from_logits"):
        x, t = torch.randn(shape, dtype=torch.float64) * 3, torch.randn(shape, dtype=torch.float64) * 3
    elif case.get("log_target"):
        t = -t * random.choice([1, 5])
    elif random.random() < 0.5:
        t = torch.where(torch.rand(shape) < 0.4, torch.zeros(()).double(), t)
    return {"input": x.to(dtype_of(x_dtype)), "target": t.to(dtype_of(t_dtype))}


def add_grads(case, tensors, shape):
    case["grad"] = case["grad_target"] = True
    promoted = torch.promote_types(tensors["input"].dtype, tensors["target"].dtype)
    output = shape if case.get("reduction") == "none" or case.get("reduce") is False else []
    if math.prod(output) != 1 or random.random() < 0.5:
        tensors["grad_output"] = torch.randn(output, dtype=torch.float64).to(promoted)


def grid():
    kinds = [{}, {"log_target": True}, {"from_logits": True}]
    for x, t, reduction, kind in itertools.product(DTYPES, DTYPES, REDUCTIONS, kinds):
        case = {"id": f"kl/dtypes/{x}-{t}-{reduction}-{next(iter(kind), 'plain')}", "reduction": reduction, **kind}
        tensors = operands([3, 5], x, t, case)
        add_grads(case, tensors, [3, 5])
        yield case, tensors
    for value, (at, kind), dtype in itertools.product(SPECIAL, enumerate(kinds), DTYPES):
        for operand in ("input", "target"):
            case = {"id": f"kl/special/{value}-{operand}-{at}-{dtype}", "reduction": "none", **kind}
            tensors = operands([2, 4], dtype, dtype, case)
            tensors[operand][0, 1] = value
            add_grads(case, tensors, [2, 4])
            yield case, tensors
    for x, t, dtype, log in itertools.product(SPECIAL, SPECIAL, ["float64", "float32"], [False, True]):
        case = {"id": f"kl/pair/{x}-{t}-{dtype}-{log}", "reduction": "none", "log_target": log, "grad": True, "grad_target": True}
        pair = {key: torch.tensor([value], dtype=dtype_of(dtype)) for key, value in (("input", x), ("target", t))}
        yield case, pair
    for shape, reduction, kind in itertools.product([[], [0], [1], [0, 3], [3, 0], [2, 0, 2], [1, 1], [2, 1, 3]], REDUCTIONS, kinds):
        case = {"id": f"kl/shape/{shape}-{reduction}-{next(iter(kind), 'plain')}", "reduction": reduction, **kind}
        tensors = operands(shape, "float32", "float32", case)
        add_grads(case, tensors, shape)
        yield case, tensors
    for size_average, reduce, reduction in itertools.product([None, True, False], [None, True, False], ["batchmean", "bogus", "sum"]):
        if size_average is None and reduce is None and reduction == "sum":
            continue
        case = {"id": f"kl/legacy/{size_average}-{reduce}-{reduction}", "reduction": reduction}
        case |= {key: value for key, value in (("size_average", size_average), ("reduce", reduce)) if value is not None}
        tensors = operands([3, 2], "float32", "float32", case)
        add_grads(case, tensors, [3, 2])
        yield case, tensors
    for x, t in itertools.product(["float32", "int64", "uint8"], repeat=2):
        if (x, t) != ("float32", "float32"):
            yield {"id": f"kl/err/{x}-{t}"}, operands([2, 2], x, t, {})
    for dim in (-4, -3, -2, -1, 0, 1, 2, 3):
        case = {"id": f"kl/dim/{dim}", "from_logits": True, "dim": dim, "temperature": 1.5, "reduction": "batchmean", "grad": True}
        yield case, operands([2, 3, 4], "float32", "float32", case)
    for dim in (-2, -1, 0, 1):
        yield {"id": f"kl/dim/scalar{dim}", "from_logits": True, "dim": dim}, operands([], "float32", "float32", {"from_logits": True})
    for target in ([2, 2], [2, 4], [4]):
        case = {"id": f"kl/err/shape-{target}"}
        yield case, {"input": torch.zeros(2, 3), "target": torch.ones(target)}
    for dtype in ("float16", "bfloat16"):
        for reduction in ("sum", "mean", "batchmean"):
            case = {"id": f"kl/overflow/{dtype}-{reduction}", "reduction": reduction, "grad": True}
            yield case, {"input": torch.full((4, 4), -3e4).to(dtype_of(dtype)), "target": torch.ones(4, 4).to(dtype_of(dtype))}


def random_case(number):
    case = {"id": f"kl/{number}"}
    if random.random() < 0.8:
        case["reduction"] = random.choice(REDUCTIONS)
    kind = random.randrange(4)
    shape = random_shape("log_softmax")
    if kind == 1:
        case["log_target"] = True
    if kind >= 2:
        case["from_logits"] = True
        if random.random() < 0.7:
            rank = max(len(shape), 1)
            case["dim"] = random.randint(-rank, rank - 1)
        if random.random() < 0.7:
            case["temperature"] = random.choice([0.5, 2.0, 4.0, 1.7, 20.0])
    x = random.choice(["float32"] * 4 + DTYPES)
    t = x if random.random() < 0.7 else random.choice(DTYPES)
    tensors = operands(shape, x, t, case)
    if random.random() < 0.7:
        add_grads(case, tensors, shape)
        for flag in ("grad", "grad_target"):
            if random.random() < 0.2 and case.get("grad") and case.get("grad_target"):
                case.pop(flag)
    return case, tensors


def main():
    tried = [*grid(), *(random_case(number) for number in range(400))]
    cases = []
    for case, tensors in tried:
        tags = [f"in:{name(tensors['input'].dtype)}"]
        head = {"id": case.pop("id"), "op": "kl_div", "tags": tags, **case}
        cases.append(finish(head, tensors))
    kept = [case for case in cases if case is not None]
    path = pathlib.Path(__file__).with_name("kl-div-cases.jsonl")
    path.write_text("".join(json.dumps(case) + "\n" for case in kept))
    errors = sum("expect_error" in case for case in kept)
    print(f"PyTorch {torch.__version__}: {len(kept)} cases, {errors} refusals, of {len(tried)} tried")


main()
