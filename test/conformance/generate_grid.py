"""Writes torch2-grid.jsonl beside this file: cases computed by the installed PyTorch (see README.md for the format).

    python generate_grid.py

Deterministic for one PyTorch build: every case draws its numbers from a generator seeded with its own id, so cases can be added
or removed without changing the others. Every answer is also checked against a float64 evaluation that rounds stored tensors only.
"""

import collections
import itertools
import json
import math
import pathlib
import random
import sys
import warnings

import numpy
import torch
import torch.nn.functional as F

warnings.simplefilter("ignore")
torch.set_num_threads(1)

INF, NAN = math.inf, math.nan
HALVES = ("float16", "bfloat16")
TOL = {"float64": (1e-11, 1e-12), "float32": (1.3e-6, 1e-5), "float16": (4e-3, 5e-4), "bfloat16": (2.4e-2, 4e-3)}
MANTISSA = {"float16": (10, -24), "bfloat16": (7, -133)}  # stored bits, exponent of the smallest subnormal
GRID = [(5,), (4, 3), (2, 3, 4), (2, 3, 2, 2), (2, 3, 1, 2, 2)]
OPTIONS = ("dim", "dtype", "ignore_index", "reduction", "label_smoothing", "size_average", "reduce")
TENSORS = ("input", "target", "weight", "grad_output")
OLDER = {
    "not implemented for": "NotImplementedError, a kind of RuntimeError; older versions: RuntimeError itself, and softmax_kernel_impl for other dims",
    "expected target dtype to be Long or Byte": "older versions: expected scalar type Long but found ..",
    "For 1D input, 1D target": "older versions read target[0] only, or say: size mismatch (got input: [5], target: [2])",
    "Overflow when unpacking": "ValueError, long long; older versions: RuntimeError, long",
}
REFERENCE = (
    "float64 evaluation with log-probabilities, losses and gradients rounded to their dtypes; "
    "PyTorch itself is more than 2 units in the last place away"
)

cases = []
ids = set()
complaints = []


# Tensors and numbers


def name(dtype):
    return str(dtype).removeprefix("torch.")


def tensor(dtype, shape, data):
    t = torch.tensor(data, dtype=torch.float64 if "float" in dtype else torch.int64)
    return t.reshape(shape).to(getattr(torch, dtype))


def number(v, dtype):
    if dtype == "bool" or "int" in dtype:
        return v
    if math.isnan(v):
        return "NaN"
    if math.isinf(v):
        return "Infinity" if v > 0 else "-Infinity"
    if dtype == "float32":
        short = float(str(numpy.float32(v)))  # shortest text, at most 9 digits
        assert numpy.float32(short) == numpy.float32(v)
        return short
    return v


def record(t):
    t = t.detach()
    return {"shape": list(t.shape), "dtype": name(t.dtype), "data": [number(v, name(t.dtype)) for v in t.flatten().tolist()]}


class Draw:
    """Random tensors of one case."""

    def __init__(self, case_id):
        self.random = random.Random(case_id)

    def floats(self, dtype, shape, low=-4.0, high=4.0, digits=3):
        return tensor(dtype, shape, [round(self.random.uniform(low, high), digits) for _ in range(math.prod(shape))])

    def indices(self, shape, classes, ignored=None, share=0.35, dtype="int64"):
        data = [self.random.randrange(classes) if classes else 0 for _ in range(math.prod(shape))]
        if ignored is not None:
            data = [ignored if i == 0 or self.random.random() < share else y for i, y in enumerate(data)]
        return tensor(dtype, shape, data)

    def weight(self, kind, dtype, classes):
        w = self.floats(dtype, (classes,), 0.2, 2.0)
        if kind == "zero" and classes:
            w[self.random.randrange(classes)] = 0
        if kind == "neg":
            w = -w
        if kind == "mixed" and classes:
            w = w * tensor(dtype, (classes,), [(1, -1, 0)[i % 3] for i in range(classes)])
        return w

    def probabilities(self, dtype, shape):
        t = self.floats("float64", shape, 0.05, 1.0)
        return (t / t.sum(0 if len(shape) == 1 else 1, keepdim=True)).to(getattr(torch, dtype))


def class_dim(shape):
    return 0 if len(shape) == 1 else 1


def classes_of(shape):
    return shape[class_dim(shape)]


def without_classes(shape):
    return shape[:1] * (len(shape) > 1) + shape[2:]


# The float64 evaluation, with roundings of what is stored


def rounded(t, dtype):
    return t.to(dtype).double()


def log_softmax64(x, dim):
    if x.numel() == 0:
        return x.clone()
    if x.dim() == 0:
        return x - x
    m = x.amax(dim, keepdim=True)
    return (x - m) - (x - m).exp().sum(dim, keepdim=True).log()


def log_softmax_back(a, go, dim):
    return go - a.exp() * (go if a.dim() == 0 else go.sum(dim, keepdim=True))


def loss64(c, ts, out_dtype, round_between):
    """(output, grad_input, grad_target) of a loss; the upstream gradient is 1 where absent."""
    x, y, w = ts["input"], ts["target"], ts.get("weight")
    dim = class_dim(x.shape)
    between = (lambda t: rounded(t, x.dtype)) if round_between else (lambda t: t)
    reduction = resolve(c)
    eps = c.get("label_smoothing", 0.0)
    eps = eps if eps > 0 else 0.0
    n_classes = x.shape[dim]
    column = [-1 if i == dim else 1 for i in range(x.dim())]
    w_all = torch.ones(n_classes, dtype=torch.float64) if w is None else w.double().reshape(-1)
    w_wide = w_all.reshape(column)
    a = log_softmax64(x.double(), dim) if c["op"] == "cross_entropy" else x.double()
    a = rounded(a, x.dtype)
    g = ts["grad_output"].double() if "grad_output" in ts else torch.ones((), dtype=torch.float64)
    if y.shape == x.shape and c["op"] == "cross_entropy":
        q = y.double() * (1 - eps) + eps / n_classes if eps else y.double()
        l = -(a * q * w_wide).sum(dim)
        count = x.numel() / n_classes if n_classes else 0
        out = reduce64(l, reduction, torch.tensor(float(count), dtype=torch.float64))
        per = g if reduction == "none" else (g / count if count else g * INF) if reduction == "mean" else g
        per = (per.reshape(l.shape) if per.numel() == l.numel() else per.expand(l.shape)).unsqueeze(dim)
        grad = between(-per * w_wide * q)
        grad = torch.where(torch.ones_like(a).bool(), grad, 0)
        grad_target = -(1 - eps) * per * w_wide * a
        return rounded(out, out_dtype), rounded(log_softmax_back(a, grad, dim), x.dtype), rounded(grad_target, y.dtype)
    ii = c.get("ignore_index", -100)
    y = y.long()
    keep = y != ii
    safe = torch.where(keep, y, 0).unsqueeze(dim)
    zero = torch.zeros((), dtype=torch.float64)
    if n_classes:
        score = a.gather(dim, safe).squeeze(dim)
        w_y = w_all[safe.squeeze(dim)]
    else:
        score = w_y = torch.zeros(y.shape, dtype=torch.float64)
    total = torch.where(keep, w_y, zero).sum()
    l = between(torch.where(keep, -score * w_y, zero))
    out = reduce64(l, reduction, total)
    per = g / total if reduction == "mean" else g
    per = per.reshape(y.shape) if per.numel() == y.numel() else per.expand(y.shape)
    grad = torch.zeros_like(a)
    if n_classes:
        value = torch.where(keep, w_y * -per, zero)
        grad.scatter_(dim, safe, (value * (1 - eps)).unsqueeze(dim))
        grad = torch.where(keep.unsqueeze(dim), grad, zero)
    if eps:
        smooth = torch.where(keep, -(a * w_wide).sum(dim), zero)
        share = eps / n_classes if n_classes else NAN
        out = (1 - eps) * out + share * reduce64(smooth, reduction, total)
        if n_classes:
            grad = grad + torch.where(keep.unsqueeze(dim), -share * per.unsqueeze(dim) * w_wide, zero)
    grad = between(grad)
    if c["op"] == "cross_entropy":
        grad = log_softmax_back(a, grad, dim)
    return rounded(out, out_dtype), rounded(grad, x.dtype), None


