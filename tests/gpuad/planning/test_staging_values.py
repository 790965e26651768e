"""What a plan gives as its function does: arguments and results of every kind, plans inside plans, nodes of one's own."""
from __future__ import annotations

import copy
import math
import operator
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gpuad as ad
import linalg
from gpuad.errors import PlanError
from gpuad.planning import plan
from gpuad.planning.trace import trace
from linalg.arrays import is_array, is_traced
from tests.gpuad.modes import assert_same

X = np.array([1.0, 2.0, 3.0])


def same_twice(f: Callable[..., Any], *args: Any) -> None:
    """f and its plan agree, at the first call and at the second, which traces nothing."""
    p = plan(f)
    for _ in range(2):
        assert_same(p(*args), f(*args))


# ---- plans and derivatives inside one another

def loss(x: Any) -> Any:
    return np.sum(np.sin(x) * x)


def test_plans_and_derivatives_inside_one_another() -> None:
    inner = plan(loss)
    expected = ad.grad(loss)(X)
    for f in (ad.grad(inner), plan(ad.grad(inner)), plan(plan(ad.grad(loss))), plan(ad.grad(plan(plan(loss)))),
              plan(lambda x: ad.grad(inner)(x) * 1.0)):
        assert_same(f(X), expected)
        assert_same(f(X), expected)
    hessian = ad.hessian(loss)(X)
    for f in (ad.jacobian(plan(ad.grad(loss))), plan(ad.jacobian(plan(ad.grad(inner)))), plan(ad.hessian(inner))):
        assert_same(f(X), hessian)
    assert_same(plan(lambda x: ad.hvp(inner, (x,), (X,)))(X), ad.hvp(loss, (X,), (X,)))


def test_a_plan_that_reads_an_array_of_the_plan_around_it() -> None:
    p = plan(lambda x: x * plan(lambda y: y + np.sum(x))(2.0))
    assert_same(p(X), X * 8.0)


def test_a_derivative_of_an_array_outside_the_plan() -> None:
    """A plan without traced arguments does not hide that it reads a traced array."""
    with pytest.raises((PlanError, ad.LeakedTraceError)):
        ad.grad(lambda x: plan(lambda y: y * x)(2.0))(3.0)


def test_a_training_step_with_its_state() -> None:
    def step(state: Any, x: Any, y: Any, rate: float) -> Any:
        def error(p: Any) -> Any:
            return np.mean((np.tanh(x @ p["w"] + p["b"]) - y) ** 2)

        value, g = ad.value_and_grad(error)(state["p"])
        m = {k: 0.9 * state["m"][k] + 0.1 * g[k] for k in g}
        t = state["t"] + 1
        return {"p": {k: state["p"][k] - rate * m[k] / (1 - 0.9**t) for k in m}, "m": m, "t": t}, value

    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        w = {"w": rng.normal(size=(4, 2)).astype(dtype), "b": np.zeros(2, dtype)}
        mine = theirs = {"p": w, "m": {k: np.zeros_like(v) for k, v in w.items()}, "t": 0}
        x, y = rng.normal(size=(8, 4)).astype(dtype), rng.normal(size=(8, 2)).astype(dtype)
        p = plan(step)
        for rate in (0.1, 0.05, 0.02):
            mine, a = p(mine, x, y, rate)
            theirs, b = step(theirs, x, y, rate)
            assert_same((mine, a), (theirs, b))


# ---- results and arguments of every kind

Pair = namedtuple("Pair", "a b")


