"""What a plan refuses: values that steer Python, arrays that change, effects and randomness that it would freeze, leaks."""
from __future__ import annotations

import math
import operator
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import gpuad as ad
from gpuad.errors import PlanError
from gpuad.planning import plan
from gpuad.planning.staged import StagedArray
from linalg.arrays import snapshot
from tests.gpuad.modes import assert_same

X = np.array([1.0, 2.0, 3.0])
REMEDY = "numpy.where|static_argnums|numpy.take|ad.primitive|numpy.stack|write x = x"


def same_twice(f: Callable[..., Any], *args: Any) -> None:
    """f and its plan agree, at the first call and at the second, which traces nothing."""
    p = plan(f)
    for _ in range(2):
        assert_same(p(*args), f(*args))


# ---- values that steer Python

STEERING: dict[str, Callable[[Any], Any]] = {
    "if": lambda x: x if x[0] > 0 else -x,
    "and": lambda x: (x[0] > 0) and x,
    "not": lambda x: not x[0],
    "assert": lambda x: [x for _ in range(2) if np.all(x > 0)],
    "bool": lambda x: bool(x[0]),
    "int": lambda x: int(x[0]),
    "float": lambda x: float(x[0]),
    "complex": lambda x: complex(x[0]),
    "index": lambda x: [1, 2, 3][x[0].astype(int)],
    "range": lambda x: sum(range(x[0].astype(int))),
    "item": lambda x: x[0].item(),
    "tolist": lambda x: x.tolist(),
    "math": lambda x: math.sqrt(x[0]),
    "round to an integer": lambda x: range(round(x[0])),
    "max of Python": lambda x: max(x),
    "sorted": lambda x: sorted(x),
    "in": lambda x: 2.0 in x,
    "format": lambda x: f"{x[0]:.3f}",
    "list.index": lambda x: [1.0, 2.0].index(x[0]),
    "array": lambda x: np.array([x[0], x[1]]),
    "asarray": np.asarray,
    "full": lambda x: np.full(3, x[0]),
    "vectorize": lambda x: np.vectorize(lambda y: y + 1)(x),
    "fromiter": lambda x: np.fromiter(x, float),
    "mask": lambda x: x[x > 1],
    "mask of two": lambda x: x[None][x[None] > 1],
    "nonzero": np.nonzero,
    "where alone": lambda x: np.where(x > 1),
    "method nonzero": lambda x: x.nonzero(),
    "unique": np.unique,
    "compress": lambda x: np.compress(x > 1, x),
    "extract": lambda x: np.extract(x > 1, x),
    "argwhere": np.argwhere,
    "bincount": lambda x: np.bincount(x.astype(int)),
    "repeat": lambda x: np.repeat(x, x.astype(int)),
    "slice": lambda x: x[: x[0].astype(int)],
    "arange": lambda x: np.arange(x[0]),
    "zeros": lambda x: np.zeros(x[0].astype(int)),
    "reshape": lambda x: np.reshape(x, (x[2].astype(int), 1)),
    "axis": lambda x: np.sum(x, axis=0 * x[0].astype(int)),
    "roll": lambda x: np.roll(x, x[0].astype(int)),
    "tile": lambda x: np.tile(x, x[0].astype(int)),
    "linspace": lambda x: np.linspace(x[0], x[1], x[2].astype(int)),
    "delete": lambda x: np.delete(x, x[0].astype(int)),
    "insert": lambda x: np.insert(x, x[0].astype(int), 1.0),
    "split": lambda x: np.split(x, x[0].astype(int)),
    "pad": lambda x: np.pad(x, x[0].astype(int)),
    "matrix_power": lambda x: np.linalg.matrix_power(np.outer(x, x), x[0].astype(int)),
    "lstsq": lambda x: np.linalg.lstsq(np.outer(x, x), x),
    "plain array indexed": lambda x: X[np.argsort(x)],
    "entry of a plain array": lambda x: X[x[0].astype(int)],
    "histogram with bins by rule": lambda x: np.histogram(x, "auto"),
    "size of a draw": lambda x: np.random.default_rng(0).normal(size=x[0].astype(int)),
}


@pytest.mark.parametrize("what", STEERING)
def test_values_that_steer_python_are_refused(what: str) -> None:
    f = STEERING[what]
    if what != "math":
        f(X)
    with pytest.raises(PlanError, match=REMEDY):
        plan(f)(X)
    with pytest.raises(PlanError, match=REMEDY):
        plan(f)(X)  # and nothing is kept of the first attempt