def reduce64(l, reduction, divisor):
    return l if reduction == "none" else l.sum() / divisor if reduction == "mean" else l.sum()


def resolve(c):
    size_average, reduce = c.get("size_average"), c.get("reduce")
    if size_average is None and reduce is None:
        return c.get("reduction", "mean").replace("elementwise_", "")
    if reduce is False:
        return "none"
    return "sum" if size_average is False else "mean"


def evaluate64(c, ts, answer, round_between):
    if c["op"] == "log_softmax":
        x = ts["input"]
        dim = c.get("dim")
        dim = (0 if x.dim() in (0, 1, 3) else 1) if dim is None else dim
        out_dtype = answer["output"].dtype
        a = rounded(log_softmax64(rounded(x.double(), out_dtype), dim), out_dtype)
        go = ts["grad_output"].double() if "grad_output" in ts else torch.ones_like(a)
        values = {"output": a, "grad_input": rounded(rounded(log_softmax_back(a, go, dim), out_dtype), x.dtype)}
    else:
        values = dict(zip(("output", "grad_input", "grad_target"), loss64(c, ts, answer["output"].dtype, round_between)))
    return {key: values[key].to(answer[key].dtype) for key in answer}


# Cases


def ask(c, ts):
    """PyTorch's answer, as tensors."""
    ts = {key: t.clone() for key, t in ts.items()}
    options = {key: c[key] for key in OPTIONS if key in c}
    if "dtype" in options:
        options["dtype"] = getattr(torch, options["dtype"])
    if "weight" in ts:
        options["weight"] = ts["weight"]
    wanted = [key for key, flag in (("input", "grad"), ("target", "grad_target")) if c.get(flag)]
    for key in wanted:
        ts[key].requires_grad_(True)
    operands = [ts[key] for key in ("input", "target") if key in ts]
    output = getattr(F, c["op"])(*operands, **options)
    answer = {"output": output.detach()}
    if wanted:
        grads = torch.autograd.grad(output, [ts[key] for key in wanted], ts.get("grad_output"))
        answer |= {f"grad_{key}": grad for key, grad in zip(wanted, grads)}
    return answer


def units(got, want):
    """The largest distance in units in the last place of got's dtype; infinite where one is not finite and the other differs."""
    kind = name(got.dtype)
    if kind not in MANTISSA or got.numel() == 0:
        return 0.0
    a, b = got.double(), want.double()
    same = (a == b) | (a.isnan() & b.isnan())
    bits, least = MANTISSA[kind]
    unit = 2.0 ** (b.abs().clamp(min=2.0**-200).log2().floor() - bits).clamp(min=least)
    return torch.where(same, 0.0, torch.nan_to_num((a - b).abs() / unit, nan=INF)).max().item()


def worst(got, want, rtol):
    """The atol that would be needed."""
    if got.numel() == 0:
        return 0.0
    a, b = got.double(), want.double()
    same = (a == b) | (a.isnan() & b.isnan())
    gap = torch.nan_to_num((a - b).abs() - rtol * b.abs(), nan=INF, posinf=INF).clamp(min=0)
    return torch.where(same, 0.0, gap).max().item()


def case(id, op, tags, input, target=None, weight=None, grad_output=None, grad=True, grad_target=False, **options):
    """Adds one case. grad_output: a tensor, "draw" for a random one of the output's shape, or None for the implicit 1."""
    assert id not in ids, id
    ids.add(id)
    c = {"id": id, "op": op, "tags": sorted([*tags.split(), f"in:{name(input.dtype)}"])}
    ts = {k: t for k, t in zip(TENSORS, (input, target, weight, grad_output)) if isinstance(t, torch.Tensor)}
    c |= options
    if grad:
        c["grad"] = True
    if grad_target:
        c["grad_target"] = True
    try:
        if isinstance(grad_output, str) and grad:
            output = ask({**c, "grad": False, "grad_target": False}, ts)["output"]
            ts["grad_output"] = Draw(id + "/g").floats(name(output.dtype), output.shape, -2, 2)
        answer = ask(c, ts)
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        c["tags"] = sorted([*c["tags"], "error"])
        c["expect_error"] = True
        message = str(error).split("\n")[0]
        c["error"] = {"type": type(error).__name__, "message": message}
        c |= {"v2": note for text, note in OLDER.items() if text in message}
    else:
        c["tags"] = sorted([*c["tags"], "ok"])
        settle(c, ts, answer)
    cases.append(c | {key: record(t) for key, t in ts.items()})