@pytest.mark.parametrize("f", [
    lambda _x: None, lambda _x: "text", lambda _x: 3, lambda _x: (1.5, True, 2j), lambda _x: {}, lambda _x: (),
    lambda x: [x, None, "s"], lambda x: x, lambda x: (x, x), lambda x: (x + 1,) * 2, lambda x: [x, [x + 1, (x + 2, {"k": x})]],
    lambda x: Pair(x, 2 * x), lambda x: {"b": x, "a": np.ones(2), 3: 1}, lambda _x: np.ones(3), lambda _x: np.float32(3),
    lambda _x: (X, X), lambda x: x.T, lambda x: x[::-1], lambda x: x[0], lambda x: x[..., 0],
    lambda x: np.broadcast_to(x, (2, 3)), lambda x: x.reshape(3, 1), lambda x: x > 1, lambda x: np.argmax(x), lambda x: np.sum(x),
    lambda x: np.sum(x, keepdims=True), lambda x: x.astype(int), lambda x: x.shape,
    lambda x: (x.ndim, x.size, len(x), x.dtype, x.nbytes, x.itemsize), lambda x: np.shape(x), lambda x: list(x),
    lambda x: np.zeros_like(x), lambda x: np.split(x, 3), lambda x: np.linalg.svd(np.outer(x, x)), lambda x: divmod(x, 2),
    lambda x: np.linalg.slogdet(np.outer(x, x) + np.eye(3)), lambda x: np.meshgrid(x, x), lambda x: np.modf(x),
    lambda x: np.frexp(x), lambda x: copy.deepcopy(x), lambda x: copy.copy(x), lambda x: x.copy(), lambda x: x.real + x.imag,
    lambda x: round(x[0], 1), lambda x: x.flat[0], lambda x: list(np.outer(x, x)), lambda x: reversed([x, 2 * x]).__next__(),
    lambda x: x.conj(), lambda x: np.histogram(x, 3), lambda x: np.allclose(x, 1), lambda x: np.interp(x, [0.0, 5], [1.0, 2]),
    lambda x: np.median(x), lambda x: np.percentile(x, [25, 75]), lambda x: np.convolve(x, x), lambda x: np.fft.fft(x),
    lambda x: np.polyval([1, 2], x), lambda x: np.gradient(np.outer(x, x)),
    lambda x: np.apply_along_axis(np.sort, 0, np.outer(-x, x)), lambda x: np.choose([0, 2, 1], x),
    lambda x: np.piecewise(x, [x < 2], [lambda t: -t, lambda t: t]), lambda x: np.select([x < 2, x > 2], [x, -x], 7.0),
    lambda x: np.cov(np.outer(x, x)), lambda x: np.unravel_index(np.argmax(x), (3, 1)), lambda x: np.lexsort((x, -x)),
    lambda x: np.add.accumulate(x), lambda x: np.multiply.outer(x, x), lambda x: np.add.reduce(x),
    lambda x: np.maximum.accumulate(-x), lambda x: np.where(x > 1, x, 0.0), lambda x: np.add(x, 1, dtype=np.float32),
    lambda x: np.sum(x, where=x > 1), lambda x: np.sum(x, dtype=np.float32, initial=1.0), lambda x: np.mean(x, where=x > 1),
    lambda x: np.prod(x), lambda x: np.std(x, ddof=1), lambda x: np.ptp(x), lambda x: np.any(x > 2),
    lambda x: ad.numpy.take(X, np.argsort(x)), lambda x: X.take(np.array([0, 1])) * x[:2],
    lambda x: np.searchsorted(x, [1.5, 2.5]), lambda x: x[np.argsort(-x)], lambda x: x[[2, 0]],
    lambda x: x[np.array([[0, 1], [2, 0]])], lambda x: x[None, :, None], lambda x: ad.numpy.array([x[0], [1.0, 2.0][0]]),
    lambda x: ad.numpy.array([x, X]), lambda x: ad.numpy.full((2, 3), x[0]), lambda x: ad.numpy.full_like(x, x[1]),
    lambda x: ad.numpy.asarray(x), lambda x: ad.numpy.sin(x), lambda x: ad.numpy.stack([x, x]),
    lambda x: ad.numpy.array([[x[0], 1], [2, x[1]]], dtype=np.float32), lambda x: np.stack([x, 2 * x], -1),
    lambda x: np.full_like(x, 2), lambda x: x @ x, lambda x: np.outer(x, x) @ x, lambda x: np.einsum("i,j->ij", x, x),
    lambda x: np.kron(x, x), lambda x: np.dot(x, x), lambda x: np.cross(x, -x[::-1]), lambda x: np.tensordot(x, x, 0),
    lambda x: np.vdot(x, x), lambda x: np.trace(np.outer(x, x)), lambda x: ad.stop_gradient(x),
    lambda x: linalg.solve(linalg.Dense(np.diag(x) + 1), x), lambda x: linalg.Diagonal(x) @ x,
    lambda x: linalg.solve(linalg.SymTridiagonal(x, x[1:]), x), lambda x: x @ linalg.Diagonal(x),
    lambda x: linalg.Diagonal(X) @ x, lambda x: linalg.solve(linalg.Diagonal(x), X), lambda x: (x[0] * linalg.Identity((3,))) @ x,
    lambda x: x**2 + 2**x + x % 2 + x // 2, lambda x: ad.Dual(x, 1.0).tangent * (ad.Dual(x, 1.0) ** 3).tangent,
    lambda x: -x + abs(x) - +x, lambda x: ~(x > 1) | (x < 3) & (x != 2), lambda x: np.logical_xor(x > 1, x > 2),
    lambda x: x.astype(np.float16).astype(complex).imag, lambda x: np.angle(x + 1j), lambda x: 1 << x.astype(int),
    lambda x: np.bitwise_count(x.astype(int)), lambda x: np.astype(x, np.float32), lambda x: np.nan_to_num(x),
    lambda x: operator.matmul(x, x), lambda x: sum(x), lambda x: sum([x, x], 0), lambda x: np.linalg.norm(x),
    lambda x: np.linalg.norm(x, 1), lambda x: np.linalg.det(np.diag(x)), lambda x: np.linalg.eigvalsh(np.diag(x)),
    lambda x: np.linalg.qr(np.diag(x)), lambda x: np.linalg.cond(np.diag(x)), lambda x: np.linalg.matrix_rank(np.diag(x)),
    lambda x: np.linalg.inv(np.diag(x)), lambda x: np.tril(np.outer(x, x)), lambda x: np.diff(x), lambda x: np.pad(x, 1),
    lambda x: np.roll(x, 1), lambda x: np.flip(x), lambda x: np.clip(x, 1.5, 2.5), lambda x: x.clip(1.5),
    lambda x: np.round(x / 3, 2), lambda x: np.sort(-x), lambda x: np.sinc(x)])