@pytest.mark.parametrize("what", ["if", "float", "mask", "unique", "slice"])
def test_values_steer_no_derivative_either(what: str) -> None:
    with pytest.raises((PlanError, ad.ArrayConversionError, ad.NotDifferentiableError)):
        plan(ad.grad(lambda x: np.sum(STEERING[what](x) * x[0])))(X)


def test_numbers_steer_no_more_than_arrays() -> None:
    for f in (lambda n: X[:n], lambda n: X[None].sum(axis=n), lambda n: [X, -X][n], lambda n: X if n else -X, np.zeros):
        with pytest.raises(PlanError, match=REMEDY):
            plan(f)(1)
        assert_same(plan(f, static_argnums=0)(1), f(1))


# ---- arrays of a plan are immutable

def _assign(x: Any) -> Any:
    x[0] = 1.0
    return x


def _assign_into(x: Any) -> Any:
    y = np.zeros(3)
    y[0] = x[0]
    return y


def _assign_all(x: Any) -> Any:
    y = np.zeros(3)
    y[:] = x
    return y


def _add(x: Any) -> Any:
    x += 1
    return x


def _add_into(x: Any) -> Any:
    y = np.zeros(3)
    y += x
    return y


def _divide_a_view(x: Any) -> Any:
    y = x[:2]
    y /= 2
    return x


IN_PLACE = {
    "x[i] = 1": _assign, "y[i] = x": _assign_into, "y[:] = x": _assign_all, "x += 1": _add, "y += x": _add_into,
    "a view": _divide_a_view, "out": lambda x: np.add(x, 1, out=np.zeros(3)),
    "out by position": lambda x: np.add(x, 1, np.zeros(3)), "out of a reduction": lambda x: np.sum(x, out=np.zeros(())),
    "out of NumPy's own": lambda x: np.cumsum(x, out=np.zeros(3)),
    "out of einsum": lambda x: np.einsum("i->i", x, out=np.zeros(3)),
    "out of matmul": lambda x: np.matmul(x, x, out=np.zeros(())), "sort": lambda x: x.sort(), "fill": lambda x: x.fill(0),
    "put": lambda x: np.put(x, 0, 1), "copyto": lambda x: np.copyto(np.zeros(3), x), "place": lambda x: np.place(x, X > 1, 0),
    "fill_diagonal": lambda x: np.fill_diagonal(x[None, :1], 0), "add.at": lambda x: np.add.at(x, [0], 1),
    "add.at of a plain one": lambda x: np.add.at(np.zeros(3), [0], x[0]),
    "put_along_axis": lambda x: np.put_along_axis(x, np.array([0]), 1, 0), "putmask": lambda x: np.putmask(x, X > 1, 0)
}


@pytest.mark.parametrize("what", IN_PLACE)
def test_no_argument_and_no_plain_array_is_changed_in_place(what: str) -> None:
    x = X.copy()
    with pytest.raises((PlanError, ValueError, TypeError)) as caught:
        plan(IN_PLACE[what])(x)
    error: BaseException | None = caught.value
    while error is not None and not isinstance(error, PlanError):
        error = error.__cause__  # NumPy puts an error of its own around ours where an entry is assigned
    assert error is not None
    np.testing.assert_array_equal(x, X)


def test_numbers_are_bound_anew() -> None:
    def f(x: Any, n: float) -> Any:
        total = 0.0
        total += x[0]
        total -= n
        n *= 2
        return total * n, n

    same_twice(f, X, 3.0)


# ---- arrays from outside

def test_arrays_from_outside_are_read_at_each_run() -> None:
    w = np.eye(3)
    p = plan(lambda x: (w @ x, w.T @ x, w[0] * x, np.sin(x) + w))
    for _ in range(3):
        assert_same(p(X), (w @ X, w.T @ X, w[0] * X, np.sin(X) + w))
        w += np.arange(9.0).reshape(3, 3)
    gradient = ad.grad(lambda x: np.sum(np.tanh(w @ x)))
    p = plan(gradient)
    for _ in range(3):
        assert_same(p(X), gradient(X))
        w *= 0.5


def test_a_mask_from_outside() -> None:
    mask = np.array([True, False, True])
    p = plan(lambda x: 2 * x[mask])
    assert_same(p(X), 2 * X[mask])
    mask[:] = [False, True, True]
    assert_same(p(X), 2 * X[mask])