def settle(c, ts, answer):
    """Writes the expected values and a tolerance that the float64 evaluation keeps with room to spare."""
    if not answer["output"].is_floating_point():
        c["expect"] = {key: record(t) for key, t in answer.items()}
        c["tol"] = {"rtol": 0, "atol": 0}
        return
    kinds = {name(t.dtype) for t in [*answer.values(), ts["input"]] if t.is_floating_point()} | {c.get("dtype", "float64")}
    rtol, atol = (max(TOL[kind][i] for kind in kinds) for i in (0, 1))
    judges = [evaluate64(c, ts, answer, flag) for flag in (True, False)]
    if kinds & set(HALVES):
        off = max(units(answer[key], judge) for key, judge in judges[0].items())
        others = max(worst(answer[key], judge, rtol) for key, judge in judges[0].items() if name(judge.dtype) not in HALVES) if any(
            name(t.dtype) not in HALVES for t in answer.values()
        ) else 0.0
        if off > 2 or others > atol:
            c["reference"] = REFERENCE
            answer = judges[0]
    need = max(worst(answer[key], judge[key], rtol) for judge in judges for key in answer)
    if need > atol / 2:
        if kinds & set(HALVES) and math.isfinite(need):
            atol = float(f"{2 * need:.0e}")
        else:
            complaints.append(f"{c['id']}: atol {atol} but the float64 evaluation needs {need}")
    c["expect"] = {key: record(t) for key, t in answer.items()}
    c["tol"] = {"rtol": rtol, "atol": atol}


def label(shape):
    return "x".join(map(str, shape)) or "0d"


def log_softmax_cases():
    def add(id, tags, x, **rest):
        case("t2/ls/" + id, "log_softmax", tags, x, **rest)

    for dtype in ("float32", *HALVES):
        for shape in GRID:
            dims = range(-len(shape), len(shape)) if dtype == "float32" else range(len(shape))
            for dim in dims:
                id = f"{dtype}/{label(shape)}/dim{dim}"
                add(id, "grid dim", Draw(id).floats(dtype, shape), dim=dim, grad_output="draw")
    for shape in [(), (4,), (3, 2), (2, 3, 2), (2, 3, 2, 1), (1, 2, 2, 1, 2), (1, 2, 1, 2, 1, 2)]:
        add(f"legacy-dim/{label(shape)}", "dim-none", Draw(label(shape)).floats("float32", shape), grad_output="draw")
    for value, dim in [(1.5, 0), (-2.0, -1), (INF, 0), (-INF, 0), (NAN, -1)]:
        add(f"0d/{value}/dim{dim}", "0d", tensor("float32", (), value), dim=dim)
        add(f"0d/{value}/dim{dim}/g", "0d", tensor("float64", (), value), dim=dim, grad_output="draw")
    add("0d/float16", "0d", tensor("float16", (), 3.0), dim=0)
    add("0d/bfloat16", "0d", tensor("bfloat16", (), -7.0), dim=0)
    for dtype in ("float32", "float64", *HALVES):
        big = {"float16": 6e4, "float64": 1.5e308}.get(dtype, 3e38)
        lines = {
            "some-minf": [-INF, 1.0, -INF, 0.5],
            "all-minf": [-INF] * 4,
            "pinf": [INF, 1.0, 2.0, -3.0],
            "nan": [0.0, NAN, 2.0, 1.0],
            "both-inf": [INF, -INF, 0.0, 1.0],
            "gap": [big, -big, 0.0, big],
            "far": [0.0, -200.0, 100.0, -50.0],
            "equal-huge": [big] * 4,
        }
        for kind, line in lines.items():
            x = tensor(dtype, (2, 4), [*line, 0.25, -1.0, 2.0, 0.5])
            add(f"special/{dtype}/{kind}/last", "nonfinite", x, dim=1, grad_output="draw")
            if dtype != "float64":
                add(f"special/{dtype}/{kind}/first", "nonfinite", x.T.contiguous(), dim=0, grad_output="draw")
        if dtype != "float64":
            x = tensor(dtype, (2, 3), [0.5, 1.0, -1.0, 2.0, 0.0, -INF])
            for g in (INF, -INF, NAN):
                go = tensor(dtype, (2, 3), [1.0, g, 0.5, 1.0, -0.5, g])
                add(f"inf-upstream/{dtype}/{g}", "nonfinite upstream", x, dim=1, grad_output=go)
    for source, to in [
        ("float32", "float64"), ("float64", "float32"), ("float16", "float32"), ("bfloat16", "float32"), ("float32", "float16"),
        ("float32", "bfloat16"), ("float64", "float16"), ("float64", "bfloat16"), ("float16", "bfloat16"), ("bfloat16", "float16"),
        ("float16", "float64"), ("float32", "float32"),
    ]:  # fmt: skip
        for dim in (0, -1):
            id = f"dtype/{source}-{to}/dim{dim}"
            add(id, "cast", Draw(id).floats(source, (3, 4)), dim=dim, dtype=to, grad_output="draw")
    for source in ("int64", "uint8", "int32"):
        for to in ("float32", "float64", "float16", "bfloat16"):
            x = tensor(source, (2, 3), [0, 1, 2, 5, 3, 4])
            add(f"dtype/{source}-{to}", "cast", x, dim=1, dtype=to, grad=False)
    x = tensor("float64", (3,), [1e39, 0.0, -1e39])
    add("dtype/float64-float32/overflow", "cast nonfinite", x, dim=0, dtype="float32", grad_output="draw")
    add("dtype/float32-float16/overflow", "cast nonfinite", tensor("float32", (3,), [7e4, 0.0, -1.0]), dim=0, dtype="float16", grad_output="draw")
    for dtype in ("float32", "float16"):
        for shape, dim in [((0,), 0), ((0, 3), 0), ((0, 3), 1), ((3, 0), -1), ((2, 0, 3), 1), ((2, 0, 3), 2), ((0, 0), 0)]:
            add(f"empty/{dtype}/{label(shape)}/dim{dim}", "empty", torch.zeros(shape, dtype=getattr(torch, dtype)), dim=dim, grad_output="draw")
    add("empty/float32/0x3/none", "empty dim-none", torch.zeros(0, 3), grad_output="draw")
    add("empty/float32/0x3/dtype", "empty cast", torch.zeros(0, 3), dim=1, dtype="float64", grad_output="draw")
    for shape in [(1,), (1, 1), (1, 1, 1)]:
        add(f"implicit/{label(shape)}", "implicit-grad", Draw(label(shape)).floats("float32", shape), dim=-1)
    add("one-class/1x3", "one-class", Draw("one").floats("float32", (3, 1, 2)), dim=1, grad_output="draw")
    for shift, dtype in [(1e4, "float32"), (-1e4, "float32"), (2.0**23, "float32"), (1e16, "float64"), (2048.0, "float16"), (256.0, "bfloat16")]:
        base = torch.tensor([[0.0, 2.0, 4.0], [8.0, 2.0, 6.0]], dtype=getattr(torch, dtype))
        for dim in (0, 1):
            add(f"shift/{dtype}/{shift:g}/dim{dim}", "shift", base + shift, dim=dim, grad_output="draw")
    add("long/float32/300", "large", Draw("long").floats("float32", (300,), -8, 8, 2), dim=0, grad_output="draw")
    for dtype in HALVES:
        add(f"long/{dtype}/200", "large", Draw("long" + dtype).floats(dtype, (200,), -6, 6, 1), dim=0, grad_output="draw")
        x = Draw("inner" + dtype).floats(dtype, (3, 20), -3, 3, 1)
        add(f"inner/{dtype}/3x20", "inner", x, dim=0, grad_output="draw")
        x[1, ::2] += 200
        add(f"inner-gap/{dtype}/3x20", "inner", x, dim=0, grad=False)