def test_results_of_every_kind(f: Callable[..., Any]) -> None:
    same_twice(f, X)


X33 = np.arange(9.0).reshape(3, 3) / 7 + np.eye(3)


@pytest.mark.parametrize("x", [
    np.zeros(0), np.zeros((0, 3)), np.zeros((3, 0)), np.array(2.0), np.float64(2), np.float32(2), 2.0, 2, True, np.int8(3),
    np.bool_(True), 2 + 1j, np.asfortranarray(X33), X33.T, X33[::-1, ::2], X33[:, 0], np.broadcast_to(X, (2, 3)),
    X33.astype(np.float16), X33.astype(np.float32), X33.astype(complex), X33.astype(np.complex64), np.arange(6),
    np.arange(6, dtype=np.uint8), X > 1, np.array(True), np.ones((2, 1, 3)), X.astype(">f8"),
    np.array([np.nan, np.inf, -np.inf, 0.0])],
    ids=lambda x: f"{type(x).__name__}-{getattr(x, 'dtype', '')}-{np.shape(x)}")
def test_arguments_of_every_kind(x: Any) -> None:
    def f(x: Any, n: Any = 2) -> Any:
        return (x, x + 1, x * 0.5, x * n, n * n, n + 1.5, np.add(x, x), np.sum(x), x == n, np.exp(x * 0.1), 2.0 * x, np.ravel(x),
                np.transpose(x), np.abs(x), np.multiply(x, 3), np.stack([x, x]), np.where(np.equal(x, 0), x, x), np.zeros_like(x))

    with np.errstate(all="ignore"):
        if isinstance(x, np.ndarray):
            x = x.copy(order="K") if x.flags.writeable else x
            frozen = x.view()
            frozen.flags.writeable = False
            same_twice(f, frozen, 3.0)
        same_twice(f, x)
        same_twice(f, x, 3.0)
        same_twice(f, x, 3)
    if getattr(x, "dtype", np.dtype(type(x))).kind in "fc" and np.size(x):
        with np.errstate(all="ignore"):
            same_twice(ad.grad(lambda x: np.sum(np.real(x * x))), x)
            same_twice(ad.grad(lambda x: np.real(x if np.ndim(x) == 0 else np.ravel(x)[0])), x)


