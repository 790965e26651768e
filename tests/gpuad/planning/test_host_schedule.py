"""The host schedule: its source, its memory, its supernodes."""
from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import optree
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gpuad as ad
from gpuad.planning import supernodes
from gpuad.planning.arena import ALIGNMENT, Arena
from gpuad.planning.plan import plan
from gpuad.planning.supernodes import Supernode
from tests.gpuad.cases import first_of_each
from tests.gpuad.modes import STEERED
from tests.gpuad.programs import CASES, Case
from tests.gpuad.test_random_programs import program, steps

RNG = np.random.default_rng(7)
def network(params: Any, x: Any, y: Any) -> Any:
    for w, b in params[:-1]:
        x = np.tanh(x @ w + b)
    w, b = params[-1]
    return np.mean((x @ w + b - y) ** 2)


def network_data(widths: tuple[int, ...] = (3, 5, 4, 2), batch: int = 6) -> Any:
    params = [(RNG.standard_normal((m, n)), RNG.standard_normal(n)) for m, n in pairwise(widths)]
    return params, RNG.standard_normal((batch, widths[0])), RNG.standard_normal((batch, widths[-1]))


def assert_same(got: Any, expected: Any, rtol: float = 1e-12) -> None:
    got, expected = optree.tree_flatten(got), optree.tree_flatten(expected)
    assert got[1] == expected[1]
    for a, b in zip(got[0], expected[0], strict=True):
        assert type(a) is type(b)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * max(1.0, float(np.max(np.abs(b), initial=0.0))))


def nodes_of(p: Any) -> list[Supernode]:
    return [step for step in p._last.schedule.steps if isinstance(step, Supernode)]


# ---- source and memory

def test_the_source_is_the_program_one_would_write_by_hand() -> None:
    p = plan(ad.grad(lambda w, x: np.sum(np.tanh(x @ w))))
    p(RNG.standard_normal((3, 2)), RNG.standard_normal((4, 3)))
    lines = [line.strip() for line in p.source.splitlines()]
    assert lines[:2] == ["# k0 = 1", "def run(x0, x1, r0):"]
    assert lines[-1] == "return ()"
    assert sum("dot(" in line for line in lines) == 2
    assert len(lines) <= 10


def test_a_run_allocates_no_arrays() -> None:
    step = plan(lambda params, x, y: optree.tree_map(lambda p, g: p - 0.1 * g, params, ad.grad(network)(params, x, y)))
    params, x, y = network_data((20, 30, 20, 10), 40)
    for _ in range(4):
        params = step(params, x, y)
    gc.collect()
    tracemalloc.start()
    try:
        domain = tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)
        before = tracemalloc.take_snapshot().filter_traces([domain])
        for _ in range(50):
            params = step(params, x, y)
        after = tracemalloc.take_snapshot().filter_traces([domain])
    finally:
        tracemalloc.stop()
    assert sum(t.size for t in after.traces) == sum(t.size for t in before.traces)
    assert all(line.count_diff == 0 for line in after.compare_to(before, "lineno"))


def test_buffers_are_used_again() -> None:
    def chain(x: Any) -> Any:
        for _ in range(50):
            x = np.sin(x) * 1.5 + np.cos(x)
        return x

    p = plan(chain)
    x = RNG.standard_normal(100)
    assert_same(p(x), chain(x))
    assert p._last.schedule.storage.size <= 3 * 832  # three arrays are alive at a time, each of 800 bytes, aligned


def test_the_arena_fits_what_is_alive() -> None:
    arena = Arena()
    a, b = arena.take(100), arena.take(1000)
    assert a == (0, 128)
    arena.free(*a)
    assert arena.take(64) == (0, 64)
    assert arena.take(64) == (64, 64)
    arena.free(*b)
    assert arena.take(2000)[0] == 128  # the last free place grows
    assert arena.size == 128 + 2048
    memory = arena.allocate()
    assert memory.nbytes == arena.size
    assert memory.ctypes.data % ALIGNMENT == 0


def test_arena_places_never_overlap_while_they_are_taken() -> None:
    rng = np.random.default_rng(0)
    arena, taken = Arena(), {}
    for i in range(2000):
        if taken and rng.random() < 0.5:
            arena.free(*taken.pop(list(taken)[rng.integers(len(taken))]))
        else:
            taken[i] = arena.take(int(rng.integers(0, 5000)))
        spans = sorted(taken.values())
        assert all(at + n <= after for (at, n), (after, _) in pairwise(spans))
    for place in taken.values():
        arena.free(*place)
    assert arena.take(arena.size) == (0, arena.size)


