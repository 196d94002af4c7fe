"""Writes cases of the options that the losses have beyond their PyTorch functions, composed from PyTorch's functions.

    python generate_options.py 500 > torch2-options.jsonl

`dtype` is a cast before the loss, `dim` a movedim before it, `shift` leaves out the last logits and the first targets,
`softcap` and `temperature` replace the logits x by softcap * tanh(x / softcap) / temperature.
Deterministic for one PyTorch version. Badly conditioned cases are left out, as in generate.py.
"""
import json
import math
import random
import sys

import torch
import torch.nn.functional as F

import generate as base


def random_shape():
    rank = random.choice([1, 2, 2, 3, 3, 4, 5])
    sizes = [0, 1, 1, 2, 3, 4, 5, 7, 9, 17, 33] if random.random() < 0.4 else [1, 2, 3, 4, 5]
    shape = [random.choice(sizes) for _ in range(rank)]
    while math.prod(shape) > base.MOST_ELEMENTS:
        shape = [max(1, size // 2) for size in shape]
    return shape


def random_targets(sizes, classes, case):
    target = torch.randint(0, max(classes, 1), sizes)
    if random.random() < 0.4:
        ignored = random.choice([-100, -1, 0, 1, classes])
        if ignored != -100:
            case["ignore_index"] = ignored
        target = torch.where(torch.rand(sizes) < 0.3, torch.tensor(ignored), target)
    return target.to(torch.int32) if random.random() < 0.2 else target


def random_case(number_of_case):
    op = random.choice(["nll_loss", "cross_entropy", "cross_entropy"])
    dtype = random.choice(["float32", "float32", "float64", "float16", "bfloat16", "bfloat16"])
    shape = random_shape()
    rank = len(shape)
    case = {"id": f"options/{number_of_case}", "op": op, "tags": []}
    axis = 0 if rank == 1 else 1
    if random.random() < 0.6:
        axis = random.randrange(rank) if random.random() < 0.5 else rank - 1
        case["dim"] = axis - random.choice([0, rank])
    classes, positions = shape[axis], shape[:axis] + shape[axis + 1:]
    if random.random() < 0.6:
        case["dtype"] = random.choice(["float32", "float32", "float64", "float16", "bfloat16"])
    lossy = case.get("dtype", dtype)
    tensors = {"input": base.random_input(shape, dtype)}
    case["reduction"] = random.choice(["none", "sum", "mean"])
    if op == "cross_entropy" and random.random() < 0.3:
        case["label_smoothing"] = random.choice([0.1, 0.3, 1.0])
    if op == "cross_entropy" and random.random() < 0.3:
        case["temperature"] = random.choice([0.5, 0.7, 2.0, 3])
    if op == "cross_entropy" and random.random() < 0.3:
        case["softcap"] = random.choice([0.25, 2.0, 30, 50.0])
    if op == "cross_entropy" and random.random() < 0.25:
        tensors["target"] = torch.rand(shape, dtype=torch.float64).to(base.dtype_of(lossy))
        case["grad_target"] = random.random() < 0.5
    else:
        tensors["target"] = random_targets(positions, classes, case)
        if axis == rank - 1 and rank > 1 and random.random() < 0.5:
            case["shift"] = random.randint(0, shape[-2])
    if random.random() < 0.4:
        tensors["weight"] = (torch.rand(classes, dtype=torch.float64) + 0.1).to(base.dtype_of(lossy))
    return case, tensors


def loss_of(case, x, target, weight, widen):
    """PyTorch's loss of an input that is cast, shifted and has its classes moved to where PyTorch expects them."""
    if "dtype" in case and not widen:
        x = x.to(base.dtype_of(case["dtype"]))
    if "softcap" in case:
        x = case["softcap"] * torch.tanh(x / case["softcap"])
    if "temperature" in case:
        x = x / case["temperature"]
    axis = case.get("dim", 0 if x.dim() == 1 else 1)
    shift = case.get("shift", 0)
    soft = target.shape == x.shape
    if shift:
        x, target = x[..., : x.shape[-2] - shift, :], target[..., shift:]
    if x.dim() > 1:
        x = x.movedim(axis, 1)
        target = target.movedim(axis, 1) if soft else target
    options = {k: case[k] for k in ("ignore_index", "reduction", "label_smoothing") if k in case}
    if not soft:
        target = target.long()
    return getattr(F, case["op"])(x, target, weight=weight, **options)


def compute(case, tensors, widen):
    cast = {key: t.double() if widen and t.is_floating_point() else t.clone() for key, t in tensors.items()}
    wanted = []
    if case.get("grad"):
        wanted.append(cast["input"].requires_grad_(True))
    if case.get("grad_target"):
        wanted.append(cast["target"].requires_grad_(True))
    output = loss_of(case, cast["input"], cast["target"], cast.get("weight"), widen)
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


def main():
    wanted = int(sys.argv[1])
    number_of_case = written = 0
    while written < wanted:
        case, tensors = random_case(number_of_case)
        number_of_case += 1
        case["grad"] = random.random() < 0.75
        if not case["grad"]:
            case.pop("grad")
            case.pop("grad_target", None)
        if not case.get("grad_target"):
            case.pop("grad_target", None)
        try:
            answer = compute(case, tensors, widen=False)
        except (RuntimeError, ValueError, IndexError) as error:
            print(f"{case['id']} {str(error).splitlines()[0]}", file=sys.stderr)
            continue
        rtol, atol = base.tolerance(case, tensors, answer)
        if not base.well_conditioned(answer, compute(case, tensors, widen=True), rtol, atol):
            continue
        case["expect"] = {key: base.record(value) for key, value in answer.items()}
        case["tol"] = {"rtol": rtol, "atol": atol}
        print(json.dumps({**case, **{key: base.record(tensor) for key, tensor in tensors.items()}}))
        written += 1
    print(f"PyTorch {torch.__version__}: {written} cases of {number_of_case} tried", file=sys.stderr)


main()
