"""Writes cases of the options that the losses have beyond their PyTorch functions, composed from PyTorch's functions.

    python generate_options.py 500 > torch2-options.jsonl

`dtype` is a cast before the loss, `dim` a movedim before it, `shift` leaves out the last logits and the first targets,
`softcap` and `temperature` replace the logits x by softcap * tanh(x / softcap) / temperature. `sample_weight` multiplies
the loss of each position, and `lse_square_scale` adds logsumexp(x)^2 to it; the mean divides by the weights of the kept
targets. A target with `target_weight` is scattered into probabilities, and its mean divides by the positions with a kept
class.
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
    if random.random() < 0.25:
        kept = positions if random.random() < 0.95 else positions + [1]
        tensors["sample_weight"] = torch.rand(kept, dtype=torch.float64).mul(random.choice([1, 3])).to(
            base.dtype_of(random.choice([lossy, "float32"])))
        if kept != positions:
            tensors["sample_weight"] = tensors["sample_weight"].squeeze(-1)
    if op == "cross_entropy" and random.random() < 0.25:
        case["lse_square_scale"] = random.choice([1e-4, 0.01, 0.5])
        case["z_loss"] = random.random() < 0.5
        # PyTorch's logsumexp loses the logarithm beside 3e38, and with it the division of the gradient.
        huge = torch.isfinite(tensors["input"]) & (tensors["input"].abs() > 1e30)
        tensors["input"] = torch.where(huge, torch.zeros((), dtype=tensors["input"].dtype), tensors["input"])
    if op == "cross_entropy" and classes > 0 and random.random() < 0.25:
        case["predictions"] = True
    if op == "cross_entropy" and classes > 0 and random.random() < 0.25:
        picks = random.choice([0, 1, 2, 3, 8])
        sizes = shape[:axis] + [picks] + shape[axis + 1:]
        for name in ("label_smoothing", "shift", "grad_target", "ignore_index"):
            case.pop(name, None)
        tensors["target"] = random_targets(sizes, classes, case)
        if case.get("ignore_index", -1) >= 0 and random.random() < 0.5:
            case["ignore_index"] = -100
        tensors["target_weight"] = torch.rand(sizes, dtype=torch.float64).to(base.dtype_of(random.choice([lossy, "float32"])))
        case["grad_target_weight"] = random.random() < 0.5
    return case, tensors


def positions_loss(case, x, target, weight, sparse):
    """The loss of each position with the classes in dimension 1 (0 of one row), and the weight of each in the mean."""
    axis = 0 if x.dim() == 1 else 1
    options = {k: case[k] for k in ("ignore_index", "label_smoothing") if k in case}
    ignored = case.get("ignore_index", -100)
    if sparse is not None:
        target = target.long()
        kept = target != ignored
        share = torch.where(kept, sparse, torch.zeros((), dtype=sparse.dtype)).to(x.dtype if x.dtype == torch.float64 else sparse.dtype)
        dense = torch.zeros(x.shape, dtype=share.dtype).scatter_add(axis, torch.where(kept, target, 0), share)
        # Products of log-probabilities that are -Infinity and absent classes count as 0.
        logs = torch.log_softmax(x, axis)
        logs = torch.where(dense != 0, logs, torch.zeros((), dtype=x.dtype)) if dense.numel() else logs
        if weight is not None:
            dense = dense * weight.reshape([-1] + [1] * (x.dim() - 1 - axis))
        return -(logs * dense).sum(axis).to(x.dtype), kept.any(axis).to(x.dtype)
    if target.shape == x.shape:
        loss = F.cross_entropy(x, target, weight=weight, reduction="none", **options)
        return loss, torch.ones(loss.shape, dtype=loss.dtype)
    target = target.long()
    loss = getattr(F, case["op"])(x, target, weight=weight, reduction="none", **options)
    kept = target != ignored
    chosen = torch.ones((), dtype=x.dtype) if weight is None else weight[torch.where(kept, target, 0)]
    return loss, torch.where(kept, chosen, torch.zeros((), dtype=x.dtype))


def reduce(case, values, total):
    return {"none": values, "sum": values.sum(), "mean": values.sum() / total}[case["reduction"]]


def composed(case, x, target, weight, sample, sparse):
    """The loss with terms and factors of single positions, its z-loss, and the total weight."""
    axis = 0 if x.dim() == 1 else 1
    losses, share = positions_loss(case, x, target, weight, sparse)
    dtype = losses.dtype
    lse = torch.logsumexp(x, axis).to(dtype)
    z_loss = case.get("lse_square_scale", 0) * lse * lse
    if sparse is not None or target.shape != x.shape:
        z_loss = torch.where(share_kept(case, target, axis, sparse), z_loss, torch.zeros((), dtype=dtype))
    if "lse_square_scale" in case:
        losses = losses + z_loss
    if sample is not None:
        losses, z_loss, share = losses * sample.to(dtype), z_loss * sample.to(dtype), share * sample.to(share.dtype)
    total = share.sum()
    return reduce(case, losses, total), reduce(case, z_loss, total), total


def share_kept(case, target, axis, sparse):
    kept = target != case.get("ignore_index", -100)
    return kept.any(axis) if sparse is not None else kept


def transformed(case, x):
    """The logits after softcap and temperature; half types are computed in float32 and rounded once."""
    if "softcap" not in case and "temperature" not in case:
        return x
    y = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    if "softcap" in case:
        y = case["softcap"] * torch.tanh(y / case["softcap"])
    if "temperature" in case:
        y = y / case["temperature"]
    return y.to(x.dtype)


def random_log_softmax(number_of_case):
    """A case of log_softmax with transformed logits, and its results of lines."""
    dtype = random.choice(["float32", "float32", "float64", "float16", "bfloat16"])
    shape = random_shape()
    axis = random.randrange(len(shape))
    case = {"id": f"options/{number_of_case}", "op": "log_softmax", "tags": [], "dim": axis}
    if random.random() < 0.7:
        case["temperature"] = random.choice([0.5, 0.7, 2.0, 3])
    if random.random() < 0.7 or "temperature" not in case:
        case["softcap"] = random.choice([0.25, 2.0, 30, 50.0])
    if random.random() < 0.5:
        case["dtype"] = random.choice(["float32", "float64", "float16", "bfloat16"])
    tensors = {"input": base.random_input(shape, dtype)}
    if random.random() < 0.4 and shape[axis] > 0:
        sizes = shape[:axis] + [random.choice([1, 2, 3])] + shape[axis + 1:]
        tensors["index"] = torch.randint(0, shape[axis], sizes)
    if random.random() < 0.4 and shape[axis] > 0:
        case["return_lse"] = True
    return case, tensors


def compute_log_softmax(case, tensors, widen):
    cast = {key: t.double() if widen and t.is_floating_point() else t.clone() for key, t in tensors.items()}
    x = leaf = cast["input"].requires_grad_(bool(case.get("grad")))
    if "dtype" in case and not widen:
        x = x.to(base.dtype_of(case["dtype"]))
    x = transformed(case, x)
    output = torch.log_softmax(x, case["dim"])
    if "index" in cast:
        output = output.gather(case["dim"], cast["index"])
    answer = {"values" if "index" in cast else "output": output.detach()}
    outputs = [output]
    if case.get("return_lse"):
        lse = torch.logsumexp(x, case["dim"])
        answer["lse"] = lse.detach()
        outputs.append(lse)
    if case.get("grad"):
        names = ["grad_output", "grad_lse"][: len(outputs)]
        for name, one in zip(names, outputs):
            if name not in cast:
                tensors[name] = cast[name] = torch.randn(one.shape, dtype=torch.float64).to(one.dtype)
        answer["grad_input"] = torch.autograd.grad(outputs, leaf, [cast[name] for name in names])[0]
    return answer


def prepared(case, tensors, widen):
    """The operands with the input cast and transformed, shifted, and the classes moved to where PyTorch expects them."""
    x, target = tensors["input"], tensors["target"]
    sample, sparse = tensors.get("sample_weight"), tensors.get("target_weight")
    if "dtype" in case and not widen:
        x = x.to(base.dtype_of(case["dtype"]))
    x = transformed(case, x)
    axis = case.get("dim", 0 if x.dim() == 1 else 1)
    shift = case.get("shift", 0)
    soft = target.shape == x.shape and sparse is None
    if shift:
        x, target = x[..., : x.shape[-2] - shift, :], target[..., shift:]
        sample = None if sample is None else sample[..., shift:]
    if x.dim() > 1:
        x = x.movedim(axis, 1)
        target = target.movedim(axis, 1) if soft or sparse is not None else target
        sparse = None if sparse is None else sparse.movedim(axis, 1)
    return x, target, tensors.get("weight"), sample, sparse


def compute(case, tensors, widen):
    cast = {key: t.double() if widen and t.is_floating_point() else t.clone() for key, t in tensors.items()}
    names = {"grad": "input", "grad_target": "target", "grad_target_weight": "target_weight"}
    wanted = [name for flag, name in names.items() if case.get(flag)]
    for name in wanted:
        cast[name].requires_grad_(True)
    x, target, weight, sample, sparse = prepared(case, cast, widen)
    answer = {}
    if sample is None and sparse is None and "lse_square_scale" not in case:
        options = {k: case[k] for k in ("ignore_index", "reduction", "label_smoothing") if k in case}
        target = target if target.is_floating_point() else target.long()
        output = getattr(F, case["op"])(x, target, weight=weight, **options)
    else:
        output, z_loss, total = composed(case, x, target, weight, sample, sparse)
        answer["total_weight"] = total.detach()
        if case.get("z_loss"):
            answer["z_losses" if case["reduction"] == "none" else "z_loss"] = z_loss.detach()
        if target.is_floating_point() and sample is None:
            answer.pop("total_weight")
    answer["output"] = output.detach()
    if case.get("predictions"):
        best = x.argmax(0 if x.dim() == 1 else 1)
        answer["predictions"] = best.detach()
        if not target.is_floating_point() and sparse is None:
            kept = target != case.get("ignore_index", -100)
            answer["correct"] = ((best == target) & kept).to(torch.uint8)
    if wanted:
        if "grad_output" not in cast and (output.numel() != 1 or random.random() < 0.5) and not widen:
            tensors["grad_output"] = cast["grad_output"] = torch.randn(output.shape, dtype=torch.float64).to(output.dtype)
        grads = torch.autograd.grad(output, [cast[name] for name in wanted], cast.get("grad_output"))
        answer |= {f"grad_{name}": grad for name, grad in zip(wanted, grads)}
    return answer


def main():
    wanted = int(sys.argv[1])
    number_of_case = written = 0
    while written < wanted:
        is_loss = random.random() < 0.8
        case, tensors = (random_case if is_loss else random_log_softmax)(number_of_case)
        asked = compute if is_loss else compute_log_softmax
        number_of_case += 1
        case["grad"] = random.random() < 0.75
        for flag in ("grad", "grad_target", "grad_target_weight", "z_loss"):
            if not case.get(flag):
                case.pop(flag, None)
        try:
            answer = asked(case, tensors, widen=False)
        except (RuntimeError, ValueError, IndexError) as error:
            print(f"{case['id']} {str(error).splitlines()[0]}", file=sys.stderr)
            continue
        rtol, atol = base.tolerance(case, tensors, answer)
        if not base.well_conditioned(answer, asked(case, tensors, widen=True), rtol, atol):
            continue
        case["expect"] = {key: base.record(value) for key, value in answer.items()}
        case["tol"] = {"rtol": rtol, "atol": atol}
        print(json.dumps({**case, **{key: base.record(tensor) for key, tensor in tensors.items()}}))
        written += 1
    print(f"PyTorch {torch.__version__}: {written} cases of {number_of_case} tried", file=sys.stderr)


main()
