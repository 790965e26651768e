"""Generated kernels, run on the CPU as CUDA runs them, against NumPy: what goes into one kernel, and what it computes."""
from __future__ import annotations

import math
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import optree
import pytest

import gpuad as ad
from gpuad.planning import functions
from gpuad.planning.device.code import Node
from gpuad.planning.device.nodes import steps
from gpuad.planning.device.source import code
from gpuad.planning.passes import analyse
from gpuad.planning.passes.dead import dead
from gpuad.planning.program import Program, Row, Var, spec_of, substitute
from gpuad.planning.trace import trace
from tests.standin import compiling, emulation

needs_compiler = pytest.mark.skipif(bool(emulation.missing()), reason=emulation.missing() or "none")


# ---- running steps

def buffer(shape, dtype):
    """An array at a multiple of 256 bytes, full of NaN."""
    n = math.prod(shape) * np.dtype(dtype).itemsize
    raw = np.full(n + 256, 0xFF, np.uint8)
    start = -raw.ctypes.data % 256
    return raw[start:start + n].view(dtype).reshape(shape)


def placed(value):
    """A value as an array in memory."""
    if isinstance(value, np.ndarray):
        return value
    array = buffer((), np.asarray(value).dtype)
    array[...] = value
    return array


def as_device(array):
    data = SimpleNamespace(ptr=array.ctypes.data)
    return SimpleNamespace(shape=array.shape, strides=array.strides, dtype=array.dtype, data=data)


def run_node(program, node, known, processors):
    """Run a node twice, as replays do, which must give the same bits. Gives its Code."""
    for i in node.writes:
        known[i] = buffer(program.spec(i).shape, program.spec(i).dtype)
    read = {j for i in node.rows for j in program.row(i).parents} & set(known)
    made = code(program, node, {i: as_device(known[i]) for i in {*read, *node.writes}}, processors)
    scratch = buffer((max(made.scratch, 1),), np.uint8)
    scratch[:] = 0
    results = []
    for _ in range(2):
        for launch in made.launches:
            arguments = [np.uintp(known[a.index].ctypes.data) if type(a) is Var else np.uintp(scratch.ctypes.data + a[1])
                         for a in launch.arguments]
            emulation.run(made.source, launch.name, launch.grid, launch.block, arguments, launch.shared)
        results.append([known[i].tobytes() for i in node.writes])
    assert results[0] == results[1]
    return made


def run(program, values, processors=132):
    """(outputs, Code of each node) of a program whose nodes run as kernels and whose other rows NumPy runs."""
    given = dict(enumerate([*values, *program.captured]))
    known = {i: placed(x) for i, x in given.items()}
    made, seen = [], []
    for step in steps(program):
        seen += step.rows if isinstance(step, Node) else [step]
        if isinstance(step, Node):
            made.append(run_node(program, step, known, processors))
        else:
            row = program.row(step)
            value = row.function(*substitute(row.args, known | given), **substitute(row.kwargs, known | given))
            known[step] = value if isinstance(value, tuple) else placed(value)
    assert sorted(seen) == [i for i, _ in program.numbered()]
    return [known[v.index] if type(v) is Var else v for v in program.outputs], made


def close(found, wanted, tolerance):
    """Whether arrays agree to a part of the largest finite entry."""
    wanted = np.asarray(wanted)
    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
    if wanted.dtype.kind not in "fc":
        np.testing.assert_array_equal(found, wanted)
        return
    scale = np.abs(wanted[np.isfinite(wanted)]).max(initial=1)
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * float(scale))


TOLERANCE = {"float16": 2e-2, "float32": 1e-4, "complex64": 1e-4}


def check(program, values, processors=132):
    """Kernels agree with NumPy; gives their Codes."""
    with np.errstate(all="ignore"):
        wanted = program.run(*values)
        found, made = run(program, values, processors)
    dtypes = {program.spec(i).dtype.name for i in range(program.n_variables) if program.spec(i).dtype is not None}
    for a, b in zip(found, wanted, strict=True):
        close(a, b, max(TOLERANCE.get(name, 1e-9) for name in dtypes))
    return made


def program_of(f, *args):
    """(program as it is analysed for a device, leaves) of a function."""
    leaves, tree = optree.tree_flatten(args)
    traced, _ = trace(f, leaves, lambda new: (optree.tree_unflatten(tree, new), {}), "f")
    return analyse(traced, on_device=True), leaves


# ---- what goes together

rng = np.random.default_rng(7)


def normal(*shape):
    return rng.normal(size=shape).astype(np.float32)


def network(p, x, y):
    return np.mean((np.tanh(np.tanh(x @ p[0] + p[1]) @ p[2] + p[3]) @ p[4] + p[5] - y) ** 2)


