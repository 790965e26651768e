"""What was asked of the GPU and no clock decides: its results against the CPU's in float64, and long training in constant memory.

Relative differences of 1e-12 are allowed in float64, and of 1e-5 in float32. On the stand-in few programs run.
"""
from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import cache, partial
from types import ModuleType
from typing import Any

import numpy as np
import optree
import pytest

import gpuad as ad
from benchmarks import peers
from benchmarks.programs import logistic
from benchmarks.programs.black_scholes import black_scholes
from benchmarks.programs.growth import growth
from benchmarks.programs.networks import LARGE, NETWORKS, SMALL
from benchmarks.programs.program import GRADIENT, STEP, Program, flat, trained
from benchmarks.programs.wide import wide
from benchmarks.workloads import PROGRAMS
from linalg.arrays import to_host
from tests.gpuad.test_random_programs import BINARY, SHAPE, UNARY

pytestmark = pytest.mark.gpu

BOUNDS = {"float64": 1e-12, "float32": 1e-5}
AT_ONCE, BATCHES, ON_STAND_IN = 10, 50, 2
"""Programs in one plan, such plans, and those of them on the stand-in."""
STEPS, STEPS_ON_STAND_IN = 10_000, 200


def is_stand_in(config: pytest.Config) -> bool:
    return bool(config.getoption("--cupy-standin"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "batch" in metafunc.fixturenames:
        metafunc.parametrize("batch", range(ON_STAND_IN if is_stand_in(metafunc.config) else BATCHES))


def differs_by(got: Any, wanted: Any) -> float:
    """The largest difference of arrays, each relative to the largest entry of what is wanted."""
    pairs = list(zip(optree.tree_leaves(got), optree.tree_leaves(wanted), strict=True))
    return max(float(np.max(np.abs(np.asarray(to_host(a), float) - b)) / np.max(np.abs(b))) for a, b in pairs)


def on(xp: ModuleType, tree: Any, dtype: str) -> Any:
    return optree.tree_map(lambda x: xp.asarray(x, dtype), tree)


# ---- random programs

LEFT_OUT = (UNARY[-1], BINARY[8])
"""They read constant arrays of NumPy's, which may not meet CuPy's."""
FUNCTIONS: list[tuple[int, Callable[..., Any]]] = [
    *((1, f) for f in UNARY if f not in LEFT_OUT), *((2, f) for f in BINARY if f not in LEFT_OUT),
    (2, lambda x, y: np.where(x > y, x, 0.5 * y)), (1, lambda x: np.maximum(x, 0.1)), (1, lambda x: np.sort(x, axis=1)),
    (2, lambda x, y: np.linalg.solve(x @ x.T + y @ y.T + (x @ x.T) * (x @ x.T) / 9, y)),
]


def drawn(code: list[tuple[int, int, int]]) -> Callable[..., Any]:
    """A program: each step applies a function to earlier values; the result is a weighted sum of the last one."""
    def run(x: Any, y: Any, weights: Any) -> Any:
        values = [x, y]
        for function, i, j in code:
            arity, f = FUNCTIONS[function]
            values.append(f(*(values[-1 - k % len(values)] for k in (i, j)[:arity])))
        return np.sum(weights * values[-1])
    return run


def candidates(seed: int) -> Iterator[tuple[Callable[..., Any], list[np.ndarray]]]:
    draw, rng = random.Random(seed), np.random.default_rng(seed)
    while True:
        code = [(draw.randrange(len(FUNCTIONS)), draw.randrange(14), draw.randrange(14)) for _ in range(1 + draw.randrange(12))]
        yield drawn(code), [rng.standard_normal(SHAPE) for _ in range(3)]


@cache
def programs(batch: int) -> list[tuple[Callable[..., Any], list[np.ndarray], Any]]:
    """(f, its arguments, value and gradient), of programs that the CPU itself computes in float32 to a third of the bound.

    What rounding changes by more is no measure of a device.
    """
    found: list[tuple[Callable[..., Any], list[np.ndarray], Any]] = []
    for f, arguments in candidates(batch):
        both = ad.value_and_grad(f, argnums=(0, 1))
        arguments = [x.astype(np.float32).astype(float) for x in arguments]
        with np.errstate(all="ignore"):
            try:
                wanted, single = both(*arguments), both(*on(np, arguments, "float32"))
            except np.linalg.LinAlgError:
                continue
            sizes = [np.max(np.abs(x)) for x in optree.tree_leaves(wanted)]
            if min(sizes) > 1e-2 and np.isfinite(sum(sizes)) and differs_by(single, wanted) < BOUNDS["float32"] / 3:
                found.append((f, arguments, wanted))
        if len(found) == AT_ONCE:
            return found
    raise AssertionError


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("way", ["eager", "planned"])
def test_random_programs_give_what_the_cpu_gives(batch: int, way: str, dtype: str, gpu: ModuleType) -> None:
    """Ten at a time, since a plan of ten compiles few kernels."""
    functions = [ad.value_and_grad(f, argnums=(0, 1)) for f, _, _ in programs(batch)]
    every = lambda arguments: [f(*given) for f, given in zip(functions, arguments, strict=True)]
    got = (ad.plan(every) if way == "planned" else every)(on(gpu, [a for _, a, _ in programs(batch)], dtype))
    for k, (found, (_, _, wanted)) in enumerate(zip(got, programs(batch), strict=True)):
        assert differs_by(found, wanted) <= BOUNDS[dtype], f"program {k} of batch {batch}"


# ---- the benchmarks' workloads

WORKLOADS = [(p, task) for p in [*PROGRAMS, black_scholes(100), growth(1000), wide(1024, "float32")] for task in (GRADIENT, STEP)
             if task in p.tasks]
LONG = {LARGE, "784-512-512-10", "12 layers of 256", "Black-Scholes 1000000", "1024-wide layers, float32"}
"""Left out on the stand-in."""


@pytest.fixture
def fewer_samples(pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Logistic regression of 500 samples on the stand-in."""
    if is_stand_in(pytestconfig):
        monkeypatch.setattr(logistic, "SAMPLES", 500)
        logistic.samples.cache_clear()
    yield
    if is_stand_in(pytestconfig):
        logistic.samples.cache_clear()


@pytest.mark.usefixtures("fewer_samples")
@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("way", ["eager", "planned"])
@pytest.mark.parametrize(("program", "task"), WORKLOADS, ids=[f"{p.name} {task}" for p, task in WORKLOADS])
def test_workloads_give_what_the_cpu_gives(program: Program, task: str, way: str, dtype: str, gpu: ModuleType,
                                           pytestconfig: pytest.Config) -> None:
    if is_stand_in(pytestconfig) and program.name in LONG:
        pytest.skip("too long for the stand-in")
    function = program.task(ad.value_and_grad, program.loss_over(np), task)
    wanted = peers.call_by_hand(list(program.by_hand)[-1], program, task, np, program.data(np.float64))()
    got = (ad.plan(function) if way == "planned" else function)(*on(gpu, program.data(np.float64), dtype))
    assert differs_by(flat(got), flat(wanted)) <= BOUNDS[dtype]


# ---- long training

def training() -> tuple[Callable[..., Any], Any]:
    """A step of the smallest network, and its data."""
    [network] = [p for p in NETWORKS if p.name == SMALL]
    return trained(ad.value_and_grad(network.loss_over(np)), network.rate), network.data(np.float64)


def run(step: Callable[..., Any], data: Any, steps: int, watch: Callable[[], int] = int) -> tuple[list[Any], set[int]]:
    """The parameters and the last loss on the host, and the bytes in use after each step but the first few."""
    params, X, Y = data
    used = set()
    for k in range(steps):
        value, params = step(params, X, Y)
        if k >= 10:
            used.add(watch())
    return [to_host(x) for x in [value, *flat(params)]], used


@pytest.mark.slow
def test_training_in_a_plan_keeps_memory_and_repeats_itself(gpu: ModuleType, pytestconfig: pytest.Config) -> None:
    step, data = training()
    steps = STEPS_ON_STAND_IN if is_stand_in(pytestconfig) else STEPS
    pool = gpu.get_default_memory_pool()
    first, used = run(ad.plan(step, donate=0, deterministic=True), on(gpu, data, "float64"), steps, pool.used_bytes)
    assert len(used) == 1, f"bytes in use varied: {sorted(used)}"
    again, _ = run(ad.plan(step, donate=0, deterministic=True), on(gpu, data, "float64"), steps)
    for x, y in zip(first, again, strict=True):
        assert x.tobytes() == y.tobytes()
    eager, _ = run(step, on(gpu, data, "float64"), steps)
    assert differs_by(first, eager) < 1e-9


@pytest.mark.slow
def test_eager_training_keeps_memory(gpu: ModuleType) -> None:
    step, data = training()
    pool = gpu.get_default_memory_pool()
    _, used = run(step, on(gpu, data, "float64"), 60, pool.used_bytes)
    assert len(used) == 1, f"bytes in use varied: {sorted(used)}"


# ---- every kind of kernel, on small arrays: what compute-sanitizer looks at

def softmax(x: Any) -> Any:
    e = np.exp(x - np.max(x, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


def network(x: Any, y: Any, w: Any, b: Any) -> Any:
    """A gradient through a product with bias, a softmax, sums of rows, columns and all, a transpose, a broadcast, a choice."""
    def loss(x: Any, w: Any, b: Any) -> Any:
        p = softmax(np.tanh(x @ w + b))
        centred = p - np.mean(p, axis=0)
        return np.sum(np.where(centred > 0, centred, y.T) ** 2) + np.mean(np.maximum(x[1:], 0.1) * x[:-1])

    return ad.value_and_grad(loss, argnums=(0, 1, 2))(x, w, b)


LONG_ROWS, WIDE_ROWS = (300, 301), (40, 3000)
KINDS: dict[str, list[tuple[Callable[..., Any], list[tuple[int, ...]]]]] = {
    "entries": [(lambda x, y: np.sin(x) * y + 1, [LONG_ROWS] * 2), (lambda x, y: np.tanh(x).T - y, [LONG_ROWS, LONG_ROWS[::-1]])],
    "spread": [(lambda x, b: (x * np.exp(b), np.exp(b)), [LONG_ROWS, LONG_ROWS[1:]])],
    "rows": [(softmax, [LONG_ROWS]), (softmax, [WIDE_ROWS]), (lambda x: np.max(x[:, 1:], axis=1), [LONG_ROWS])],
    "columns": [(lambda x: np.sum(np.tanh(x), axis=0), [LONG_ROWS]), (lambda x: np.sum(x, axis=0) ** 2, [WIDE_ROWS])],
    "totals": [(lambda x: np.sum(np.sin(x) * x), [LONG_ROWS]), (lambda x: np.max(x[:, ::2]), [WIDE_ROWS])],
    "block": [(network, [(5, 3), (4, 5), (3, 4), (4,)]), (network, [(33, 17), (15, 33), (17, 15), (15,)])],
    "product": [(lambda x, w, b: x @ w + b, [(64, 48), (48, 80), (80,)]), (network, [(130, 64), (48, 130), (64, 48), (48,)])],
}


@pytest.fixture
def unpooled(gpu: ModuleType, pytestconfig: pytest.Config) -> Iterator[None]:
    """Each array in an allocation of its own: within a pool's block the sanitizer does not see what is out of bounds."""
    if not is_stand_in(pytestconfig):
        gpu.cuda.set_allocator(None)
    yield
    if not is_stand_in(pytestconfig):
        gpu.cuda.set_allocator(gpu.get_default_memory_pool().malloc)


@pytest.mark.usefixtures("unpooled")
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_kernel(kind: str, dtype: str, gpu: ModuleType) -> None:
    """Eager and planned, twice, since the second run of a plan finds its graph."""
    rng = np.random.default_rng(0)
    for f, shapes in KINDS[kind]:
        arguments = on(np, on(np, [rng.standard_normal(shape) / 4 for shape in shapes], dtype), "float64")
        wanted, there, planned = f(*arguments), on(gpu, arguments, dtype), ad.plan(f)
        for got in (f(*there), planned(*there), planned(*there)):
            assert differs_by(got, wanted) <= {"float64": 1e-12, "float32": 1e-5, "float16": 2e-2}[dtype]
        assert kind in planned.report().launches or (kind == "product" and planned.report().why_no_graph)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_kind_of_kernel_of_linalg(dtype: str, gpu: ModuleType) -> None:
    """Tridiagonal systems, and additions at places that are named twice."""
    rng = np.random.default_rng(0)
    places = rng.integers(0, 40, size=300)
    f = partial(lambda i, x: np.sum(np.sin(x[i]) * np.cos(x[i])), places)
    x = rng.standard_normal(40)
    at = gpu.asarray(places)
    there = lambda x: np.sum(np.sin(x[at]) * np.cos(x[at]))
    for g in (ad.grad(there), ad.plan(ad.grad(there))):
        assert differs_by(g(gpu.asarray(x, dtype)), ad.grad(f)(x)) <= 10 * BOUNDS[dtype]
