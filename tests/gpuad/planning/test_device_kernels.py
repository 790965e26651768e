"""Generated kernels, run on the CPU as CUDA runs them, against NumPy: what goes into one kernel, and what it computes."""
from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import optree
import pytest

import gpuad as ad
from gpuad.planning.device.code import Node
from gpuad.planning.device.lowering import lowered
from gpuad.planning.device.nodes import steps
from gpuad.planning.device.parts import parts
from gpuad.planning.device.work import work
from gpuad.planning.passes import analyse
from gpuad.planning.trace import trace
from tests.gpuad.planning.kernels import buffer, check, needs_compiler, run, written_over
from tests.standin import compiling


def program_of(f, *args):
    """(program as it is analysed for a device, leaves) of a function."""
    leaves, tree = optree.tree_flatten(args)
    traced, _ = trace(f, leaves, lambda new: (optree.tree_unflatten(tree, new), {}), "f")
    return parts(lowered(analyse(replace(traced, on_device=True))), np.asarray).device, leaves


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


def picked_entropy(p, x, y):
    return -np.mean(log_softmax(x @ p[0] + p[1])[np.arange(len(y)), y])


def regression(p, x, y):
    z = x @ p[0] + p[1]
    return np.mean(np.logaddexp(0, z) - y * z)


def clipped(xs):
    norm = np.sqrt(sum(np.sum(x * x) for x in xs))
    return [x / np.maximum(1, norm) for x in xs]


def patches(x):
    return np.concatenate([x[:, i:i + 6, j:j + 5] for i in range(2) for j in range(3)], axis=0)


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
    "cross entropy of classes": (ad.value_and_grad(picked_entropy), (PARAMETERS[-2:], normal(33, 24), rng.integers(-10, 10, 33)),
                                 1),
    "logistic regression": (ad.value_and_grad(regression), ([normal(36), normal(1)], normal(150, 36), normal(150)), 1),
    "product of a transposed matrix and a vector": (lambda x, v: x.T @ v, (normal(3000, 21), normal(3000)), 1),
    "patches of an image": (ad.value_and_grad(lambda x: np.sum(patches(np.tanh(x)) ** 2)), (normal(4, 7, 7),), 3),
    "gradients clipped by their norm": (clipped, ([normal(30, 30, 30), normal(70, 400), normal(9001)],), 3),
    "many arrays joined": (lambda xs: np.concatenate([x[:, ::2] for x in xs] + [xs[0]], axis=1), ([normal(3, 4 + k // 100)
                                                                                         for k in range(130)],), 3),
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


HALVES = normal(20, 30).astype(np.float16)
CALLS = {
    "mean of halves": (lambda x: np.mean(x, axis=-1, keepdims=True) * x, HALVES),
    "sum in another dtype": (lambda x: np.sum(x, axis=0, dtype=np.float32), HALVES),
    "product in another dtype": (lambda x: np.prod(x, dtype=np.float64), normal(20)),
    "variance": (lambda x: np.var(x, axis=(0, 2), ddof=1), normal(9, 4, 5)),
    "variance of halves": (lambda x: np.var(x), HALVES),
    "deviation": (lambda x: np.std(x, axis=1, keepdims=True) + np.mean(x, axis=1, keepdims=True), normal(20, 30)),
    "mean of whole numbers": (np.mean, rng.integers(-5, 5, (7, 8))),
    "class": (lambda x: np.tanh(x)[np.arange(8), x[:, 0].astype(int) * 0 - 2], normal(8, 5)),
}


@needs_compiler
@pytest.mark.parametrize("name", CALLS)
def test_calls_with_options_are_one_kernel(name):
    f, x = CALLS[name]
    assert sum(len(c.launches) for c in check(*program_of(f, x))) == 1


@needs_compiler
@pytest.mark.parametrize("name", ["training step of a network", "Adam"])
def test_parameters_are_updated_in_place(name):
    f, args, _ = CASES[name]
    program, values = program_of(f, *args)
    wanted, _ = run(program, values)
    nodes = [step for step in steps(program) if isinstance(step, Node)]
    over = [i for node in nodes for i in node.writes if written_over(program, node, i) is not None]
    assert len(over) >= len(PARAMETERS) - 1, "the last bias is also added in the kernel that updates it"
    found, _ = run(program, [x.copy() if isinstance(x, np.ndarray) else x for x in values], in_place=True)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(a, b)


def test_work_is_counted_once():
    program, _ = program_of(lambda x, y: (np.tanh(x) * y + x, np.sum(np.tanh(x), axis=0)), normal(300, 40), normal(40))
    [node] = [step for step in steps(program) if isinstance(step, Node)]
    n = 300 * 40
    done = work(program, node)
    assert (done.read, done.written, done.flops) == (4 * (n + 40), 4 * (n + 40), 4 * n)
    assert done.seconds(1e6, 1e9) == (done.read + done.written) / 1e6


def test_steps_keep_the_order_of_effects_and_of_what_they_read():
    program, _ = program_of(descent, PARAMETERS, normal(32, 16), normal(32, 10))
    ready = set(range(program.first))
    for step in steps(program):
        rows = step.rows if isinstance(step, Node) else (step,)
        for i in rows:
            assert set(program.row(i).parents) <= ready | set(rows)
        ready |= set(rows)
    assert len(ready) == program.n_variables


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
        x = buffer((64, 64), dtype)
        x[...] = 1
        [one] = check(*program_of(f, x, x))
        assert f"{count}>*>(v0 + i)" in one.source
        assert f"{count}>*>(o" in one.source
    odd = np.ones((8, 66), np.float32)[:, 1:]
    [one] = check(*program_of(f, odd, odd))
    assert "Vector<float" not in one.source.partition("extern")[2]