def nll_cases():
    def add(id, tags, x, y, **rest):
        case("t2/nll/" + id, "nll_loss", tags, x, y, **rest)

    kinds = itertools.cycle(["none", "pos", "zero", "neg", "mixed"])
    for dtype in ("float32", *HALVES):
        for shape, reduction in itertools.product(GRID, ("none", "mean", "sum")):
            for kind in ("none", "pos", "other") if dtype == "float32" else ("none", "other"):
                while kind == "other":
                    kind = next(kinds).replace("none", "other").replace("pos", "other")
                id = f"{dtype}/{label(shape)}/{reduction}/w-{kind}"
                d = Draw(id)
                w = None if kind == "none" else d.weight(kind, dtype, classes_of(shape))
                y = d.indices(without_classes(shape), classes_of(shape))
                add(id, f"grid w-{kind}", d.floats(dtype, shape, -6, 0), y, weight=w, reduction=reduction, grad_output="draw")
    for ii, shape, reduction in itertools.product((1, -1, -100, 3, 2**40, -(2**53), 2**53), [(5, 3), (2, 3, 4)], ("none", "mean", "sum")):
        if shape == (2, 3, 4) and reduction == "sum":
            continue
        id = f"ii{ii}/{label(shape)}/{reduction}"
        d = Draw(id)
        w = d.weight("pos", "float32", 3) if ii in (1, 2**40) else None
        y = d.indices(without_classes(shape), 3, ii)
        add(id, "ignore_index", d.floats("float32", shape, -6, 0), y, weight=w, reduction=reduction, ignore_index=ii, grad_output="draw")
    for shape, reduction in itertools.product([(4,), (5, 3)], ("none", "mean", "sum")):
        d = Draw(f"u8{shape}{reduction}")
        y = d.indices(without_classes(shape), classes_of(shape), dtype="uint8")
        add(f"uint8/{label(shape)}/{reduction}", "uint8", d.floats("float32", shape, -6, 0), y, reduction=reduction, grad_output="draw")
    y = tensor("uint8", (4,), [2, 255, 0, 255])
    add("uint8/ii255", "uint8 ignore_index", Draw("u255").floats("float32", (4, 3), -6, 0), y, ignore_index=255, grad_output="draw")
    x = tensor("float32", (4, 3), [NAN, NAN, INF, -1.0, -2.0, -0.5, -INF, -1.0, 0.0, -3.0, INF, NAN])
    for reduction in ("none", "mean", "sum"):
        for label_, y in {
            "bad-ignored": [-100, 1, 2, -100], "minf": [-100, 1, 0, 0], "pinf": [-100, 0, 1, 1], "nan": [1, 0, 1, 0],
            "inf-minus-inf": [2, 1, 0, 1],
        }.items():  # fmt: skip
            add(f"special/{label_}/{reduction}", "nonfinite", x, tensor("int64", (4,), y), reduction=reduction, grad_output="draw")
        w = tensor("float32", (3,), [0.0, INF, NAN])
        add(f"special/w-nan-unread/{reduction}", "nonfinite weight", x.nan_to_num(-1, 2, -3), tensor("int64", (4,), [0, 1, 1, 0]), weight=w, reduction=reduction, grad_output="draw")
        add(f"special/w-zero-times-inf/{reduction}", "nonfinite weight", x, tensor("int64", (4,), [2, 0, 0, 0]), weight=w.nan_to_num(2, 1, 1), reduction=reduction, grad_output="draw")
    y = tensor("int64", (3,), [0, 1, 0])
    x = Draw("d0").floats("float32", (3, 2), -3, 0)
    for kind, w in {"all-zero": [0.0, 0.0], "cancel": [1.0, -2.0], "negative-total": [1.0, -3.0], "unread-zero": [1.5, 0.0]}.items():
        for reduction in ("mean", "sum"):
            add(f"total/{kind}/{reduction}", "weight total", x, y, weight=tensor("float32", (2,), w), reduction=reduction, grad_output="draw")
    for g, reduction in itertools.product((INF, -INF, NAN), ("mean", "sum")):
        add(f"upstream/{g}/{reduction}", "upstream nonfinite", x, y, reduction=reduction, grad_output=tensor("float32", (), g))
    add("upstream/inf/none", "upstream nonfinite", x, tensor("int64", (3,), [0, -100, 1]), reduction="none", grad_output=tensor("float32", (3,), [INF, INF, NAN]))
    add("upstream/inf/zero-weight", "upstream nonfinite", x, y, weight=torch.tensor([0.0, 1.0]), reduction="sum", grad_output=tensor("float32", (), INF))
    for reduction in ("none", "mean", "sum"):
        for shape in [(0, 3), (0, 3, 2), (2, 3, 0), (0, 0), (0, 3, 2, 2), (2, 3, 2, 0)]:
            y = torch.zeros(without_classes(shape), dtype=torch.int64)
            add(f"empty/{label(shape)}/{reduction}", "empty", torch.zeros(shape), y, reduction=reduction, grad_output="draw")
        y = torch.full((2,), -100)
        add(f"empty/2x0-ignored/{reduction}", "empty", torch.zeros(2, 0), y, reduction=reduction, grad_output="draw")
        for dtype in ("float32", *HALVES):
            x = Draw("all").floats(dtype, (2, 3), -3, 0)
            add(f"all-ignored/{dtype}/{reduction}", "all-ignored", x, y, reduction=reduction, grad_output="draw")
    for shape in [(3,), (1, 3), (1, 3, 1), (1, 3, 1, 1)]:
        d = Draw(f"implicit{shape}")
        y = d.indices(without_classes(shape), 3)
        add(f"implicit/{label(shape)}", "implicit-grad", d.floats("float32", shape, -3, 0), y, reduction="none")
    legacy(add, lambda d: d.floats("float32", (3, 2), -3, 0), lambda d: d.indices((3,), 2), "bogus")
    for reduction in ("sum", "mean"):
        d = Draw("long" + reduction)
        x = d.floats("float32", (1500, 2), -3, 0, 2)
        add(f"long/{reduction}", "large", x, d.indices((1500,), 2), reduction=reduction, grad=False)
    for dtype, reduction in itertools.product(HALVES, ("sum", "mean")):
        d = Draw("long" + dtype + reduction)
        y = d.indices((300,), 2)
        add(f"long/{dtype}/{reduction}", "large", d.floats(dtype, (300, 2), -3, 0, 1), y, reduction=reduction, grad=False)
    d = Draw("col")
    add("weight-column-3d", "weight", d.floats("float32", (2, 3, 2), -3, 0), d.indices((2, 2), 3), weight=d.floats("float32", (3, 1), 0.5, 2), grad_output="draw")


