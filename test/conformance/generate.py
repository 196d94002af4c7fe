"""Writes the wider set of cases from a newer PyTorch, in the format that README.md describes.

    python generate.py 1000 > torch2-cases.jsonl
    python generate.py lines 500 > gather-cases.jsonl

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


# Gathered log-probabilities, the top k, logsumexp and entropy: python generate.py lines 500 > gather-cases.jsonl


def random_index(shape, dim, count, case):
    """Class indices along dim, some twice; sometimes one that PyTorch refuses."""
    sizes = list(shape)
    classes = shape[dim] if shape else 1
    if shape:
        sizes[dim] = count
    elif random.random() < 0.5:
        sizes = [count]
    index = torch.randint(0, max(classes, 1), sizes)
    if random.random() < 0.05 and index.numel():
        index.view(-1)[random.randrange(index.numel())] = random.choice([classes, -1, classes + 5])
    # PyTorch takes an empty index of any rank, which the service refuses.
    if random.random() < 0.03 and index.numel():
        index = index.unsqueeze(0)
    return index.to(torch.int32) if random.random() < 0.2 else index


def random_lines_case(number_of_case):
    dtype = random.choice(["float32"] * 4 + ["float64"] * 2 + ["float16", "bfloat16"])
    shape = random_shape("log_softmax")
    rank = len(shape)
    dim = random.randrange(rank) if rank else 0
    case = {"id": f"gather/{number_of_case}", "op": "log_softmax", "tags": [f"in:{dtype}"], "dim": dim}
    if random.random() < 0.5:
        case["dim"] = dim - max(rank, 1)
    if random.random() < 0.15:
        case["dtype"] = random.choice(list(TOLERANCE))
    tensors = {"input": random_input(shape, dtype)}
    if random.random() < 0.3 and tensors["input"].numel():
        tensors["input"] = torch.round(tensors["input"])
    kind = random.choice(["index", "index", "top_k", "top_k", "output"])
    classes = shape[dim] if shape else 1
    if kind == "index":
        tensors["index"] = random_index(shape, dim, random.choice([0, 1, 2, 3, 7] if classes else [0]), case)
    if kind == "top_k":
        case["top_k"] = random.randint(1, max(classes, 1)) if random.random() < 0.95 else classes + 1
    for option in ("return_lse", "return_entropy"):
        if random.random() < (0.5 if kind != "output" else 0.7):
            case[option] = True
    if kind == "output" and not case.keys() & {"return_lse", "return_entropy"}:
        case["return_lse"] = True
    return case, tensors


def compute_lines(case, tensors, compute):
    """PyTorch's composition, of the operands rounded to the output's dtype and computed in `compute`."""
    x = tensors["input"].clone()
    dtype = dtype_of(case.get("dtype", name(x.dtype)))
    x.requires_grad_(bool(case.get("grad")))
    cast = x.to(dtype).to(compute)
    dim = case["dim"]
    whole = F.log_softmax(cast, dim)
    outputs = {}
    if "top_k" in case:
        torch.topk(whole, case["top_k"], dim)  # refuses what is out of range
        order = torch.sort(whole.detach().to(dtype), dim=dim, descending=True, stable=True).indices
        indices = order.narrow(dim, 0, case["top_k"]) if x.dim() else order
        outputs["values"] = torch.gather(whole, dim, indices)
    elif "index" in tensors:
        outputs["values"] = torch.gather(whole, dim, tensors["index"])
    else:
        outputs["output"] = whole
    if case.get("return_lse"):
        outputs["lse"] = torch.logsumexp(cast, dim)
    if case.get("return_entropy"):
        finite = torch.where(whole == -math.inf, torch.zeros_like(whole), whole)
        outputs["entropy"] = -(whole.exp() * finite).sum(dim)
    answer = {key: value.detach().to(dtype) for key, value in outputs.items()}
    if "top_k" in case:
        answer["indices"] = indices
    if case.get("grad"):
        given = {"values": "grad_output", "output": "grad_output", "lse": "grad_lse", "entropy": "grad_entropy"}
        used = [key for key in outputs if given[key] in tensors]
        grads = [tensors[given[key]].to(compute) for key in used]
        if used:
            answer["grad_input"] = torch.autograd.grad([outputs[key] for key in used], x, grads)[0]
        else:
            answer["grad_input"] = torch.autograd.grad(outputs["values"], x)[0]
    return answer


def draw_upstreams(case, tensors, answer):
    """Upstream gradients of some outputs, none if the only one has one element."""
    names = {"values": "grad_output", "output": "grad_output", "lse": "grad_lse", "entropy": "grad_entropy"}
    there = [key for key in answer if key in names]
    chosen = [key for key in there if random.random() < 0.7]
    if not chosen and not (there == ["values"] and answer["values"].numel() == 1):
        chosen = [random.choice(there)]
    for key in chosen:
        shape, dtype = answer[key].shape, answer[key].dtype
        tensors[names[key]] = torch.randn(shape, dtype=torch.float64).to(dtype)


def finish_lines(case, tensors):
    dtype = dtype_of(case.get("dtype", name(tensors["input"].dtype)))
    half = dtype in (torch.float16, torch.bfloat16)
    try:
        answer = compute_lines(case, tensors, torch.float64 if half else dtype)
        if random.random() < 0.6:
            case["grad"] = True
            draw_upstreams(case, tensors, answer)
            answer = compute_lines(case, tensors, torch.float64 if half else dtype)
        if half:
            case["reference"] = True
        rtol, atol = tolerance(case, tensors, answer)
        judge = compute_lines(case, tensors, torch.float32 if half else torch.float64)
        if "indices" in answer and not torch.equal(answer["indices"], judge["indices"]):
            return None
        if not well_conditioned(answer, judge, rtol, atol):
            return None
        case["expect"] = {key: record(value) for key, value in answer.items()}
        case["tol"] = {"rtol": rtol, "atol": atol}
    except (RuntimeError, ValueError, IndexError) as error:
        case.pop("grad", None)
        case["expect_error"] = True
        case["error"] = {"type": type(error).__name__, "message": str(error).split("\n")[0]}
    return {**case, **{key: record(tensor) for key, tensor in tensors.items()}}


def main():
    lines = sys.argv[1] == "lines"
    wanted = int(sys.argv[2 if lines else 1])
    errors = 0
    number_of_case = written = 0
    while written < wanted:
        case = finish_lines(*random_lines_case(number_of_case)) if lines else finish(*random_case(number_of_case))
        number_of_case += 1
        if case is None:
            continue
        errors += "expect_error" in case
        written += 1
        print(json.dumps(case))
    print(f"PyTorch {torch.__version__}: {written} cases, {errors} refusals, of {number_of_case} tried", file=sys.stderr)


if __name__ == "__main__":
    main()