def parameters(*widths):
    return [a for m, n in pairwise(widths) for a in (normal(m, n), normal(n))]


def descent(p, x, y):
    value, slope = ad.value_and_grad(network)(p, x, y)
    return value, [w - 0.1 * g for w, g in zip(p, slope, strict=True)]


def adam(p, m, v, slope, at):
    found = []
    for w, a, b, g in zip(p, m, v, slope, strict=True):
        a, b = 0.9 * a + 0.1 * g, 0.999 * b + 0.001 * g * g
        found.append((w - 0.001 * (a / at[0]) / (np.sqrt(b / at[1]) + 1e-8), a, b))
    return found


def log_softmax(x, axis=-1):
    x = x - np.max(x, axis=axis, keepdims=True)
    return x - np.log(np.sum(np.exp(x), axis=axis, keepdims=True))


def cross_entropy(p, x, y):
    return -np.mean(np.sum(y * log_softmax(x @ p[0] + p[1]), axis=1))


def layer_norm(x, g, b):
    m = np.mean(x, axis=-1, keepdims=True)
    return np.sum(np.tanh((x - m) / np.sqrt(np.mean((x - m) ** 2, axis=-1, keepdims=True) + 1e-5) * g + b))


def batch_norm(x, g, b):
    m = np.mean(x, axis=0)
    return np.sum(np.tanh((x - m) / np.sqrt(np.mean((x - m) ** 2, axis=0) + 1e-5) * g + b))


PARAMETERS = parameters(16, 24, 24, 10)
POSITIVE = [np.abs(a) for a in PARAMETERS]
CASES = {
    "value and gradient of a network": (ad.value_and_grad(network), (PARAMETERS, normal(32, 16), normal(32, 10)), 5),
    "training step of a network": (descent, (PARAMETERS, normal(32, 16), normal(32, 10)), 6),
    "softmax cross entropy": (ad.value_and_grad(cross_entropy), (PARAMETERS[-2:], normal(33, 24), np.abs(normal(33, 10))), 1),
    "log-softmax": (log_softmax, (normal(40, 72),), 1),
    "long log-softmax": (log_softmax, (normal(2, 9000),), 1),
    "log-softmax over the first axis": (lambda x: log_softmax(x, 0), (normal(60, 33),), 1),
    "layer norm": (ad.value_and_grad(layer_norm, argnums=(0, 1, 2)), (normal(37, 64), normal(64), normal(64)), 1),
    "wide layer norm": (ad.value_and_grad(layer_norm, argnums=(0, 1, 2)), (normal(70, 900), normal(900), normal(900)), 2),
    "batch norm": (ad.value_and_grad(batch_norm, argnums=0), (normal(90, 12), normal(12), normal(12)), 1),
    "Adam": (adam, (PARAMETERS, PARAMETERS, POSITIVE, PARAMETERS, (np.float32(0.5), np.float32(0.1))), 1),
    "long sums": (lambda x, y: (np.sum(x * y), np.max(x), np.sum(np.tanh(x)) / 3), (normal(20, 1501), normal(20, 1501)), 1),
    "sums over the first axis": (lambda x: (np.tanh(x), np.sum(np.tanh(x), axis=0) * 2), (normal(300, 130),), 1),
    "sums over the middle": (lambda x: np.sum(x * 2, axis=1), (normal(9, 40, 21),), 1),
}


@needs_compiler
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("processors", [132, 3])
def test_launches_and_values(name, processors):
    f, args, launches = CASES[name]
    made = check(*program_of(f, *args), processors)
    assert sum(len(c.launches) for c in made) <= launches
    for one in made:
        assert all(math.prod(launch.block) <= 1024 and launch.shared <= 40 << 10 for launch in one.launches)


@needs_compiler
def test_every_source_compiles():
    for f, args, _ in CASES.values():
        for one in check(*program_of(f, *args)):
            resources = compiling.require_compiles(one.source)
            assert all(r.local == 0 for r in resources.values()), "registers are spilled"


@needs_compiler
def test_a_source_is_the_same_for_the_same_work():
    program, values = program_of(descent, PARAMETERS, normal(32, 16), normal(32, 10))
    first, second = ([c.source for c in run(program, values)[1]] for _ in range(2))
    assert first == second
    assert first[0] == first[1], "layers of one width share a source"