# ---- results are the caller's own

def test_results_are_not_changed_by_later_runs() -> None:
    p = plan(lambda x: (2 * x, x, x[1:], x))
    kept = [(p(np.full(5, float(i))), i) for i in range(20)]
    for (double, same, part, again), i in kept:
        assert (double == 2 * i).all() and (same == i).all() and (part == i).all() and (again == i).all()
        assert not np.shares_memory(same, again)


def test_a_view_of_a_result_keeps_it() -> None:
    p = plan(lambda x: x + 1)
    view = p(np.zeros(4))[1:]
    for i in range(10):
        p(np.full(4, float(i)))
    assert (view == 1).all()


def test_results_that_the_caller_has_reshaped_or_locked_are_not_used_again() -> None:
    p = plan(lambda x: x + 1)
    y = p(np.zeros(4))
    y.flags.writeable = False
    del y
    assert (p(np.ones(4)) == 2).all()


def test_inputs_are_never_written() -> None:
    params, x, y = network_data()
    for a in (x, y, *optree.tree_leaves(params)):
        a.flags.writeable = False
    assert_same(plan(ad.value_and_grad(network))(params, x, y), ad.value_and_grad(network)(params, x, y))


@pytest.mark.parametrize("layout", ["fortran", "strided", "reversed", "broadcast"])
def test_arguments_of_any_layout(layout: str) -> None:
    def f(a: Any, b: Any) -> Any:
        return ad.value_and_grad(lambda a: np.sum(np.tanh(a @ b.T) * np.reshape(a, (4, 6))[:, :4] + a.reshape(-1)[:4]))(a)

    def made() -> np.ndarray:
        x = RNG.standard_normal((8, 12))
        return {"fortran": np.asfortranarray(x[:4, :6]), "strided": x[::2, ::2], "reversed": x[3::-1, 5::-1],
                "broadcast": np.broadcast_to(x[0, :6], (4, 6))}[layout]

    a, b = made(), made()
    assert_same(plan(f)(a, b), f(a, b))


# ---- donation

def test_donated_parameters_are_updated_in_place() -> None:
    def step(params: Any, x: Any, y: Any) -> Any:
        return optree.tree_map(lambda p, g: p - 0.1 * g, params, ad.grad(network)(params, x, y))

    params, x, y = network_data()
    expected = step(params, x, y)
    arrays = optree.tree_leaves(params)
    new = plan(step, donate=0)(params, x, y)
    assert_same(new, expected)
    assert all(a is b for a, b in zip(arrays, optree.tree_leaves(new), strict=True))


def test_a_donated_array_is_written_only_when_nothing_reads_it_any_more() -> None:
    def swap(a: Any, b: Any) -> Any:
        return b + 1, a @ a, np.flip(a), a.T * 2

    a, b = RNG.standard_normal((3, 3)), RNG.standard_normal((3, 3))
    expected = swap(a, b)
    assert_same(plan(swap, donate=(0, 1))(a.copy(), b.copy()), expected)


def test_a_donated_array_that_is_returned_stays() -> None:
    p = plan(lambda a: (a, a + 1), donate=0)
    a = np.ones(3)
    assert_same(p(a), (np.ones(3), np.full(3, 2.0)))