def legacy(add, make_x, make_y, invalid):
    for size_average, reduce in itertools.product((None, True, False), repeat=2):
        options = {k: v for k, v in (("size_average", size_average), ("reduce", reduce)) if v is not None}
        if options:
            id = f"legacy/sa-{size_average}/r-{reduce}"
            d = Draw(id)
            x, y = make_x(d), make_y(d)
            add(id, "legacy", x, y, reduction=invalid, grad_output="draw", **options)
    d = Draw("elementwise")
    add("legacy/elementwise_mean", "legacy", make_x(d), make_y(d), reduction="elementwise_mean", grad_output="draw")


def ce_index_cases():
    def add(id, tags, x, y, **rest):
        case("t2/ce/" + id, "cross_entropy", tags + " index", x, y, **rest)

    for dtype in ("float32", *HALVES):
        kinds = itertools.cycle(["pos", "zero", "neg", "mixed"])
        for shape, reduction, eps in itertools.product(GRID, ("none", "mean", "sum"), (0.0, 0.1)):
            for weighted in (False, True):
                if dtype != "float32" and weighted == (eps == 0.0):
                    continue
                kind = next(kinds) if weighted else "none"
                id = f"{dtype}/{label(shape)}/{reduction}/ls{eps}/w-{kind}"
                d = Draw(id)
                w = d.weight(kind, dtype, classes_of(shape)) if weighted else None
                y = d.indices(without_classes(shape), classes_of(shape))
                options = {"label_smoothing": eps} if eps else {}
                add(id, f"grid w-{kind}", d.floats(dtype, shape), y, weight=w, reduction=reduction, grad_output="draw", **options)
    for eps, (weighted, ii), reduction in itertools.product((1e-6, 0.3, 1.0, -0.5, 1e-300, 0.0), ((False, None), (True, 1)), ("none", "mean", "sum")):
        id = f"smoothing/{eps:g}/{'w-ii' if weighted else 'plain'}/{reduction}"
        d = Draw(id)
        options = {"ignore_index": 1, "weight": d.weight("pos", "float32", 4)} if weighted else {}
        add(id, "smoothing", d.floats("float32", (5, 4)), d.indices((5,), 4, ii), label_smoothing=eps, reduction=reduction, grad_output="draw", **options)
    for ii, shape, eps in itertools.product((2, -7, 3, 2**53, -(2**53)), [(5, 3), (2, 3, 4)], (0.0, 0.2)):
        id = f"ii{ii}/{label(shape)}/ls{eps}"
        d = Draw(id)
        y = d.indices(without_classes(shape), 3, ii)
        add(id, "ignore_index", d.floats("float32", shape), y, ignore_index=ii, label_smoothing=eps, grad_output="draw", reduction=("mean", "none")[len(shape) - 2])
    for shape, reduction in itertools.product([(4,), (5, 3)], ("none", "mean", "sum")):
        d = Draw(f"u8{shape}{reduction}")
        y = d.indices(without_classes(shape), classes_of(shape), dtype="uint8")
        add(f"uint8/{label(shape)}/{reduction}", "uint8", d.floats("float32", shape), y, reduction=reduction, grad_output="draw")
    bad = torch.tensor([[NAN, 0.0, 1.0], [INF, 0.0, 1.0], [-INF, -INF, -INF], [0.5, -1.0, 2.0]])
    some = torch.tensor([[-INF, 0.5, 1.0], [0.25, -INF, -INF], [1.0, 2.0, -1.0], [-INF, 1.0, 1.0]])
    for dtype, reduction, eps in itertools.product(("float32", "bfloat16"), ("none", "mean", "sum"), (0.0, 0.1)):
        if dtype == "bfloat16" and eps:
            continue
        options = {"reduction": reduction, "label_smoothing": eps, "grad_output": "draw"}
        tail = f"{dtype}/{reduction}/ls{eps}"
        t = getattr(torch, dtype)
        add(f"special/bad-rows-ignored/{tail}", "nonfinite", bad.to(t), torch.tensor([-100, -100, -100, 2]), **options)
        add(f"special/minf-elsewhere/{tail}", "nonfinite", some.to(t), torch.tensor([1, 0, 2, 2]), **options)
        add(f"special/minf-at-target/{tail}", "nonfinite", some.to(t), torch.tensor([0, 0, 2, 1]), **options)
        gap = torch.tensor([[3e38, -3e38, 0.0], [1.0, 2.0, 0.5]])
        add(f"special/gap/{tail}", "nonfinite", gap.to(t), torch.tensor([1, 2]), **options)
    for g, reduction in itertools.product((INF, NAN), ("mean", "sum")):
        add(f"upstream/{g}/{reduction}", "upstream nonfinite", some, torch.tensor([1, 0, -100, 2]), reduction=reduction, grad_output=torch.tensor(g))
    plain = torch.tensor([[0.5, -1.0, 2.0], [0.0, 0.25, -0.75]])
    for dtype, g, eps in itertools.product(("float32", "float64", "bfloat16"), (INF, -INF), (0.0, 0.1)):
        t = getattr(torch, dtype)
        for reduction in ("sum", "none"):
            go = tensor(dtype, (2,), [g, 1.0]) if reduction == "none" else tensor(dtype, (), g)
            id = f"upstream-plain/{dtype}/{g}/{reduction}/ls{eps}"
            add(id, "upstream nonfinite", plain.to(t), torch.tensor([2, 0]), reduction=reduction, label_smoothing=eps, grad_output=go)
    for reduction in ("mean", "sum", "none"):
        w = torch.zeros(3)
        add(f"zero-weights/{reduction}", "weight", bad.nan_to_num(1, 2, 0), torch.tensor([0, 1, 2, 0]), weight=w, reduction=reduction, grad_output="draw")
        add(f"zero-weights-ls/{reduction}", "weight smoothing", bad.nan_to_num(1, 2, 0), torch.tensor([0, 1, 2, 0]), weight=w, reduction=reduction, label_smoothing=0.1, grad_output="draw")
        for eps in (0.0, 0.1):
            for shape in [(0, 3), (2, 3, 0)]:
                y = torch.zeros(without_classes(shape), dtype=torch.int64)
                add(f"empty/{label(shape)}/{reduction}/ls{eps}", "empty", torch.zeros(shape), y, reduction=reduction, label_smoothing=eps, grad_output="draw")
            y = torch.full((2,), -100)
            add(f"empty/2x0-ignored/{reduction}/ls{eps}", "empty", torch.zeros(2, 0), y, reduction=reduction, label_smoothing=eps, grad_output="draw")
            add(f"all-ignored/{reduction}/ls{eps}", "all-ignored", some, torch.full((4,), -100), reduction=reduction, label_smoothing=eps, grad_output="draw")
    for shape in [(4,), (3, 4), (2, 4, 2)]:
        d = Draw(f"defaults{shape}")
        add(f"defaults/{label(shape)}", "defaults implicit-grad", d.floats("float32", shape), d.indices(without_classes(shape), 4))
    for shape in [(3,), (1, 3), (1, 3, 1)]:
        d = Draw(f"implicit{shape}")
        add(f"implicit/{label(shape)}", "implicit-grad", d.floats("float32", shape), d.indices(without_classes(shape), 3), reduction="none")
    for dtype in ("float32", "float16"):
        d = Draw("one-class" + dtype)
        add(f"one-class/{dtype}", "one-class", d.floats(dtype, (3, 1)), torch.tensor([0, -100, 0]), reduction="none", grad_output="draw")
    legacy(add, lambda d: d.floats("float32", (2, 3)), lambda d: d.indices((2,), 3), "Mean")
    for dtype, eps in itertools.product(("float32", *HALVES), (0.0, 0.1)):
        d = Draw(f"wide{dtype}{eps}")
        x = d.floats(dtype, (1, 2000), -6, 6, 1)
        add(f"wide/{dtype}/ls{eps}", "large", x, d.indices((1,), 2000), label_smoothing=eps, grad=False)
    d = Draw("wide2")
    add("wide/float64/2x2000", "large", d.floats("float64", (2, 2000), -9, 9, 2), d.indices((2,), 2000), reduction="none", grad=False)
    add("wide/float32/shift", "large shift", (d.floats("float32", (1, 2000), -40, 40, 0) / 8 + 1e5), d.indices((1,), 2000), grad=False)
    add("wide/float32/grad", "large", d.floats("float32", (400,), -6, 6, 1), d.indices((), 400), grad_output="draw")
    for shift in (1e4, -1e4, 2.0**20):
        base = torch.tensor([[0.0, 2.0, 4.0], [8.0, 2.0, 6.0]])
        add(f"shift/{shift:g}", "shift", base + shift, torch.tensor([2, 1]), grad_output="draw")
    d = Draw("col")
    add("weight-column-4d", "weight", d.floats("float32", (2, 3, 2, 1)), d.indices((2, 2, 1), 3), weight=d.floats("float32", (3, 1), 0.5, 2), grad_output="draw")
    for source, to in [("float32", "float64"), ("float64", "float32")]:
        go = tensor(to, (3,), [0.5, -1.25, 2.0])
        add(f"upstream/dtype-{source}-{to}", "upstream go-dtype", d.floats(source, (3, 2)), d.indices((3,), 2), reduction="none", grad_output=go)


