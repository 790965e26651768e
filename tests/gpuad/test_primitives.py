"""Every entry of the catalogue: value, forward and reverse derivatives of first and second order, and its elements."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optree
import pytest

import gpuad as ad
from linalg import LinearOperator
from linalg.arrays import to_host
from tests.gpuad.programs import CASES, Case

EACH = [pytest.param(c, kind, id=f"{c.name}-{kind}") for c in CASES for kind in c.kinds]


class Problem:
    """A program, its arguments on the host and where it runs, directions for its arguments, weights for its results."""

    def __init__(self, entry: Case, kind: str, xp: Any):
        if entry.lists and xp is not np:
            pytest.skip("CuPy's ufuncs do not take lists as operands")
        if entry.scalars and xp is not np:
            pytest.skip("CuPy has no scalars: x += y would change an array")
        arguments = entry.arguments(kind)
        self.constants = [(i, a) for i, a in enumerate(arguments) if a.dtype.kind not in "fc"]
        self.primals = [a for a in arguments if a.dtype.kind in "fc"]
        self.entry, self.rng, self.xp = entry, np.random.default_rng(5), xp
        self.results = self.on_host(*self.primals)
        self.directions = [self.like(a) for a in self.primals]
        self.weights = [self.like(y) for y in self.results]

    def like(self, a: np.ndarray) -> np.ndarray:
        w = self.rng.standard_normal(a.shape)
        return np.asarray(w + 1j * self.rng.standard_normal(a.shape) if a.dtype.kind == "c" else w, a.dtype)

    def call(self, place: Callable[[Any], Any], args: Sequence[Any]) -> list[Any]:
        args = list(args)
        for i, constant in self.constants:
            args.insert(i, place(constant))
        return optree.tree_leaves(self.entry.f(*args))

    def on_host(self, *args: np.ndarray) -> list[np.ndarray]:
        return [np.asarray(y) for y in self.call(lambda x: x, args)]

    def program(self, *args: Any) -> list[Any]:
        """The results that are arrays under differentiation or constants: what gpuad differentiates."""
        return self.call(self.xp.asarray, args)

    def there(self, arrays: Sequence[np.ndarray]) -> tuple[Any, ...]:
        return tuple(map(self.xp.asarray, arrays))

    def gradient(self, *args: Any) -> tuple[Any, ...]:
        """The gradient of ⟨weights, program⟩."""
        return ad.vjp(self.program, *args)[1](list(self.there(self.weights)))


def host(arrays: Sequence[Any]) -> list[np.ndarray]:
    return [np.asarray(to_host(a)) for a in arrays]


def inner(xs: Sequence[Any], ys: Sequence[Any]) -> float:
    return float(sum(np.vdot(x, y).real for x, y in zip(host(xs), host(ys), strict=True)))


def differences(f: Callable[..., Sequence[Any]], at: Sequence[np.ndarray], along: Sequence[np.ndarray],
                h: float = 1e-3) -> list[np.ndarray]:
    """The derivative along a direction by two-sided differences of fourth order."""
    def step(k: float) -> list[np.ndarray]:
        return host(f(*[a + k * h * v for a, v in zip(at, along, strict=True)]))
    return [(8 * (b - c) - (a - d)) / (12 * h) for a, b, c, d in zip(step(2), step(1), step(-1), step(-2), strict=True)]


def assert_close(got: Sequence[Any], expected: Sequence[np.ndarray], tolerance: float) -> None:
    for a, b in zip(host(got), expected, strict=True):
        assert a.shape == b.shape
        scale = 1 + np.max(np.abs(b), initial=0.0)
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize(("entry", "kind"), EACH)
def test_value_and_first_derivatives(entry: Case, kind: str, xp: Any) -> None:
    p = Problem(entry, kind, xp)
    primals, directions = p.there(p.primals), p.there(p.directions)
    out, system = ad.linearize(p.program, *primals)
    for got, expected in zip(host(out), p.results, strict=True):
        assert got.dtype == expected.dtype and got.shape == expected.shape
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)
    forward = system.pushforward(*directions)
    assert_close(forward, differences(p.on_host, p.primals, p.directions), 1e-7)
    reverse = system.pullback(list(p.there(p.weights)))
    assert [(g.shape, g.dtype) for g in reverse] == [(a.shape, a.dtype) for a in p.primals]
    a, b = inner(p.weights, forward), inner(reverse, p.directions)
    assert abs(a - b) <= 1e-10 * (1 + abs(a))


@pytest.mark.parametrize(("entry", "kind"), EACH)
def test_second_derivatives(entry: Case, kind: str, xp: Any) -> None:
    p = Problem(entry, kind, xp)
    primals, directions = p.there(p.primals), p.there(p.directions)
    _, forward = ad.jvp(p.gradient, primals, directions)
    expected = differences(lambda *args: p.gradient(*p.there(args)), p.primals, p.directions)
    assert_close(forward, expected, 1e-6)
    other = [p.like(a) for a in p.primals]
    reverse = ad.vjp(p.gradient, *primals)[1](p.there(other))
    a, b = inner(other, forward), inner(reverse, p.directions)
    assert abs(a - b) <= 1e-9 * (1 + abs(a))


@pytest.mark.parametrize(("entry", "kind"), EACH)
def test_every_block_is_an_element_whose_adjoint_is_right(entry: Case, kind: str, xp: Any) -> None:
    p = Problem(entry, kind, xp)
    _, system = ad.linearize(p.program, *p.there(p.primals))
    for i, blocks in enumerate(system._blocks):
        for j, element in blocks:
            assert isinstance(element, LinearOperator)
            source, row = system.rows[j], system.rows[i]
            assert (element.in_shape, element.out_shape) == (source.shape, row.shape)
            x, y = p.like(np.empty(source.shape, source.dtype)), p.like(np.empty(row.shape, row.dtype))
            forward, back = element @ xp.asarray(x), element.H @ xp.asarray(y)
            assert (forward.shape, back.shape) == (y.shape, x.shape)
            a, b = inner([y], [forward]), inner([back], [x])
            assert abs(a - b) <= 1e-10 * (1 + abs(a)), (row.primitive, element)
            np.testing.assert_allclose(to_host(element.T.T @ xp.asarray(x)), to_host(forward), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("entry", "kind"), EACH)
def test_many_right_hand_sides(entry: Case, kind: str) -> None:
    p = Problem(entry, kind, np)
    _, system = ad.linearize(p.program, *p.primals)
    directions = [[p.like(a) for _ in range(3)] for a in p.primals]
    together = system.pushforward(*[np.stack(d) for d in directions])
    weights = [[p.like(y) for _ in range(3)] for y in p.results]
    back = system.pullback([np.stack(w) for w in weights])
    for k in range(3):
        for got, expected in zip(together, system.pushforward(*[d[k] for d in directions]), strict=True):
            np.testing.assert_allclose(got[k], expected, rtol=1e-9, atol=1e-9)
        for got, expected in zip(back, system.pullback([w[k] for w in weights]), strict=True):
            np.testing.assert_allclose(got[k], expected, rtol=1e-9, atol=1e-9)


SINGLE = [pytest.param(c, kind, id=f"{c.name}-{kind}") for c in CASES for kind in {"d": "f", "D": "F", "dD": "fF"}[c.kinds]]


@pytest.mark.parametrize(("entry", "kind"), SINGLE)
def test_single_precision(entry: Case, kind: str) -> None:
    """The gradient in single precision: of its dtype, and that of double precision to what single precision holds."""
    single, double = Problem(entry, kind, np), Problem(entry, {"f": "d", "F": "D"}[kind], np)
    if any(a.shape != b.shape or np.abs(a - b).max(initial=0) > 1e-3 * (1 + np.abs(b).max(initial=0))
           for a, b in zip(single.results, double.results, strict=True)):
        pytest.skip("NumPy's own result is lost in single precision (a rank that cannot be told)")
    weights = [w.astype(y.dtype) for w, y in zip(double.weights, single.results, strict=True)]
    got = ad.vjp(single.program, *single.primals)[1](weights)
    wide = [a.astype(b.dtype) for a, b in zip(single.primals, double.primals, strict=True)]
    expected = ad.vjp(double.program, *wide)[1](double.weights)
    assert [g.dtype for g in got] == [a.dtype for a in single.primals]
    assert_close(got, [np.asarray(g) for g in expected], 2e-3)
