"""Writes the wider set of cases from a newer PyTorch, in the format that README.md describes.

    python generate.py 1000 > torch2-cases.jsonl

Deterministic for one PyTorch version. Cases whose float32, float16 or bfloat16 answer lies farther from PyTorch's own float64
answer than the tolerance are left out: sums that cancel, where the order of additions decides.
"""
import json
import math
import random
import sys
import warnings

import torch
import torch.nn.functional as F

warnings.simplefilter("ignore")
torch.set_num_threads(1)
random.seed(7)
torch.manual_seed(7)

MOST_ELEMENTS = 160
TOLERANCE = {"float64": (1e-11, 1e-12), "float32": (1.3e-6, 1e-5), "float16": (4e-3, 4e-3), "bfloat16": (2.4e-2, 3e-2)}
SPECIAL = [math.nan, math.inf, -math.inf, 0.0, 1e4, -1e4, 3e38, -3e38, 88.0, -104.0]


def name(dtype):
    return str(dtype)[6:]


def dtype_of(text):
    return getattr(torch, text)


def number(value):
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def record(tensor):
    flat = tensor.detach().flatten()
    values = flat.double().tolist() if tensor.is_floating_point() else flat.tolist()
    if tensor.is_floating_point():
        # 9 significant digits give every float32, and with it every float16 and bfloat16, exactly.
        exact = tensor.dtype == torch.float64
        values = [number(v if exact or not math.isfinite(v) else float(f"{v:.9g}")) for v in values]
    return {"shape": list(tensor.shape), "dtype": name(tensor.dtype), "data": values}