def ce_probability_cases():
    def add(id, tags, x, y, **rest):
        rest.setdefault("grad_target", True)
        case("t2/prob/" + id, "cross_entropy", tags + " prob", x, y, **rest)

    for dtype in ("float32", *HALVES):
        kinds = itertools.cycle(["none", "pos", "mixed", "zero", "neg"])
        for shape, reduction in itertools.product(GRID, ("none", "mean", "sum")):
            for smooth in (False, True) if dtype == "float32" else (False,):
                kind = next(kinds)
                id = f"{dtype}/{label(shape)}/{reduction}/{'ls' if smooth else 'plain'}/w-{kind}"
                d = Draw(id)
                w = None if kind == "none" else d.weight(kind, dtype, classes_of(shape))
                options = {"label_smoothing": 0.1} if smooth else {}
                add(id, f"grid w-{kind}", d.floats(dtype, shape), d.probabilities(dtype, shape), weight=w, reduction=reduction, grad_output="draw", **options)
    for eps, reduction in itertools.product((1e-6, 0.25, 1.0, -0.5), ("none", "mean")):
        d = Draw(f"{eps}{reduction}")
        w = d.weight("pos", "float32", 3)
        add(f"smoothing/{eps:g}/{reduction}", "smoothing", d.floats("float32", (4, 3)), d.probabilities("float32", (4, 3)), weight=w, label_smoothing=eps, reduction=reduction, grad_output="draw")
    rows = {
        "unnormalised": [2.0, 3.0, 0.5, 0.1, 0.0, 0.2],
        "negative": [-1.0, 0.5, 2.0, -0.25, -0.25, -3.0],
        "zero-row": [0.0, 0.0, 0.0, 0.2, 0.3, 0.5],
        "one-hot": [0.0, 1.0, 0.0, 1.0, 0.0, 0.0],
        "nan": [NAN, 0.5, 0.5, 0.2, 0.3, 0.5],
        "inf": [INF, 0.0, 0.5, 0.2, 0.3, 0.5],
    }
    for kind, row in rows.items():
        for reduction in ("none", "mean", "sum"):
            x = Draw(kind + reduction).floats("float32", (2, 3))
            add(f"{kind}/{reduction}", kind, x, tensor("float32", (2, 3), row), reduction=reduction, grad_output="draw")
    for types in [
        ("float32", "float64", None), ("float64", "float32", None), ("float32", "float16", None), ("float16", "float32", None),
        ("bfloat16", "float32", None), ("float16", "bfloat16", None), ("bfloat16", "float16", None), ("float16", "float64", None),
        ("float32", "float32", "float64"), ("float64", "float64", "float32"), ("float32", "float32", "int64"), ("float64", "float32", "int64"),
        ("float16", "float16", "float32"), ("bfloat16", "bfloat16", "int64"), ("float16", "float16", "int64"), ("bfloat16", "bfloat16", "float16"),
        ("float32", "bfloat16", "float64"), ("float32", "float32", "uint8"),
    ]:  # fmt: skip
        for reduction in ("none", "mean"):
            source, target, weight = types
            id = f"promote/{source}-{target}-{weight}/{reduction}"
            d = Draw(id)
            w = None
            if weight:
                w = d.floats(weight, (4,), 0.5, 2) if "float" in weight else tensor(weight, (4,), [1, 2, 0, 3])
            add(id, "promote", d.floats(source, (3, 4)), d.probabilities(target, (3, 4)), weight=w, reduction=reduction, grad_output="draw")
    x = torch.tensor([[-INF, 0.5, 1.0], [0.25, -1.0, 2.0], [1.0, -INF, -INF]])
    hot = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    soft = torch.tensor([[0.5, 0.25, 0.25], [0.0, 0.0, 1.0], [0.5, 0.25, 0.25]])
    bad = torch.tensor([[NAN, 0.0, 1.0], [INF, 0.0, 1.0], [-INF, -INF, -INF]])
    for reduction in ("none", "mean", "sum"):
        for kind, (a, b) in {"minf-one-hot": (x, hot), "minf-soft": (x, soft), "bad-rows": (bad, soft), "zeros-bad-rows": (bad, soft * 0)}.items():
            add(f"special/{kind}/{reduction}", "nonfinite", a, b, reduction=reduction, grad_output="draw")
        w = torch.tensor([0.0, 1.0, 2.0])
        add(f"special/zero-weight-minf/{reduction}", "nonfinite weight", x, soft, weight=w, reduction=reduction, grad_output="draw")
        for shape in [(0, 3), (2, 0), (0,), (2, 3, 0)]:
            add(f"empty/{label(shape)}/{reduction}", "empty", torch.zeros(shape), torch.zeros(shape), reduction=reduction, grad_output="draw")
    add("special/zero-upstream", "nonfinite upstream", x, soft, reduction="none", grad_output=torch.tensor([0.0, 1.0, 0.0]))
    add("special/gap", "nonfinite", torch.tensor([[3e38, -3e38, 0.0], [1.0, 2.0, 0.5]]), torch.tensor([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]]), reduction="none", grad_output="draw")
    for g in (INF, NAN):
        add(f"upstream/{g}", "upstream nonfinite", x.nan_to_num(0, 0, -2), soft, reduction="sum", grad_output=torch.tensor(g))
    for ii in (-1, -100, -(2**53)):
        d = Draw(f"ii{ii}")
        add(f"ii{ii}", "ignore_index", d.floats("float32", (2, 3)), d.probabilities("float32", (2, 3)), ignore_index=ii)
    for shape in [(3,), (1, 3), (1, 3, 1)]:
        d = Draw(f"implicit{shape}")
        add(f"implicit/{label(shape)}", "implicit-grad", d.floats("float32", shape), d.probabilities("float32", shape), reduction="none")
    d = Draw("target only")
    add("target-grad-only", "defaults", d.floats("float32", (2, 3)), d.probabilities("float32", (2, 3)), grad=False)
    add("one-element", "one-class", torch.tensor([[2.0]]), torch.tensor([[0.5]]))
    for sa, r in [(True, False), (False, None), (None, False)]:
        options = {k: v for k, v in (("size_average", sa), ("reduce", r)) if v is not None}
        add(f"legacy/sa-{sa}/r-{r}", "legacy", d.floats("float32", (2, 3)), d.probabilities("float32", (2, 3)), reduction="invalid", grad_output="draw", **options)
    x = d.floats("float32", (1, 2000), -6, 6, 1)
    y = (d.floats("float32", (1, 2000), 0, 99, 0) == 7).float()
    add("wide/float32", "large", x, y, grad=False, grad_target=False)