def test_numbers_promote_as_weakly_as_they_do_eagerly() -> None:
    x = X.astype(np.float32)
    for n in (2.0, 2, True, np.float32(2), np.float64(2), np.array(2.0), np.array(2, np.int8)):
        same_twice(lambda x, n: (x * n, n * x, x**n, x / n, n - x, np.maximum(x, n), np.where(x > 1, x, n), n * 2, n * 2.5), x, n)
        if not isinstance(n, bool):
            same_twice(ad.grad(lambda x, n: np.sum(x * n + x**n + x / n + np.maximum(x, n) + n / x)), x, n)
    same_twice(lambda a, b: (a + b, a * b, a - b, a**b, a // b, a % b, a < b, abs(-a), divmod(a, b)), 3, 2.5)
    same_twice(lambda a, b: (a + b, a & b, a | b, a ^ b, a << b, ~a), 5, 3)


def test_a_number_that_is_zero() -> None:
    with np.errstate(all="ignore"):
        for n in (0.0, -0.0, 2.0):
            same_twice(ad.grad(lambda x, n: np.sum(x / n)), X, n)
            same_twice(ad.grad(lambda x, n: np.sum(x**n)), np.array([0.0, 1.0]), n)
        p = plan(ad.grad(lambda x, n: np.sum(x / n + x**n)))
        for n in (2.0, 0.0, 1.0):
            assert_same(p(X, n), ad.grad(lambda x, n: np.sum(x / n + x**n))(X, n))


def test_integers_and_masks_among_the_arguments() -> None:
    def f(x: Any, i: Any, m: Any) -> Any:
        return (x[i], x[i, i], x[:, i], np.take(x, i, axis=1), np.where(m, x, 0), np.sum(x, where=m), x[i[0]], x[0, i[1]],
                np.take_along_axis(x, i[:, None], 1), x * m, m.sum())

    i, m = np.array([0, 2, 1]), X33 > 1
    same_twice(f, X33, i, m)
    same_twice(ad.grad(lambda x, i, m: np.sum(np.sin(x[i]) @ np.where(m, x, 0)[:, i]) + x[i[0], i[1]]), X33, i, m)
    same_twice(ad.jacobian(lambda x, i: x[i] * x[:, i], order="forward"), X33, i)
    same_twice(ad.jacobian(lambda x, i: (x[i] * x[:, i])[0], order="reverse"), X33, i)
    same_twice(ad.hessian(lambda x, i: np.sum(x[i] ** 3)), X33, i)
    same_twice(lambda x, i: ad.hvp(lambda t: np.sum(t[i] ** 3), (x,), (x,)), X33, i)
    p = plan(ad.grad(lambda x, i: np.sum(x[i] ** 2)))
    for i in ([0, 0, 0], [2, 1, 2]):
        assert_same(p(X, np.array(i)), ad.grad(lambda x, i: np.sum(x[i] ** 2))(X, np.array(i)))


# ---- functions of one's own

def test_a_primitive_is_run_anew_at_each_run() -> None:
    calls = []

    def table(x: Any, n: Any = 1) -> Any:
        calls.append(type(x))
        x *= 1  # its own copy
        return np.asarray([float(v) ** 2 for v in x.ravel()]).reshape(x.shape) * n

    node = ad.primitive(table, differential=lambda _y, x, n=1: 2 * x * n)
    x = X.copy()
    p = plan(lambda x: (node(x), ad.grad(lambda t: np.sum(node(t) * t))(x), node(x, n=2)))
    expected = (X**2, 3 * X**2, 2 * X**2)
    assert_same(p(x), expected)
    calls.clear()
    assert_same(p(x), expected)
    assert calls == [np.ndarray] * 3
    np.testing.assert_array_equal(x, X)
    second = plan(ad.grad(lambda t: np.sum(ad.grad(lambda s: np.sum(node(s) * s))(t))))
    assert_same(second(X), 6 * X)


def test_primitives_with_several_results_and_operators() -> None:
    polar = ad.primitive(lambda x, y: (np.hypot(x, y), np.arctan2(y, x)),
                         differential=lambda out, x, y: ((x / out[0], y / out[0]), (-y / out[0] ** 2, x / out[0] ** 2)))
    same_twice(lambda x, y: ad.grad(lambda x, y: np.sum(polar(x, y)[0] * polar(x, y)[1]), (0, 1))(x, y), X, X[::-1])
    layer = ad.primitive(lambda a, x: a @ x, differential=lambda _y, a, x: (
        linalg.Reshape((3, 1), (3,)) @ linalg.RightProduct(x[:, None], a.shape), linalg.Dense(a)))
    same_twice(lambda a, x: ad.grad(lambda a, x: np.sum(layer(a, x) ** 2), (0, 1))(a, x), X33, X)


def test_a_differential_that_leaves_numpy_is_refused() -> None:
    for differential in (lambda _y, x: [math.cos(v) for v in x], lambda _y, x: np.array([math.cos(float(v)) for v in x]),
                         lambda _y, x: np.asarray(x) * 2):
        node = ad.primitive(np.sin, differential=differential)
        with pytest.raises(PlanError, match=r"ad.primitive|numpy has it too"):
            plan(ad.grad(lambda x, node=node: np.sum(node(x))))(X)
    cosine = ad.primitive(lambda x: np.array([math.cos(float(v)) for v in x]))
    node = ad.primitive(np.sin, differential=lambda _y, x: cosine(x))
    same_twice(ad.grad(lambda x: np.sum(node(x))), X)


# ---- what is set around a call

def test_error_states_inside_the_function_belong_to_its_calls() -> None:
    def f(x: Any) -> Any:
        with np.errstate(divide="ignore"):
            y = 1 / x
        return y + 1

    p = plan(f)
    for x in (X, np.zeros(3), X):
        assert_same(p(x), f(x))
    raising = plan(lambda x: 1 / x)
    assert_same(raising(X), 1 / X)
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        raising(np.zeros(3))
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        raising(np.zeros(3))


def test_singular_operators_are_named_at_each_run() -> None:
    p = plan(lambda d, b: linalg.solve(linalg.Diagonal(d), b))
    assert_same(p(X, X), np.ones(3))
    with pytest.raises(np.linalg.LinAlgError, match=r"singular: Diagonal.*has a zero on its diagonal"):
        p(np.array([1.0, 0.0, 1.0]), X)
    assert_same(p(X, X), np.ones(3))
    holomorphic = plan(ad.elementwise_grad(lambda z, c: z * z + c * np.conj(z)))
    assert_same(holomorphic(X + 0j, 0.0), 2 * X + 0j)
    with pytest.raises(TypeError, match="holomorphic"):
        holomorphic(X + 0j, 1.0)


# ---- what stands in for an array

def test_a_staged_array_looks_like_an_array() -> None:
    seen: list[Any] = []

    def f(x: Any) -> Any:
        seen.append((is_array(x), is_traced(x), x.shape, x.dtype, x.ndim, x.size, len(x), repr(x), x.device, x.T.shape))
        with pytest.raises(TypeError, match="unhashable"):
            hash(x)
        with pytest.raises(TypeError):
            len(np.sum(x))
        with pytest.raises(TypeError):
            iter(np.sum(x))
        return x

    plan(f)(X)
    assert seen[0] == (True, True, (3,), np.dtype(float), 1, 3, 3, "StagedArray(float64[3])", "cpu", (3,))


def test_the_program_says_what_it_does() -> None:
    program, _ = trace(lambda x: np.sin(x) @ X, [X], lambda new: (new, {}), "f")
    text = str(program)
    assert "sin" in text and "matmul" in text and "captured float64[3]" in text
    assert_same(program.run(X)[0], np.sin(X) @ X)


def test_other_leaves_are_refused() -> None:
    for x in ("text", np.array(["a"]), np.array([None]), object(), np.ma.masked_array(X), X33.view(np.matrix), ad.Dual(1.0, 1.0)):
        with pytest.raises(TypeError):
            plan(lambda x: x)(x)
    with pytest.raises(TypeError, match=r"expected plain arrays, got numpy\.ma"):
        plan(lambda x: x + np.ma.masked_array(X))(X)


def test_results_that_are_no_pytrees_of_arrays() -> None:
    class Opaque:
        def __init__(self, x: Any) -> None:
            self.x = x

    for f in (lambda x: Opaque(2 * x), lambda x: (x, (v for v in (x, x))), lambda x: {x.size}):
        with pytest.raises(PlanError, match="containers that optree knows"):
            plan(f)(X)


@pytest.mark.parametrize("derive", [
    lambda f: ad.grad(lambda x: np.sum(f(x))),
    lambda f: ad.jacobian(f),
    lambda f: ad.jacobian(f, order="forward"),
    lambda f: lambda x: ad.vjp(f, x)[1](np.arange(1.0, 4.0)),
    lambda f: lambda x: ad.jvp(f, (x,), (np.arange(1.0, 4.0),))[1],
    lambda f: ad.hessian(lambda x: np.sum(f(x) ** 2)),
])
def test_arrays_from_outside_are_read_anew_where_they_meet_a_seed(derive: Any) -> None:
    c = np.arange(1.0, 4.0)
    f = lambda x: x * c
    planned, x = ad.plan(derive(f)), np.ones(3)
    for _ in range(2):
        a, b = planned(x), derive(f)(x)
        np.testing.assert_allclose(a, b)
        c += 1


@pytest.mark.parametrize("derive", [
    lambda k, x: ad.hessian(np.sum)(x) + k[:, None],
    lambda k, x: ad.grad(lambda _x: np.sum(k))(x) + k,
    lambda k, x: ad.grad(lambda x: np.sum(ad.jvp(lambda x: k * x * x, (x,), (np.ones_like(x),))[1]))(x),
    lambda k, x: ad.hvp(lambda x: np.sum(k * x), (x,), (x,))[0] + k,
])
def test_arrays_from_outside_are_read_anew_where_they_meet_zeros_and_blanks(derive: Any) -> None:
    k, x = np.arange(1.0, 4.0), np.ones(3)
    planned = ad.plan(lambda x: derive(k, x))
    for _ in range(2):
        np.testing.assert_allclose(planned(x), derive(k, x))
        k *= 10


@pytest.mark.parametrize("n", [4, 10_000])
def test_a_tangent_that_is_changed_in_place_between_two_uses(n: int) -> None:
    x = np.ones(n)

    def f(x: Any) -> Any:
        t = np.ones(n)
        a = ad.jvp(lambda z: 3 * z, (x,), (t,))[1]
        t *= -1
        b = ad.vjp(lambda z: 3 * z, x)[1](t)[0]
        t *= -1
        return a + 0 * x, b

    for got, wanted in zip(ad.plan(f)(x), f(x), strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_a_number_as_a_tangent_is_no_weak_number() -> None:
    g = lambda x, t: ad.jvp(lambda x: np.float32(2) * x, (x,), (t,))
    for a, b in zip(ad.plan(g)(-0.3, -0.3), g(-0.3, -0.3), strict=True):
        assert float(a) == float(b)
