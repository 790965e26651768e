"""checkpoint(f): how often f is called, what is kept, and what is refused (eagerly: a plan calls f as it is)."""
import gc
import threading
import tracemalloc
from typing import Any

import numpy as np
import pytest

import gpuad as ad
from tests.gpuad.programs import CASES
from tests.gpuad.test_checkpointing import TRANSFORMS, B, Layer, W, X, close
from tests.gpuad.test_primitives import Problem

# ---- how often, and what is kept

@pytest.mark.parametrize(("name", "calls"), [("grad", 4), ("vjp", 2), ("jvp", 4), ("jacobian", 2), ("forward", 2),
                                             ("grad of grad", 8)])
def test_number_of_calls(name, calls):
    """Once when it is called, and once more for each substitution; derivatives of those in turn."""
    layer = Layer()
    TRANSFORMS[name](ad.checkpoint(layer))
    assert layer.calls == calls


def test_each_substitution_computes_again():
    layer = Layer()
    _, system = ad.linearize(ad.checkpoint(layer), X, W)
    assert layer.calls == 1
    for n in (2, 3):
        system.pullback(np.ones((5, 4, 3)))  # many right-hand sides are one substitution
        assert layer.calls == n
    assert ad.checkpoint(layer)(X, W).shape == (4, 3)


def test_nested_checkpoints_compute_the_inner_one_again():
    inner, outer = Layer(), Layer()

    def block(x, w):
        return outer(ad.checkpoint(inner)(ad.checkpoint(inner)(x, w), w), w)

    gradient = ad.grad(lambda w: np.sum(ad.checkpoint(block)(X, w)))(W)
    close(gradient, ad.grad(lambda w: np.sum(outer(inner(inner(X, w), w), w)))(W))
    inner.calls = outer.calls = 0
    ad.grad(lambda w: np.sum(ad.checkpoint(block)(X, w)))(W)
    assert outer.calls == 2 and inner.calls == 6  # forward, again, and again for its own substitution


SIZE, LENGTH = 10_000, 16


def chain(x: Any, wrap: Any) -> Any:
    def block(x):
        for _ in range(4):
            x = np.sin(np.cos(x) * 1.1)
        return x

    for _ in range(LENGTH):
        x = wrap(block)(x)
    return np.sum(x)


def peak(f: Any) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        f()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("derivative", [ad.grad, lambda f: ad.grad(lambda x: np.sum(ad.grad(f)(x) ** 2))],
                         ids=["grad", "grad of grad"])
def test_memory(derivative):
    """Of 12 arrays for each of 16 blocks, what is kept is one for each, and the rows of one block; in higher order too."""
    x = np.linspace(0.1, 1, SIZE)
    plain = peak(lambda: derivative(lambda x: chain(x, lambda f: f))(x))
    kept = peak(lambda: derivative(lambda x: chain(x, ad.checkpoint))(x))
    assert plain > 100 * 8 * SIZE
    assert kept < 0.45 * plain
    np.testing.assert_allclose(*(derivative(lambda x, wrap=wrap: chain(x, wrap))(x) for wrap in (lambda f: f, ad.checkpoint)),
                               rtol=1e-10)


