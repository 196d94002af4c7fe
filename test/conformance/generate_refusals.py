"""Writes torch2-refusals.jsonl beside this file: what the installed PyTorch accepts and refuses, and which of several faults it names.

    python generate_refusals.py

The first line has PyTorch's version and its messages; each other line is a call, and `refused` (the number of a message) or `output`, the dtype and
shape of the result, with its `data`. A call names dtypes and shapes only. Element i of an operand is, row-major:

    input        ((7 i) % 11 - 5) / 4, of integers i % 3
    target       (5 i) % C, of floats (i % 4 + 1) / 8; with `outside` the last one is C
    weight       (i % 3 + 1) / 2, of integers i % 3 + 1
    grad_output  (i % 5 - 2) / 4
"""

import itertools
import json
import math
import pathlib
import warnings

import torch
import torch.nn.functional as F

warnings.simplefilter("ignore")
torch.set_num_threads(1)

INPUTS = [
    (), (0,), (1,), (4,),
    (0, 4), (1, 4), (2, 4), (2, 0), (0, 0), (2, 1),
    (2, 3, 2), (0, 3, 2), (2, 0, 2), (2, 3, 0), (0, 0, 2),
    (2, 3, 2, 2), (0, 3, 2, 2), (2, 0, 2, 2), (2, 3, 0, 2), (2, 3, 2, 0),
    (2, 3, 1, 2, 2), (0, 3, 1, 2, 2), (2, 0, 1, 2, 2), (2, 3, 1, 0, 2),
]  # fmt: skip
PAIRS = [(4,), (2, 4), (0, 4), (2, 3, 2), (0, 3, 2), (2, 3, 2, 2)]
BESIDE_A_WRONG_SHAPE = [{"reduction": "avg"}, {"input": "int64"}, {"target": "float32"}, {"target": "int32"}, {"weight": ("float32", ())}, {"outside": True}, {"label_smoothing": 1.5}]

lines = {}
messages = {}


def classes_of(shape):
    return 1 if not shape else shape[0] if len(shape) == 1 else shape[1]


def tensor(role, operand, classes, outside):
    dtype, shape = operand
    n = math.prod(shape)
    if role == "input":
        data = [((7 * i) % 11 - 5) / 4 if "float" in dtype else i % 3 for i in range(n)]
    elif role == "target":
        data = [(i % 4 + 1) / 8 if "float" in dtype else (5 * i) % max(classes, 1) for i in range(n)]
        if outside and n and "float" not in dtype:
            data[-1] = classes
    elif role == "weight":
        data = [(i % 3 + 1) / 2 if "float" in dtype else i % 3 + 1 for i in range(n)]
    else:
        data = [(i % 5 - 2) / 4 for i in range(n)]
    return torch.tensor(data, dtype=getattr(torch, dtype)).reshape(shape)


def number(v):
    if math.isnan(v):
        return "NaN"
    if math.isinf(v):
        return "Infinity" if v > 0 else "-Infinity"
    return float(f"{v:.9g}")


def record(t):
    return {"output": f"{str(t.dtype).removeprefix('torch.')}{list(t.shape)}".replace(" ", ""), "data": [number(v) for v in t.detach().flatten().tolist()]}


def ask(call):
    """PyTorch's answer to a call: its result, then its gradient."""
    ts = {role: tensor(role, call[role], classes_of(call["input"][1]), call.get("outside")) for role in ("input", "target", "weight", "grad_output") if role in call}
    options = {name: call[name] for name in ("reduction", "ignore_index", "label_smoothing", "dim") if name in call}
    if "dtype" in call:
        options["dtype"] = getattr(torch, call["dtype"])
    if "weight" in ts:
        options["weight"] = ts["weight"]
    wanted = [role for role, flag in (("input", "return_grad"), ("target", "return_grad_target")) if call.get(flag)]
    for role in wanted:
        ts[role].requires_grad_(True)
    result = getattr(F, call["op"])(*(ts[role] for role in ("input", "target") if role in ts), **options)
    answer = record(result)
    if wanted:
        grads = torch.autograd.grad(result, [ts[role] for role in wanted], ts.get("grad_output"))
        answer |= {f"grad_{role}": record(grad)["data"] for role, grad in zip(wanted, grads)}
    return answer