def test_an_array_from_outside_that_is_returned() -> None:
    c = np.ones(3)
    p = plan(lambda x: (x + 1, c))
    assert_same(p(X), (X + 1, c))
    c[:] = 5
    assert_same(p(X)[1], c)
    p(X)[1][:] = 7
    assert (c == 5).all()


def test_what_the_function_makes_is_its_own() -> None:
    kept: list[np.ndarray] = []

    def f(x: Any) -> Any:
        kept.append(np.arange(3.0))
        return x * kept[-1]

    p = plan(f)
    assert_same(p(X), X * np.arange(3.0))
    for array in kept:
        array[:] = 100
    assert_same(p(X), X * np.arange(3.0))


def test_arrays_that_are_changed_while_they_are_used_are_refused() -> None:
    outside = np.ones(3)

    def changes_what_it_reads(x: Any) -> Any:
        y = x * outside
        outside[:] = 2
        return y

    def fills_a_buffer_again(x: Any) -> Any:
        buffer, total = np.empty(3), 0.0
        for k in range(4):
            buffer[:] = k
            total = total + np.sum(np.sin(x * buffer))
        return total

    def counts(x: Any) -> Any:
        outside[:] += 1
        return x + outside

    for f in (changes_what_it_reads, fills_a_buffer_again, counts, ad.grad(fills_a_buffer_again)):
        outside[:] = 1
        with pytest.raises(PlanError, match=r"make a new array|as an argument"):
            plan(f)(X)


# ---- randomness, time, effects

COUNTER, WORDS, FUNCTIONS, GENERATOR, GROWING = iter(range(99)), map(str, range(99)), iter([np.sin, np.cos] * 9), \
    np.random.default_rng(0), []  # type: ignore[var-annotated]

FROZEN: dict[str, Callable[[Any], Any]] = {
    "rand": lambda x: x * np.random.rand(),  # noqa: NPY002
    "choice by chance": lambda x: x if np.random.rand() < 0.5 else 2 * x,  # noqa: NPY002
    "normal": lambda x: x + np.random.normal(size=3),  # noqa: NPY002
    "generator": lambda x: x * GENERATOR.random(3),
    "generator in a result": lambda x: (x, GENERATOR.random(3)),
    "permutation": lambda x: x[GENERATOR.permutation(3)],
    "time": lambda x: x * time.perf_counter(),
    "counter": lambda x: x * next(COUNTER),
    "string": lambda x: (x, next(WORDS)),
    "other functions": lambda x: next(FUNCTIONS)(x),
    "grows": lambda x: (GROWING.append(0), [x + 1 for _ in GROWING])[1],
    "other structure": lambda x: {next(WORDS): x},
}


@pytest.mark.parametrize("what", FROZEN)
def test_what_would_be_frozen_is_refused(what: str) -> None:
    with pytest.raises(PlanError, match=r"Pass what changes from call to call|as an argument"):
        plan(FROZEN[what])(X)


def draws(x: Any, rng: Any) -> Any:
    noise = rng.normal(size=3)
    return (x + noise, rng.integers(0, 10, 4), rng.random(), rng.permutation(x), rng.normal(x, 1.0),
            rng.choice(3, 2, replace=False))


def test_a_generator_among_the_arguments_advances_as_it_does_eagerly() -> None:
    mine, theirs = np.random.default_rng(3), np.random.default_rng(3)
    p = plan(draws)
    for _ in range(3):
        assert_same(p(X, mine), draws(X, theirs))
        assert mine.bit_generator.state == theirs.bit_generator.state
    assert_same(p(X, np.random.default_rng(8)), draws(X, np.random.default_rng(8)))
    mine, theirs = np.random.RandomState(3), np.random.RandomState(3)
    p = plan(lambda x, r: (x * r.rand(3), r.randn(), r.permutation(3)))
    for _ in range(3):
        assert_same(p(X, mine), (X * theirs.rand(3), theirs.randn(), theirs.permutation(3)))


def test_a_draw_whose_result_is_not_used_advances_the_generator() -> None:
    mine, theirs = np.random.default_rng(3), np.random.default_rng(3)

    def f(x: Any, rng: Any) -> Any:
        rng.random(5)
        return x * rng.random()

    p = plan(f)
    for _ in range(3):
        assert_same(p(X, mine), f(X, theirs))