def test_memory_of_nested_checkpoints():
    def halves(x: Any, n: int) -> Any:
        """A chain of n steps, in halves that are checkpoints: kept are log n arrays."""
        if n == 1:
            return np.sin(np.cos(x) * 1.1)
        for _ in range(2):
            x = ad.checkpoint(lambda x: halves(x, n // 2))(x)
        return x

    x = np.linspace(0.1, 1, SIZE)
    assert peak(lambda: ad.grad(lambda x: np.sum(halves(x, 64)))(x)) < 40 * 8 * SIZE  # 64 steps keep 192 arrays


def test_memory_is_returned_without_the_cycle_collector():
    x = np.linspace(0.1, 1, SIZE)
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        ad.grad(lambda x: chain(x, ad.checkpoint))(x)
        assert tracemalloc.get_traced_memory()[0] - before < 8 * SIZE
    finally:
        tracemalloc.stop()
        gc.enable()


# ---- what is not returned

def test_what_is_not_returned_is_refused():
    """Never a derivative that is silently lost."""
    kept = []

    def f(x):
        y = np.exp(x)
        kept.append(y)
        return np.sin(y)

    def total(x):
        kept.clear()
        return ad.checkpoint(f)(x) + kept[-1]

    for transform in (ad.grad(total), lambda x: ad.jvp(total, (x,), (1.0,)), lambda x: ad.vjp(total, x)):
        with pytest.raises(ad.LeakedTraceError, match="checkpoint"):
            transform(1.0)
    with pytest.raises(ad.LeakedTraceError, match="checkpoint"):
        ad.grad(lambda x: (ad.checkpoint(f)(x), kept[-1])[1])(1.0)


def test_by_products_are_let_go():
    def f(x):
        y = np.sin(x)
        np.exp(y) * y
        return y * y

    close(ad.grad(ad.checkpoint(f))(0.3), np.sin(0.6))
    close(ad.jvp(ad.checkpoint(f), (0.3,), (1.0,))[1], np.sin(0.6))


# ---- functions that do not do the same again

def test_random_numbers_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(RuntimeError, match="random"):
        ad.grad(lambda x: np.sum(ad.checkpoint(lambda x: x * rng.random(5))(x)))(np.ones(5))


def test_random_generator_among_the_arguments():
    """Its state is kept: dropout computes the same mask again."""
    def dropout(x, rng):
        return x * (rng.random(x.shape) < 0.5)

    def total(f, rng):
        return lambda x: np.sum(np.sin(f(f(x, rng), rng)))

    x = np.linspace(1, 2, 50)
    expected = ad.grad(lambda x, rng: total(dropout, rng)(x))(x, np.random.default_rng(3))
    for _ in range(2):
        generator = np.random.default_rng(3)
        got = ad.grad(lambda x, rng: total(ad.checkpoint(dropout), rng)(x))(x, generator)
        np.testing.assert_array_equal(got, expected)


def test_what_changes_between_the_call_and_the_substitution():
    x, mask = np.ones(3), np.array([1.0, 0.0, 2.0])
    _, system = ad.linearize(ad.checkpoint(lambda x, m: np.sin(x) * m), x, mask)
    expected = np.cos(x) * mask
    x[:], mask[:] = 5, 7  # both are arguments: kept as they were
    close(system.pullback(np.ones(3))[0], expected)
    factor = np.array([1.0, 2.0, 3.0])
    _, system = ad.linearize(ad.checkpoint(lambda x: np.sin(x) * factor), np.ones(3))
    factor[:] = 7  # read from outside
    with pytest.raises(RuntimeError, match="expected the same results"):
        system.pullback(np.ones(3))


def test_constant_argument_changes():
    def total(x):
        buffer, out = np.zeros(3), 0.0
        for k in range(3):
            buffer[:] = k + 1.0
            out = out + np.sum(ad.checkpoint(lambda x, b: np.sin(x) * b)(x, buffer))
        return out

    close(ad.grad(total)(np.ones(3)), 6 * np.cos(np.ones(3)))


def test_an_argument_that_is_written_to():
    def f(x):
        x[0] = x[1] * 2.0
        x *= 3.0
        return np.sin(x)

    def total(f):
        def of(x):
            y = x * 1.0
            z = f(y)
            return np.sum(y * z)
        return of

    close(ad.grad(total(ad.checkpoint(f)))(B), ad.grad(total(f))(B))


def test_a_closed_over_array_that_is_written_to_afterwards():
    def total(x):
        w = x * 2.0
        y = ad.checkpoint(lambda y: np.sin(y) * w)(x)
        w[0] = 1.0
        return np.sum(y * w)

    with pytest.raises(RuntimeError, match=r"expected the (same results|function to read the same arrays)"):
        ad.grad(total)(B)


def test_an_array_outside_that_is_written_to():
    def total(x):
        y = x * 1.0
        rest = y[1:]

        def f(z):
            rest[0] = z[0]
            return np.sum(rest**2)

        return ad.checkpoint(f)(x) + np.sum(y)

    with pytest.raises((ad.LeakedTraceError, RuntimeError), match="checkpoint"):
        ad.grad(total)(B)


def test_an_error_when_it_is_computed_again_leaves_no_state():
    calls = []

    def f(x):
        calls.append(1)
        if len(calls) % 2 == 0:
            raise ValueError("the second time")
        return np.sin(x)

    with pytest.raises(ValueError, match="the second time"):
        ad.grad(ad.checkpoint(f))(1.0)
    with pytest.raises(ValueError, match="the second time"):
        ad.grad(ad.checkpoint(f))(1.0)
    assert ad.grad(np.sin)(0.0) == 1


# ---- systems and threads

@pytest.mark.parametrize("entry", CASES[::15], ids=lambda entry: entry.name)
def test_of_the_catalogue(entry):
    """Forward, reverse and second derivatives of every fifteenth program are those without a checkpoint."""
    problem = Problem(entry, entry.kinds[-1], np)
    u = list(problem.weights)
    for derivative in (lambda f: ad.vjp(f, *problem.primals)[1](u),
                       lambda f: ad.jvp(f, problem.primals, problem.directions)[1],
                       lambda f: ad.jvp(lambda *x: ad.vjp(f, *x)[1](u), problem.primals, problem.directions)[1]):
        for p, q in zip(derivative(ad.checkpoint(problem.program)), derivative(problem.program), strict=True):
            assert p.shape == q.shape and p.dtype == q.dtype
            close(p, q, 1e-9, 1e-9 * (1 + np.abs(q).max(initial=0)))


def test_system_of_a_program_with_checkpoints():
    """One block row; its matrices are those of the function."""
    f = lambda x, w: np.sum(np.tanh(x @ w) ** 2)
    _, system = ad.linearize(ad.checkpoint(f), X, W)
    assert [row.label for row in system.rows[2:]] == ["join", "checkpoint", "product"]
    lower, inputs = (m.toarray() for m in system.to_sparse())
    gradient = np.linalg.solve(lower, inputs)[-1]
    close(gradient, np.concatenate([g.ravel() for g in ad.grad(f, (0, 1))(X, W)]))
    assert system.cost() > 2 * X.size * 3
    for figure in (system.spy(), system.graph()):
        figure.clear()


def test_from_several_threads():
    """Checkpoints of one trace called, and one system solved, by four threads."""
    def total(x):
        results: list[Any] = [None] * 4

        def run(k):
            results[k] = np.sum(ad.checkpoint(lambda y: np.sin(y * (k + 1.0)))(x))

        threads = [threading.Thread(target=run, args=(k,)) for k in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        return sum(results[1:], results[0])

    _, system = ad.linearize(total, B)
    found: list[Any] = [None] * 4
    threads = [threading.Thread(target=lambda k: found.__setitem__(k, system.pullback(k + 1.0)[0]), args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    expected = sum(np.cos(B * k) * k for k in range(1, 5))
    for k in range(4):
        close(found[k], (k + 1) * expected)