@pytest.mark.parametrize(("change", "says"), [
    (lambda a: a[::2], "not C-contiguous"), (lambda a: np.broadcast_to(a[:2], (2,)), "read-only"),
])
def test_donated_arrays_that_cannot_be_written_over(change: Callable[..., Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        plan(lambda x: x + 1, donate=0)(change(np.arange(4.0)))


def test_donated_arrays_that_overlap_with_other_arguments() -> None:
    p = plan(lambda x, y: (x + y, y), donate=0)
    a = np.arange(6.0)
    with pytest.raises(ValueError, match="shares memory"):
        p(a[:3], a[2:5])
    with pytest.raises(ValueError, match="shares memory"):
        p(a, a)
    assert_same(p(a[:3], a[3:]), (np.array([3.0, 5.0, 7.0]), np.array([3.0, 4.0, 5.0])))
    with pytest.raises(ValueError, match="shares memory"):  # after a call whose arrays were checked
        p(a[:3], a[1:4])


# ---- supernodes

@pytest.fixture(params=[8, 40], ids="tiles of {} bytes".format)
def small_tiles(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every array is long enough for a supernode, on two threads."""
    monkeypatch.setattr(supernodes, "LONG", 1)
    monkeypatch.setattr(supernodes, "TILE", request.param)
    monkeypatch.setattr(supernodes, "PANEL", request.param)
    monkeypatch.setattr(supernodes, "CACHE", 1)
    monkeypatch.setattr(supernodes, "WORTH_THREADS", 1)
    monkeypatch.setattr("gpuad.planning.host.blas_threads", lambda: 2)


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("case", first_of_each(CASES), ids=lambda c: c.name)
def test_supernodes_give_what_their_rows_give(case: Case) -> None:
    args = case.arguments("d") if "d" in case.kinds else case.arguments("D")
    places = [i for i, a in enumerate(args) if a.dtype.kind in "fc"]

    def both(*args: Any) -> Any:
        def f(*traced: Any) -> Any:
            given = list(args)
            for i, x in zip(places, traced, strict=True):
                given[i] = x
            return case.f(*given)

        out, pullback = ad.vjp(f, *[args[i] for i in places])
        return out, pullback(optree.tree_map(lambda y: np.ones(y.shape, y.dtype if y.dtype.kind in "fc" else float), out))

    try:
        got = plan(both)(*args)
    except ad.PlanError:
        assert case.name in STEERED
        return
    assert_same(got, both(*args))


@pytest.mark.usefixtures("small_tiles")
def test_a_network_in_small_tiles() -> None:
    args = network_data((3, 1, 5, 1), 9)
    p = plan(ad.value_and_grad(network))
    assert_same(p(*args), ad.value_and_grad(network)(*args))
    assert nodes_of(p)


def logistic(p: Any, x: Any, y: Any) -> Any:
    w, b = p
    z = x @ w + b
    return np.mean(np.logaddexp(0, z) - y * z)


@pytest.mark.usefixtures("small_tiles")
def test_logistic_regression_reads_its_matrix_once() -> None:
    args = ((RNG.standard_normal(5), RNG.standard_normal(())), RNG.standard_normal((50, 5)), (RNG.random(50) < 0.5) * 1.0)
    p = plan(ad.value_and_grad(logistic))
    assert_same(p(*args), ad.value_and_grad(logistic)(*args))
    assert len(nodes_of(p)) == 1
    assert sum("dot(" in line for line in p.source.split("def run")[0].splitlines()) >= 2  # both products lie in the supernode


def test_values_that_stay_inside_a_supernode_have_no_memory_but_a_tile() -> None:
    def f(x: Any) -> Any:
        for _ in range(10):
            x = np.tanh(x) * 1.1
        return np.sum(x)

    p = plan(f)
    x = RNG.standard_normal(1 << 21)
    assert_same(p(x), f(x))
    (node,) = nodes_of(p)
    assert len(node.bounds) > 1
    assert p._last.schedule.storage.size == 0
    assert p._last.schedule.tiles[0].scratch_bytes < 2 * p._last.schedule.threads * supernodes.TILE


def test_an_error_inside_a_supernode_is_raised_and_leaves_the_plan_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supernodes, "LONG", 1)
    monkeypatch.setattr(supernodes, "CACHE", 1)
    monkeypatch.setattr(supernodes, "TILE", 16)
    p = plan(lambda x: np.sqrt(np.exp(x)) + x)
    p(np.ones(10))
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        p(np.full(10, 1e4))
    assert_same(p(np.ones(10)), np.exp(np.ones(10)) ** 0.5 + 1)


def test_a_value_that_other_rows_of_a_supernode_read_is_not_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supernodes, "CACHE", 1)

    def f(a: Any, b: Any, c: Any, d: Any) -> Any:
        j = a @ b
        return np.tanh(j) @ c, np.exp(-j * j) @ d

    args = [RNG.standard_normal(shape) for shape in ((2000, 50), (50, 100), (100, 100), (100, 100))]
    p = plan(f)
    assert_same(p(*args), f(*args))
    assert nodes_of(p)


@pytest.mark.usefixtures("small_tiles")
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(code=steps, seed=st.integers(0, 2**16))
def test_random_programs_in_small_tiles(code: list[tuple[int, int, int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    inputs, weights = [rng.standard_normal((2, 3)) for _ in range(2)], rng.standard_normal((2, 3))
    f = program(code)

    def both(x: Any, y: Any, w: Any) -> Any:
        out, pullback = ad.vjp(f, x, y)
        return out, pullback(w), np.tanh(out) - 0.1 * w

    expected = both(*inputs, weights)
    assert_same(plan(both)(*inputs, weights), expected, rtol=1e-9)
    assert_same(plan(both, donate=2)(*inputs, weights.copy()), expected, rtol=1e-9)