def test_dropout_in_a_gradient() -> None:
    def loss(w: Any, x: Any, rng: Any) -> Any:
        kept = rng.random(x.shape) < 0.7
        return np.sum(np.tanh(np.where(kept, x, 0.0) @ w) ** 2)

    mine, theirs = np.random.default_rng(3), np.random.default_rng(3)
    w, x = np.ones((3, 2)), np.ones((5, 3))
    p = plan(ad.value_and_grad(loss))
    for _ in range(3):
        assert_same(p(w, x, mine), ad.value_and_grad(loss)(w, x, theirs))


@pytest.mark.parametrize("use", [
    lambda x, r: r.shuffle(x), lambda _x, r: r.random(3, out=np.zeros(3)), lambda x, r: r.normal(size=x[0].astype(int)),
    lambda _x, r: r.bit_generator, lambda _x, r: r.spawn(1), lambda _x, r: np.random.default_rng(r)],
    ids=["shuffle", "out", "size", "bit_generator", "spawn", "default_rng"])
def test_what_a_generator_does_not_do_in_a_plan(use: Callable[..., Any]) -> None:
    x = X.copy()
    with pytest.raises((PlanError, TypeError)):
        plan(lambda x, r: (use(x, r), x))(x, np.random.default_rng(0))
    np.testing.assert_array_equal(x, X)


# ---- leaks

def test_arrays_that_leak_out_of_a_plan_are_refused() -> None:
    kept: list[Any] = []
    plan(lambda x: (kept.append(x), kept.append(2 * x), x)[2])(X)
    for leaked in (kept[0], kept[-1]):
        assert type(leaked) is StagedArray
        for use in (lambda y: y + 1, np.sin, np.sum, lambda y: y[0], lambda y: X * y, lambda y: y.reshape(3, 1), abs):
            with pytest.raises(PlanError, match="leaked"):
                use(leaked)
        for combine in (operator.mul, lambda x, y: (x, y)):
            with pytest.raises(PlanError, match=r"leaked|another plan"):
                plan(partial(combine, leaked))(X)


def test_an_exception_leaves_nothing_behind() -> None:
    class Stop(Exception):
        pass

    kept = []

    def f(x: Any, fail: Any) -> Any:
        y = np.sin(x)
        kept.append(y)
        if fail == "stop":
            raise Stop
        return y

    writeable = np.ones(3)
    p = plan(f, static_argnums=1)
    for _ in range(2):
        with pytest.raises(Stop):
            p(X, "stop")
        assert snapshot(writeable) is not writeable  # no longer borrowing
        with pytest.raises(PlanError, match="leaked"):
            kept[-1] + 1
        assert_same(p(X, "go"), np.sin(X))
    with pytest.raises(np.linalg.LinAlgError):
        plan(np.linalg.inv)(np.zeros((2, 2)))
    inverse = plan(np.linalg.inv)
    assert_same(inverse(np.eye(2)), np.eye(2))
    with pytest.raises(np.linalg.LinAlgError):
        inverse(np.zeros((2, 2)))
    assert_same(inverse(2 * np.eye(2)), 0.5 * np.eye(2))


def test_other_threads_do_not_borrow() -> None:
    opened, done = threading.Event(), threading.Event()
    box: list[Any] = []

    def f(x: Any) -> Any:
        opened.set()
        done.wait(10)
        return x + 1

    thread = threading.Thread(target=lambda: box.append(plan(f)(X)))
    thread.start()
    try:
        assert opened.wait(10)
        x = np.ones(3)
        assert snapshot(x) is not x
        _, pullback = ad.vjp(lambda t: t * t, x)
        x[:] = 100
        np.testing.assert_array_equal(pullback(np.ones(3))[0], [2, 2, 2])
    finally:
        done.set()
        thread.join()
    assert_same(box[0], X + 1)


def test_one_plan_in_six_threads() -> None:
    p = plan(ad.grad(lambda x, k: np.sum(np.tanh(k * x) ** 2)))
    start, results, errors = threading.Barrier(6), {}, []

    def work(k: int) -> None:
        try:
            start.wait()
            results[k] = [p(np.linspace(0, 1, 3 + i % 3), float(k)) for i in range(30)]
        except BaseException as error:  # reported by the main thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors, errors
    for k, got in results.items():
        for i, gradient in enumerate(got):
            assert_same(gradient, ad.grad(lambda x, k=k: np.sum(np.tanh(float(k) * x) ** 2))(np.linspace(0, 1, 3 + i % 3)))