def add(op, input, **rest):
    call = {"op": op, "input": input, **{key: value for key, value in rest.items() if value is not None}}
    key = json.dumps(call)
    if key in lines:
        return
    try:
        lines[key] = call | ask(call)
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        text = str(error).split("\n")[0]
        if text.startswith("Target ") and call["target"][0] == "uint8":
            # PyTorch writes a uint8 as the character of that code.
            text = f"Target {classes_of(input[1])} is out of bounds."
        lines[key] = call | {"refused": messages.setdefault(text, len(messages))}


def target_shapes(shape):
    """The right shape first, then some that are often sent, and some that differ from it in one size."""
    right = shape[:1] * (len(shape) > 1) + shape[2:]
    shapes = [right, (), (0,), (1,), (2,), (5,), shape, right + (1,), right[:-1], (3,) + right[1:], right + (2, 1)]
    shapes += [right[:axis] + (size + 1,) + right[axis + 1 :] for axis, size in enumerate(right)]
    if len(shape) > 2:
        shapes.append(shape[:-1])
    return list(dict.fromkeys(shapes))


def variations(op, shape):
    """Single changes of a call, most of them faults."""
    c = classes_of(shape)
    yield {"reduction": "sum"}
    yield {"reduction": "none"}
    yield {"reduction": "avg"}
    for dtype in ("float64", "float16", "bfloat16", "int64", "uint8"):
        yield {"input": dtype}
    for dtype in ("int32", "uint8", "float32", "bfloat16"):
        yield {"target": dtype}
    for weight in (("float32", (c,)), ("float32", (c + 1,)), ("float32", (c, 1)), ("float32", (1, c)), ("float32", ()), ("float64", (c,)), ("int64", (c,))):
        yield {"weight": weight}
    yield {"ignore_index": 0}
    yield {"ignore_index": c}
    yield {"outside": True}
    yield {"return_grad": True}
    yield {"return_grad": True, "grad_output": ("float32", (1,))}
    if op == "cross_entropy":
        yield {"label_smoothing": 0.25}
        yield {"label_smoothing": 1.5}


def loss(op, shape, target, *changes):
    names = [name for change in changes for name in change]
    if len(set(names)) < len(names):
        return
    call = {name: value for change in changes for name, value in change.items()}
    dtype = call.pop("target", "float32" if op == "cross_entropy" and target == shape else "int64")
    add(op, (call.pop("input", "float32"), shape), target=(dtype, target), **call)


def losses():
    for op, shape in itertools.product(("nll_loss", "cross_entropy"), INPUTS):
        changes = list(variations(op, shape))
        for target in target_shapes(shape):
            loss(op, shape, target)
            wrong = target not in (target_shapes(shape)[0], shape)
            for change in changes:
                if not wrong or change in BESIDE_A_WRONG_SHAPE:
                    loss(op, shape, target, change)
        if shape not in PAIRS:
            continue
        right = target_shapes(shape)[0]
        for target in (right, shape) if op == "cross_entropy" else (right,):
            for pair in itertools.combinations(changes, 2):
                loss(op, shape, target, *pair)
    for shape in PAIRS:
        loss("cross_entropy", shape, shape, {"return_grad_target": True})
        loss("cross_entropy", shape, shape, {"return_grad_target": True}, {"label_smoothing": 0.25})


def log_softmaxes():
    for shape, dim in itertools.product(INPUTS, (None, 0, -2, 4, 5, -6)):
        changes = [{"input": dtype} for dtype in ("float16", "bfloat16", "int64", "uint8")]
        changes += [{"dtype": dtype} for dtype in ("float64", "bfloat16", "int64")]
        changes += [{"return_grad": True}, {"return_grad": True, "grad_output": ("float32", shape)}, {"return_grad": True, "grad_output": ("float32", (1,))}]
        pairs = [({}, {}), *(({}, change) for change in changes)]
        if shape in PAIRS and dim in (0, 4):
            pairs += itertools.combinations(changes, 2)
        for pair in pairs:
            names = [name for change in pair for name in change]
            if len(set(names)) == len(names):
                call = pair[0] | pair[1]
                add("log_softmax", (call.pop("input", "float32"), shape), dim=dim, **call)


log_softmaxes()
losses()
out = pathlib.Path(__file__).resolve().parent / "torch2-refusals.jsonl"
head = {"torch": torch.__version__.split("+")[0], "messages": list(messages)}
out.write_text("\n".join(json.dumps(line, separators=(",", ":")) for line in [head, *lines.values()]) + "\n")
refused = sum("refused" in line for line in lines.values())
print(f"PyTorch {torch.__version__}: {len(lines)} calls, {refused} refused with {len(messages)} messages, {out.stat().st_size} bytes")
