"""Long programs: no recursion, time linear in the length, and memory that returns to where it was without the cycle collector."""
import gc
import sys
import time
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import gpuad as ad

LENGTH = 100_000


def chain(x: Any, length: int) -> Any:
    for _ in range(length // 2):
        x = np.sin(x) * 0.999
    return x


@pytest.mark.parametrize("transform", [
    lambda f: ad.grad(f)(0.5), lambda f: ad.vjp(f, 0.5)[1](1.0)[0], lambda f: ad.jvp(f, (0.5,), (1.0,))[1],
    lambda f: ad.jacobian(f)(0.5)], ids=["grad", "vjp", "jvp", "jacobian"])
def test_chain_of_100_000_operations(transform):
    derivative, x = 1.0, 0.5
    for _ in range(LENGTH // 2):
        derivative, x = derivative * np.cos(x) * 0.999, np.sin(x) * 0.999
    np.testing.assert_allclose(transform(lambda x: chain(x, LENGTH)), derivative, rtol=1e-9)


def test_chain_of_100_000_operations_on_the_device(gpu: ModuleType):
    gradient = ad.grad(lambda x: np.sum(chain(x, LENGTH)))(gpu.asarray([0.5, 0.1]))
    np.testing.assert_allclose(gradient.get(), ad.grad(lambda x: np.sum(chain(x, LENGTH)))(np.array([0.5, 0.1])), rtol=1e-9)


def test_long_chain_nested():
    second = ad.grad(ad.grad(lambda x: chain(x, 4000)))(0.5)
    h = 1e-5
    difference = (ad.grad(lambda x: chain(x, 4000))(0.5 + h) - ad.grad(lambda x: chain(x, 4000))(0.5 - h)) / (2 * h)
    np.testing.assert_allclose(second, difference, rtol=1e-5)


def test_wide_program():
    """One variable that is used 20,000 times, and as many outputs."""
    x = np.arange(3.0)
    assert ad.grad(lambda x: sum(x[k % 3] for k in range(20_000)) * 1.0)(x).sum() == 20_000
    _, pullback = ad.vjp(lambda x: [x * 2.0 for _ in range(2_000)], x)
    np.testing.assert_array_equal(pullback([np.ones(3)] * 2_000)[0], np.full(3, 4_000))


def calls_in(function: Callable[[], Any]) -> int:
    """How many functions are called, Python's and C's."""
    count = 0

    def profile(_frame: Any, event: str, _arg: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


TRANSFORMS = {
    "grad": lambda f: ad.grad(f)(0.5), "vjp": lambda f: ad.vjp(f, 0.5)[1](1.0), "jvp": lambda f: ad.jvp(f, (0.5,), (1.0,)),
    "linearize": lambda f: ad.linearize(f, 0.5)[1].pullback(np.ones(4)), "nested": lambda f: ad.grad(ad.grad(f))(0.5),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_work_is_linear_in_the_length(name):
    transform = TRANSFORMS[name]
    transform(lambda x: chain(x, 10))
    counts = [calls_in(lambda n=n: transform(lambda x: chain(x, n))) for n in (500, 1000, 2000)]
    first, second = counts[1] - counts[0], counts[2] - counts[1]
    assert abs(second - 2 * first) <= 0.02 * second, counts


def test_time_is_linear_in_the_length():
    """Eight times the length takes less than 20 times the time; were it quadratic, 64 times."""
    def fastest(length: int) -> float:
        times = []
        for _ in range(4):
            start = time.perf_counter()
            ad.grad(lambda x: chain(x, length))(0.5)
            times.append(time.perf_counter() - start)
        return min(times)

    fastest(100)
    ratios = [fastest(40_000) / fastest(5_000) for _ in range(2)]
    assert min(ratios) < 20, ratios


# ---- memory

@contextmanager
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


SIZE = 100_000  # entries: 0.8 MB


class Seen:
    """Weak references to the arrays inside traced arrays."""

    def __init__(self) -> None:
        self.references: list[weakref.ref[Any]] = []

    def __call__(self, x: Any) -> Any:
        value = x
        while hasattr(value, "value"):
            value = value.value
        if isinstance(value, np.ndarray):
            self.references.append(weakref.ref(value))
        return x

    def alive(self) -> int:
        return sum(reference() is not None for reference in self.references)


class Stop(Exception):
    pass


def program(x: Any, seen: Seen, fail: bool = False) -> Any:
    seen(x)
    for _ in range(4):
        x = seen(np.tanh(x) * 1.01)
        x = seen(x + np.concatenate([x[1:], x[:1]]))
    if fail:
        raise Stop
    return np.sum(x * x)


def use_vjp(f: Callable[[Any], Any]) -> None:
    _, pullback = ad.vjp(f, np.ones(SIZE))
    pullback(1.0)
    pullback(2.0)


def use_linearize(f: Callable[[Any], Any]) -> None:
    _, system = ad.linearize(f, np.ones(SIZE))
    system.pullback(np.ones(2))
    system.pushforward(np.ones(SIZE))
    assert system.L.block_shape[0] == len(system.rows) - 1


USES: dict[str, Callable[[Callable[[Any], Any]], Any]] = {
    "grad": lambda f: ad.grad(f)(np.ones(SIZE)),
    "value_and_grad": lambda f: ad.value_and_grad(f)(np.ones(SIZE)),
    "vjp": use_vjp,
    "jvp": lambda f: ad.jvp(f, (np.ones(SIZE),), (np.ones(SIZE),)),
    "linearize": use_linearize,
    "nested": lambda f: ad.grad(lambda x: np.sum(ad.grad(f)(x) ** 2))(np.ones(SIZE)),
    "hvp": lambda f: ad.hvp(f, (np.ones(SIZE),), (np.ones(SIZE),)),
    "primitive": lambda f: ad.grad(lambda x: f(ad.primitive(np.sin, differential=lambda _y, x: np.cos(x))(x)))(np.ones(SIZE)),
}


@pytest.mark.parametrize("name", USES)
@pytest.mark.parametrize("fail", [False, True], ids=["returns", "raises"])
def test_memory_returns_without_the_cycle_collector(name, fail):
    seen = Seen()

    def run() -> None:
        try:
            USES[name](lambda x: program(x, seen, fail))
        except Stop:
            assert fail

    run()  # what is made once stays
    with no_collector():
        tracemalloc.start()
        try:
            run()
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(3):
                run()
            after = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        assert seen.references and seen.alive() == 0
        assert after - before < 100_000  # one array is 800,000 bytes


@pytest.mark.parametrize("name", USES)
def test_no_garbage_for_the_cycle_collector(name):
    """A cycle of small objects, too, would wait for the collector."""
    seen = Seen()

    def run() -> None:
        USES[name](lambda x: program(x, seen))

    run()
    with no_collector():
        run()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            gc.collect()
            found = [type(x).__name__ for x in gc.garbage if type(x).__module__.split(".")[0] in ("gpuad", "linalg", "numpy")]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
    assert not found


def test_gradient_frees_as_it_goes():
    """The peak of the solve is not above that of the recording by more than a few arrays."""
    n, steps = 200_000, 20

    def f(x):
        for _ in range(steps):
            x = np.sin(x)
        return np.sum(x)

    x = np.ones(n)
    ad.grad(f)(x)
    tracemalloc.start()
    try:
        ad.grad(f)(x)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * n * (steps + 8)  # sin keeps its argument: one array for each step


def test_rows_keep_only_what_their_rule_uses():
    seen = Seen()

    def f(x):
        for _ in range(5):
            x = seen(x + 1.0)
        return np.sum(x)

    with no_collector():
        _, pullback = ad.vjp(f, np.ones(SIZE))
        assert seen.alive() == 0
    assert pullback(1.0)[0].sum() == SIZE