@needs_compiler
def test_wide_accesses():
    def f(x, y):
        return np.tanh(x) * y + 1

    for dtype, count in ((np.float32, 4), (np.float64, 2), (np.float16, 8)):
        x = placed(buffer((64, 64), dtype))
        x[...] = 1
        [one] = check(*program_of(f, x, x))
        assert f"{count}>*>(v0 + i)" in one.source
        assert f"{count}>*>(o" in one.source
    odd = np.ones((8, 66), np.float32)[:, 1:]
    [one] = check(*program_of(f, odd, odd))
    assert "Vector<float" not in one.source.partition("extern")[2]


# ---- random programs

DTYPES = [np.dtype(d) for d in ("float32", "float32", "float32", "float64", "float16", "int32", "int64", "uint8", "bool",
                                "complex64")]
UNARY = [np.exp, np.tanh, np.negative, np.square, np.sqrt, np.sign, np.absolute, np.isnan]
BINARY = [np.add, np.subtract, np.multiply, np.maximum, np.minimum, np.divide, np.less, np.logical_and]
ACROSS = [np.add, np.add, np.add, np.maximum, np.minimum, np.logical_and, np.logical_or, np.multiply]


class Maker:
    """Random rows of elementwise functions, reductions and views on random arrays."""

    def __init__(self, seed):
        self.rng = rng = np.random.default_rng(seed)
        self.rows, self.known = [], []
        shape = tuple(int(rng.choice([1, 2, 3, 5, 8, 16, 33, 64, 130])) for _ in range(rng.integers(1, 4)))
        dtypes = [DTYPES[k] for k in rng.integers(len(DTYPES), size=rng.choice([1, 1, 3]))]
        for _ in range(rng.integers(1, 5)):
            own = tuple(1 if rng.random() < 0.15 else n for n in shape[rng.integers(0, 2) if rng.random() < 0.2 else 0:])
            self.known.append(self.array(own, dtypes[rng.integers(len(dtypes))]))
        self.values = list(self.known)
        for _ in range(200):
            if len(self.rows) < 4 + seed % 9:
                self.grow()

    def array(self, shape, dtype):
        rng = self.rng
        whole = tuple(n + int(rng.integers(3)) for n in shape) if rng.random() < 0.3 else shape
        x = rng.normal(size=whole) * 2 + (1j * rng.normal(size=whole) if dtype.kind == "c" else 0)
        a = buffer(whole, dtype)
        a[...] = x > 0 if dtype.kind == "b" else np.abs(x).astype(dtype) if dtype.kind in "iu" else x.astype(dtype)
        a = a[tuple(slice(0, n) for n in shape)]
        return np.asfortranarray(a) if rng.random() < 0.15 else a

    def push(self, f, *args):
        try:
            with np.errstate(all="ignore"):
                value = f(*substitute(args, self.known))
        except (TypeError, ValueError):
            return
        if np.size(value) <= 10000 and np.size(value):
            self.rows.append(Row(f, args, {}, spec_of(value)))
            self.known.append(value)

    def pick(self):
        n = len(self.known)
        return Var(int(self.rng.integers(max(0, n - 5) if self.rng.random() < 0.7 else 0, n)))

    def grow(self):
        rng, v = self.rng, self.pick()
        x, kind = self.known[v.index], rng.integers(10)
        if kind < 2:
            self.push(UNARY[rng.integers(len(UNARY))], v)
        elif kind < 5:
            self.push(BINARY[rng.integers(len(BINARY))], v, self.pick() if rng.random() < 0.8 else float(rng.normal()))
        elif kind == 5 and x.dtype == bool:
            self.push(functions.select, v, self.pick(), self.pick())
        elif kind < 8 and x.ndim:
            axes = tuple(a for a in range(x.ndim) if rng.random() < 0.5) or (x.ndim - 1,)
            self.push(functions.reduce, v, ACROSS[rng.integers(len(ACROSS))], axes, bool(rng.integers(2)))
        elif kind == 8 and x.ndim:
            shapes = [(x.size,), (*x.shape, 1), (1, *x.shape), (2, *x.shape)]
            shape = shapes[rng.integers(4)]
            self.push(functions.broadcast if shape[0] == 2 and x.size != 2 else functions.reshape, v, shape)
        elif x.ndim > 1:
            self.push(functions.transpose, v, tuple(map(int, rng.permutation(x.ndim))))
        elif x.dtype.kind in "fc" and x.ndim:
            self.push(np.matmul, v, self.pick())

    def program(self):
        first, n = len(self.values), len(self.known)
        outputs = sorted({n - 1, *map(int, self.rng.integers(first, n, 2))})
        return dead(Program(tuple(map(spec_of, self.values)), (), tuple(self.rows), tuple(map(Var, outputs))))


@needs_compiler
@pytest.mark.parametrize("seed", range(40))
def test_random_programs(seed):
    made = Maker(seed)
    check(made.program(), made.values, processors=(132, 2)[seed % 2])