def random_shape(op):
    rank = random.choice([0, 1, 2, 3, 4, 5] if op == "log_softmax" else [1, 2, 2, 2, 3, 4, 4, 5])
    sizes = [0, 1, 1, 2, 3, 4, 5, 7, 9, 17, 33] if random.random() < 0.5 else [1, 2, 3, 4, 5]
    shape = [random.choice(sizes) for _ in range(rank)]
    while math.prod(shape) > MOST_ELEMENTS:
        shape = [max(1, size // 2) for size in shape]
    return shape


def random_input(shape, dtype):
    tensor = torch.randn(shape, dtype=torch.float64) * random.choice([1, 1, 3, 20])
    if random.random() < 0.25 and tensor.numel():
        flat = tensor.flatten()
        for _ in range(random.randint(1, max(1, flat.numel() // 5))):
            flat[random.randrange(flat.numel())] = random.choice(SPECIAL)
        tensor = flat.reshape(shape)
    return tensor.to(dtype_of(dtype))


def random_weight(classes, dtype):
    kind = random.randrange(5)
    weight = torch.rand(classes, dtype=torch.float64) + 0.1
    if kind == 2:
        weight = torch.randn(classes, dtype=torch.float64)
    if kind == 3:
        weight = weight * 0
    if kind == 4:
        weight = weight * (torch.rand(classes) > 0.5)
    return weight.to(dtype_of(dtype))


def random_probabilities(shape, dtype):
    target = torch.rand(shape, dtype=torch.float64)
    kind = random.randrange(4)
    if kind == 0:
        target = target / (target.sum(0 if len(shape) == 1 else 1, keepdim=True) + 1e-9)
    if kind == 1:
        target = torch.randn(shape, dtype=torch.float64)
    if kind == 2:
        target = (target > 0.7).double()
    return target.to(dtype_of(dtype if random.random() < 0.8 else random.choice(list(TOLERANCE))))


def random_indices(shape, case):
    classes = shape[0] if len(shape) == 1 else shape[1]
    sizes = [] if len(shape) == 1 else shape[:1] + shape[2:]
    if random.random() < 0.04:
        sizes = [size + 1 for size in sizes]
    target = torch.randint(0, max(classes, 1), sizes)
    ignored = None
    if random.random() < 0.4:
        ignored = random.choice([-100, -1, 0, 1, 255, classes, -(2**53), 2**40])
        if ignored != -100:
            case["ignore_index"] = ignored
        mask = torch.ones(sizes, dtype=torch.bool) if random.random() < 0.1 else torch.rand(sizes) < 0.4
        target = torch.where(mask, torch.tensor(ignored), target)
    if random.random() < 0.03 and target.numel():
        target.view(-1)[random.randrange(target.numel())] = random.choice([classes, -1, classes + 5])
    fits = target.numel() == 0 or (int(target.min()) >= 0 and int(target.max()) <= 255)
    wraps = ignored is not None and not 0 <= ignored <= 255
    if random.random() < 0.1 and len(shape) < 3 and fits and not wraps and "label_smoothing" not in case:
        target = target.to(torch.uint8)
    return target


def random_case(number_of_case):
    op = random.choice(["log_softmax", "nll_loss", "cross_entropy", "cross_entropy", "cross_entropy"])
    dtype = random.choice(["float32"] * 4 + ["float64"] * 2 + ["float16", "bfloat16"])
    shape = random_shape(op)
    case = {"id": f"torch2/{number_of_case}", "op": op, "tags": [f"in:{dtype}"]}
    tensors = {"input": random_input(shape, dtype)}
    if op == "log_softmax":
        rank = len(shape)
        if random.random() < 0.9:
            beyond = random.random() < 0.1
            case["dim"] = random.randint(-rank - beyond, rank - 1 + beyond) if rank else random.choice([0, -1, 1])
        if random.random() < 0.15:
            case["dtype"] = random.choice(list(TOLERANCE))
        return case, tensors
    if random.random() < 0.45:
        case["reduction"] = random.choice(["none", "sum", "mean", "none"])
    if random.random() < 0.04:
        case[random.choice(["size_average", "reduce"])] = random.choice([True, False])
    if random.random() < 0.03:
        case["reduction"] = "bogus"
    if op == "cross_entropy" and random.random() < 0.4:
        case["label_smoothing"] = random.choice([0.1, 0.3, 1.0, 0.0, -0.5, 0.9, 0.2, 1.5 if random.random() < 0.5 else 0.7])
    if op == "cross_entropy" and random.random() < 0.35:
        tensors["target"] = random_probabilities(shape, dtype)
        case["grad_target"] = random.random() < 0.5
    else:
        tensors["target"] = random_indices(shape, case)
    if random.random() < 0.4:
        classes = shape[0] if len(shape) == 1 else shape[1]
        other = dtype if random.random() < 0.93 else random.choice(["float32", "float64"])
        tensors["weight"] = random_weight(classes if random.random() < 0.95 else classes + 1, other)
    return case, tensors


def compute(case, tensors, widen):
    """PyTorch's answer; with `widen` from the same numbers in float64."""
    cast = {key: t.double() if widen and t.is_floating_point() else t.clone() for key, t in tensors.items()}
    options = {k: case[k] for k in ("dim", "ignore_index", "reduction", "label_smoothing", "size_average", "reduce") if k in case}
    if "dtype" in case:
        options["dtype"] = torch.float64 if widen else dtype_of(case["dtype"])
    x = cast["input"]
    wanted = []
    if case.get("grad"):
        wanted.append(x.requires_grad_(True))
    if case.get("grad_target"):
        wanted.append(cast["target"].requires_grad_(True))
    operands = [cast[key] for key in ("input", "target") if key in cast]
    if "weight" in cast:
        options["weight"] = cast["weight"]
    output = getattr(F, case["op"])(*operands, **options)
    answer = {"output": output.detach()}
    if wanted:
        if "grad_output" not in cast and (output.numel() != 1 or random.random() < 0.5) and not widen:
            tensors["grad_output"] = cast["grad_output"] = torch.randn(output.shape, dtype=torch.float64).to(output.dtype)
        grads = list(torch.autograd.grad(output, wanted, cast.get("grad_output")))
        if case.get("grad"):
            answer["grad_input"] = grads.pop(0)
        if case.get("grad_target"):
            answer["grad_target"] = grads.pop(0)
    return answer


def tolerance(case, tensors, answer):
    names = [name(t.dtype) for t in (*tensors.values(), *answer.values()) if t.is_floating_point()]
    names += [case["dtype"]] if "dtype" in case else []
    return max(TOLERANCE[n][0] for n in names), max(TOLERANCE[n][1] for n in names)


def well_conditioned(answer, judge, rtol, atol):
    for key, got in answer.items():
        a, b = got.double(), judge[key].double()
        finite = torch.isfinite(a) & torch.isfinite(b)
        if not torch.all((a - b).abs()[finite] <= 0.5 * (atol + rtol * b.abs()[finite])):
            return False
    return True


def finish(case, tensors):
    case["grad"] = random.random() < 0.75
    if not case["grad"]:
        case.pop("grad")
        case.pop("grad_target", None)
    if not case.get("grad_target"):
        case.pop("grad_target", None)
    try:
        answer = compute(case, tensors, widen=False)
        rtol, atol = tolerance(case, tensors, answer)
        if not well_conditioned(answer, compute(case, tensors, widen=True), rtol, atol):
            return None
        case["expect"] = {key: record(value) for key, value in answer.items()}
        case["tol"] = {"rtol": rtol, "atol": atol}
    except (RuntimeError, ValueError, IndexError) as error:
        tensors.pop("grad_output", None)
        case["expect_error"] = True
        case["error"] = {"type": type(error).__name__, "message": str(error).split("\n")[0]}
    return {**case, **{key: record(tensor) for key, tensor in tensors.items()}}


def main():
    wanted = int(sys.argv[1])
    errors = 0
    number_of_case = written = 0
    while written < wanted:
        case = finish(*random_case(number_of_case))
        number_of_case += 1
        if case is None:
            continue
        errors += "expect_error" in case
        written += 1
        print(json.dumps(case))
    print(f"PyTorch {torch.__version__}: {written} cases, {errors} refusals, of {number_of_case} tried", file=sys.stderr)


if __name__ == "__main__":
    main()