def error_cases():
    def add(op, id, x, y=None, grad=False, **rest):
        case(f"t2/err/{op}/{id}", {"ls": "log_softmax", "nll": "nll_loss", "ce": "cross_entropy"}[op], "refusal", x, y, grad=grad, **rest)

    def x(*shape, dtype="float32"):
        return Draw("x").floats(dtype, shape) if "float" in dtype else torch.ones(shape, dtype=getattr(torch, dtype))

    def y(*shape, dtype="int64"):
        return torch.zeros(shape, dtype=getattr(torch, dtype))

    for shape, dim in [((), 1), ((), -2), ((3,), 1), ((3,), -2), ((2, 3), 2), ((2, 3), -3), ((1, 2, 3), 3), ((1, 1, 2, 2), -5), ((0, 3), 2), ((0,), 1), ((2, 3), 2**40)]:
        add("ls", f"dim{dim}/{label(shape)}", x(*shape), dim=dim)
    for dtype in ("int64", "int32", "int16", "uint8", "bool"):
        add("ls", f"integer/{dtype}/last", x(2, 3, dtype=dtype), dim=1)
        add("ls", f"integer/{dtype}/first", x(2, 3, dtype=dtype), dim=0)
    add("ls", "integer/grad", x(2, 3, dtype="int64"), dim=1, dtype="float32", grad=True)
    add("ls", "integer/0d", x(dtype="int64"), dim=0)
    for dtype in ("int64", "int32"):
        add("ls", f"dtype-{dtype}", x(2, 3), dim=1, dtype=dtype)
    add("ls", "implicit", x(2, 3), dim=1, grad=True)
    add("ls", "implicit-empty", x(0, 3), dim=1, grad=True)
    add("ls", "upstream-shape", x(2, 3), dim=1, grad=True, grad_output=x(3, 2))
    add("ls", "upstream-0d", x(2, 3), dim=1, grad=True, grad_output=x())
    add("ls", "upstream-1-for-0d", x(), dim=0, grad=True, grad_output=x(1))
    add("ls", "upstream-0d-for-1", x(1), dim=0, grad=True, grad_output=x())
    add("ls", "dim-bool", x(2, 3), dim=True)
    add("ls", "dim-float", x(2, 3), dim=0.5)
    add("ls", "dim-text", x(2, 3), dim="1")

    for op in ("nll", "ce"):
        for value in ("avg", "Mean", "", "batchmean", "NONE", " mean"):
            add(op, f"reduction/{value.strip() or 'empty'}{'-blank' if ' ' in value else ''}", x(2, 3), y(2), reduction=value)
        add(op, "reduction/before-shape", x(2, 3), y(4), reduction="avg")
        add(op, "0d-input", x(), y())
        add(op, "0d-input-1", x(), y(1))
        add(op, "batch/2d", x(3, 4), y(4))
        add(op, "batch/0d-target", x(3, 4), y())
        add(op, "batch/3d", x(3, 4, 2), y(2, 2))
        add(op, "1d-target-2", x(5), y(2))
        add(op, "1d-target-3", x(5), y(3))
        add(op, "1d-target-0", x(5), y(0))
        add(op, "1d-target-2d", x(5), y(1, 1))
        add(op, "1d-1d-equal", x(3), y(3))
        add(op, "multi-target", x(3, 4), y(3, 1))
        add(op, "size/3d", x(2, 3, 4), y(2, 5))
        add(op, "size/3d-target-1d", x(2, 3, 4), y(2))
        add(op, "size/4d", x(2, 3, 4, 4), y(2, 4, 5))
        add(op, "size/4d-target-2d", x(2, 3, 4, 4), y(2, 4))
        add(op, "size/5d", x(2, 3, 1, 2, 2), y(2, 1, 2, 3))
        add(op, "size/class-last", x(2, 4, 3), y(2, 4))
        for shape, target in [((5,), ()), ((4, 5), (4,)), ((2, 5, 3), (2, 3)), ((2, 5, 2, 2), (2, 2, 2)), ((1, 5, 1, 2, 1), (1, 1, 2, 1))]:
            add(op, f"weight/length-{label(shape)}", x(*shape), y(*target), weight=x(4))
        add(op, "weight/2d", x(4, 5), y(4), weight=x(5, 1))
        add(op, "weight/0d", x(4, 5), y(4), weight=x())
        for a, b in [("float32", "float64"), ("float64", "float32"), ("bfloat16", "float32"), ("float16", "bfloat16"), ("float32", "int64")]:
            add(op, f"weight/dtype-{a}-{b}", x(4, 5, dtype=a), y(4), weight=x(5, dtype=b))
        add(op, "weight/dtype-3d", x(2, 5, 3), y(2, 3), weight=x(5, dtype="float64"))
        for dtype in ("float32", "float16", "int16", "bool"):
            add(op, f"target/{dtype}", x(4, 5), y(4, dtype=dtype))
            add(op, f"target/{dtype}-4d", x(2, 3, 2, 2), y(2, 2, 2, dtype=dtype))
        for dtype in ("int64", "uint8", "bool"):
            add(op, f"input/{dtype}", x(4, 5, dtype=dtype), y(4))
        add(op, "input/int64-grad", x(4, 5, dtype="int64"), y(4), grad=True)
        for kind, data in {"high": [0, 3, 0], "negative": [0, -1, 9], "first-of-two": [7, 0, -2], "huge": [0, 0, 2**53], "default-off": [0, -100, 1]}.items():
            for reduction in ("none", "mean"):
                options = {"ignore_index": 2} if kind == "default-off" else {}
                add(op, f"range/{kind}/{reduction}", x(3, 3), tensor("int64", (3,), data), reduction=reduction, **options)
        add(op, "range/0d", x(3), tensor("int64", (), 3))
        add(op, "range/3d", x(1, 3, 2), tensor("int64", (1, 2), [0, 4]), reduction="sum")
        add(op, "range/uint8", x(2, 3), tensor("uint8", (2,), [0, 255]))
        add(op, "range/weighted", x(2, 3), tensor("int64", (2,), [5, 0]), weight=x(3))
        add(op, "range/no-classes", x(2, 0), y(2))
        add(op, "range/no-classes-3d", x(2, 0, 3), y(2, 3))
        add(op, "ignore_index/float", x(2, 3), y(2), ignore_index=0.5)
        add(op, "ignore_index/text", x(2, 3), y(2), ignore_index="0")
        add(op, "ignore_index/overflow", x(2, 3), y(2), ignore_index=2**63)
        add(op, "implicit/none", x(2, 3), y(2), reduction="none", grad=True)
        add(op, "implicit/none-empty", x(0, 3), y(0), reduction="none", grad=True)
        for kind, options in {"scalar-1": {"grad_output": x(1)}, "none-0d": {"reduction": "none", "grad_output": x()}, "none-long": {"reduction": "none", "grad_output": x(3)},
                              "none-2d": {"reduction": "none", "grad_output": x(2, 1)}, "sum-2": {"reduction": "sum", "grad_output": x(2)}}.items():  # fmt: skip
            add(op, f"upstream/{kind}", x(2, 3), y(2), grad=True, **options)
        add(op, "upstream/unbatched-none-1", x(3), y(), reduction="none", grad=True, grad_output=x(1))
    for dtype in ("int64", "uint8", "bool"):
        add("ce", f"prob/target-{dtype}", x(2, 3), y(2, 3, dtype=dtype))
    add("ce", "prob/0d", x(), x())
    for ii in (0, 1, 2**40):
        add("ce", f"prob/ignore_index{ii}", x(2, 3), x(2, 3), ignore_index=ii)
    add("ce", "prob/weight-length", x(2, 4), x(2, 4), weight=x(3))
    add("ce", "prob/weight-2d", x(2, 4), x(2, 4), weight=x(4, 1))
    add("ce", "prob/weight-1d-input", x(4), x(4), weight=x(5))
    add("ce", "prob/input-int64", x(2, 3, dtype="int64"), x(2, 3))
    add("ce", "prob/smoothing-1.5", x(2, 3), x(2, 3), label_smoothing=1.5)
    add("ce", "prob/other-shape", x(2, 3), x(2, 4))
    add("ce", "prob/class-index-float", x(2, 3), x(2))
    add("ce", "prob/upstream-shape", x(2, 3), x(2, 3), grad=True, grad_output=x(2))
    add("ce", "prob/implicit", x(2, 3), x(2, 3), reduction="none", grad=True)
    add("ce", "prob/ignore_index-before-smoothing", x(2, 3), x(2, 3), ignore_index=1, label_smoothing=2.0)
    add("ce", "target-grad-of-indices", x(2, 3), y(2), grad_target=True)
    for eps in (1.5, 2, 1.0000001, 1e300):
        add("ce", f"smoothing/{eps:g}" if eps != 1.0000001 else "smoothing/just-above", x(2, 3), y(2), label_smoothing=eps)
    add("ce", "smoothing/before-shape", x(2, 3), y(4), label_smoothing=1.2)
    add("ce", "smoothing/before-range", x(2, 3), y(2) + 9, label_smoothing=1.2)
    add("ce", "smoothing/range-at-1", x(2, 3), y(2) + 9, label_smoothing=1.0)
    add("ce", "smoothing/text", x(2, 3), y(2), label_smoothing="0.1")
    add("ce", "smoothing/weight-column", x(2, 3, 2, 2), y(2, 2, 2), weight=x(3, 1), label_smoothing=0.1)


def main():
    here = pathlib.Path(__file__).resolve().parent
    log_softmax_cases()
    nll_cases()
    ce_index_cases()
    ce_probability_cases()
    error_cases()
    lines = [json.dumps(c, separators=(",", ":"), allow_nan=False) for c in cases]
    out = here / "torch2-grid.jsonl"
    out.write_text("\n".join(lines) + "\n")
    print(f"PyTorch {torch.__version__}: {len(cases)} cases, {out.stat().st_size} bytes")
    for (op, refused), n in sorted(collections.Counter((c["op"], "expect_error" in c) for c in cases).items()):
        print(f"  {op}{' refused' if refused else ''}: {n}")
    print("from the float64 evaluation:", *(c["id"] for c in cases if "reference" in c), sep="\n  ")
    print("\n".join(complaints), file=sys.stderr)
    sys.exit(1 if complaints else 0)


main()
