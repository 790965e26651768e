"""In-place programs: what NumPy computes with assignments, in-place operators, ``out=`` and views, and its derivatives."""
from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gpuad as ad
from gpuad.errors import LeakedTraceError, PlanError

pytestmark = pytest.mark.usefixtures("both_modes")

X = np.array([[0.5, -1.2, 2.0], [1.5, 0.3, -0.7]])
W = np.arange(1.0, 7.0).reshape(2, 3) / 7


def recurrence(x: Any) -> Any:
    y = np.zeros_like(x)
    y[0] = x[0] ** 2
    for j in range(1, 3):
        y[:, j] = y[:, j - 1] * x[:, j]
    return y


def filled(x: Any) -> Any:
    y = np.empty((3, 2), like=x)
    y.fill(2.0)
    y[:2] = x.T[:2]
    y[-1] *= x[0, 1]
    return y


def operators(x: Any) -> Any:
    y = x.copy()
    y += x[0]
    y -= 1
    y *= x
    y /= 2 + x * x
    y **= 2
    y %= 0.7
    return y


def through_views(x: Any) -> Any:
    y = x.copy()
    row, column, flat, turned = y[0], y[:, 1], y.reshape(-1), y.T
    row += 1
    column *= row[2]
    flat[4:] = x[0, :2]
    turned[0] = flat[5] * column
    return [y, row, column, flat, turned]


def view_of_a_view(x: Any) -> Any:
    y = x * 1
    a = y[1:]
    b = a[0, ::2]
    b *= x[0, 0]
    a[0, 1] = b[1]
    y += a
    return [y, a, b]


def copies(x: Any) -> Any:
    y = x * 2
    parts = [y.copy(), np.copy(y), y.flatten(), +y, y[[0, 1]], y[[True, True]], y.astype(float),
             copy.deepcopy(y), copy.copy(y), np.tile(y, 1), np.repeat(y, 1, 0), np.full_like(y, y[0, 0]),
             y.reshape(3, 2).T.reshape(-1)]
    y[...] = 0
    return [p * 1 for p in parts]


def masks(x: Any) -> Any:
    y = x.copy()
    y[y < 0] = 0.5
    y[[True, False]] += 3
    y[y > 1] *= 2
    y[y > 2.9] = x[0, 0]
    return y


def integers(x: Any) -> Any:
    y = x.copy()
    y[[0, 1, 0], [2, 2, 2]] = x[0] * x[1]  # the last stays
    y[1, [0, 0]] += x[0, 1]  # added once
    y[np.array([[0], [1]]), [1]] = x[:, :1]
    return y


def outs(x: Any) -> Any:
    y = np.zeros_like(x)
    np.exp(x, out=y)
    np.add(y, x[0], y)
    np.sqrt(x, out=y, where=X > 0)
    np.cumsum(x, axis=1, out=y[:, :])
    total = np.zeros_like(x[0])
    np.sum(y, axis=0, out=total)
    product = np.zeros((2, 2), like=x)
    np.dot(x, y.T, out=product)
    np.matmul(product, product, out=product)
    np.clip(y, -1, 1, out=y)
    return [y, total, product, np.add.reduce(x, 0, out=np.zeros_like(total))]


def functions(x: Any) -> Any:
    y = x.copy()
    np.copyto(y, x[0] * 2, where=[True, False, True])
    np.put(y, [0, -1], x[1, :1])
    np.putmask(y, x > 1, x * x)
    np.place(y, X < 0, x[0])
    np.put_along_axis(y, np.argmax(x, 1)[:, None], x[:, :1] * 3, 1)
    z = y @ y.T
    np.fill_diagonal(z, x[0])
    np.add.at(y, ([0, 0, 1], [1, 1, 2]), x[0])
    np.subtract.at(y, 0, x[1])
    y.sort(axis=1)
    w = y.copy()
    w.partition(1)
    w.put([1], x[0, 0])
    y.flat[2:4] = x[1, :2]
    return [y, z, w, y.flat[1]]


def whole(x: Any) -> Any:
    y = np.ones_like(x)
    y[:] = x
    z = y[...]
    z[...] = z * z
    y[()] += 1
    return [y, z]


def scalar_arrays(x: Any) -> Any:
    s = np.sum(x * x).reshape(())
    t = s[...] if hasattr(s, "shape") else s
    s = s + 0
    s *= 2
    return [s, t * 1]


def iterated(x: Any) -> Any:
    y = x.copy()
    for row in y:
        row *= row[1]
        for k in range(3):
            row[k] += k * row[0]
    return y


def split(x: Any) -> Any:
    y = x.copy()
    a, b = np.split(y, 2)
    c = np.squeeze(b)
    c += np.expand_dims(a, 0)[0, 0]
    np.flip(y, 1)[0] = x[1]
    y.swapaxes(0, 1)[2] *= 2
    return [y, a, b, c]


def diagonals(x: Any) -> Any:
    y = x @ x.T
    d, r = np.diagonal(y), np.broadcast_to(y[0], (3, 2))
    y[0] *= 3
    return [y, d * 1, r * 1]


def layouts(x: Any) -> Any:
    y = (x.T * 1).T  # laid out by columns: reshape copies
    flat = y.reshape(-1)
    y[0] = 9
    z = (x.T + 0).T
    z[0, 0] = 4
    columns = z.T.reshape(-1)
    columns *= 2
    return [flat * 1, y, z]


PROGRAMS: dict[str, Callable[[Any], Any]] = {f.__name__: f for f in (
    recurrence, filled, operators, through_views, view_of_a_view, copies, masks, integers, outs, functions, whole, scalar_arrays,
    iterated, split, diagonals, layouts)}


def total(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def weighted(x: Any) -> Any:
        out = f(x)
        parts = out if isinstance(out, list) else [out]
        return sum(np.sum(np.cos(p + k) * np.arange(1.0, 1 + np.size(p)).reshape(np.shape(p))) for k, p in enumerate(parts))
    return weighted


@pytest.mark.parametrize("what", PROGRAMS)
def test_what_numpy_computes_and_its_derivatives(what: str) -> None:
    g = total(PROGRAMS[what])
    value, gradient = ad.value_and_grad(g)(X)
    np.testing.assert_allclose(value, g(X.copy()), rtol=1e-13)
    np.testing.assert_allclose(gradient, numerical(g, X), rtol=1e-6, atol=1e-7)
    v = W[::-1] - 0.2
    np.testing.assert_allclose(ad.jvp(g, (X,), (v,))[1], np.sum(gradient * v), rtol=1e-12)
    along = ad.hvp(g, (X,), (v,))[0]
    h = 1e-5
    np.testing.assert_allclose(along, (ad.grad(g)(X + h * v) - ad.grad(g)(X - h * v)) / (2 * h), rtol=1e-5, atol=1e-6)


def numerical(g: Callable[[Any], Any], x: np.ndarray, h: float = 1e-6) -> np.ndarray:
    out = np.zeros_like(x)
    for i in np.ndindex(*x.shape):
        e = np.zeros_like(x)
        e[i] = h
        out[i] = (g(x + e) - g(x - e)) / (2 * h)
    return out


def test_complex_parts_are_views() -> None:
    def f(x: Any) -> Any:
        z = x + 1j * x * x
        z.real += 3 * x[0]
        z.imag[1] = x[0, 1]
        z *= 1j
        return np.sum(np.abs(z) ** 2 * W)
    np.testing.assert_allclose(ad.grad(f)(X), numerical(f, X), rtol=1e-6)


def test_arguments_are_not_changed() -> None:
    x = X.copy()

    def f(y: Any) -> Any:
        y += 1
        y[0] = 0
        return np.sum(y * y)
    np.testing.assert_array_equal(ad.grad(f)(x), 2 * (x + 1) * [[0], [1]])
    np.testing.assert_array_equal(x, X)


def test_import_of_the_namespace_is_the_only_change() -> None:
    np_ = ad.numpy

    def f(x: Any) -> Any:
        y, z, m = np_.zeros((2, 3)), np_.array([1.0, 2.0, 3.0]), np_.eye(3)
        y[0] = x[1]
        z[1:] *= x[0, 1:]
        m[1] = z
        return np_.sum((y + z) @ m)
    np.testing.assert_allclose(ad.grad(f)(X), numerical(f, X), rtol=1e-6, atol=1e-9)
    assert type(np_.zeros(3)) is np.ndarray


def test_blank_arrays_are_arrays() -> None:
    def f(x: Any) -> Any:
        y = np.zeros_like(x)
        assert float(y[0, 0]) == 0 and y.tolist() == [[0, 0, 0], [0, 0, 0]] and not np.asarray(y).any()
        assert type(y + 1) is np.ndarray and np.linalg.matrix_rank(y) == 0
        y[0] = 5
        return np.sum(x * y) + ad.grad(lambda z: np.sum(z * z * x))(y)[0, 0]
    expected = np.array([[5.0, 5, 5], [0, 0, 0]])
    expected[0, 0] += 10
    np.testing.assert_array_equal(ad.grad(f)(X), expected)
    value = ad.value_and_grad(lambda x: (np.sum(x), np.ones_like(x)), has_aux=True)(X)[0][1]
    assert type(value) is np.ndarray and value.sum() == 6


def test_inner_functions_see_outer_arrays() -> None:
    def f(x: Any) -> Any:
        y = x.copy()

        def inner(t: Any) -> Any:
            z = y * t
            z[0] = t * t * y[1]
            return np.sum(z)

        slope = ad.grad(inner)(2.0)
        y[0] *= 3  # after the inner function has kept it
        return slope * np.sum(y)
    np.testing.assert_allclose(ad.grad(f)(X), numerical(f, X), rtol=1e-6)


def test_what_leaks_is_told() -> None:
    def f(x: Any) -> Any:
        y = x.copy()

        def inner(t: Any) -> Any:
            y[0] = t
            return t * 1.0
        return ad.grad(inner)(1.0) * np.sum(y)
    with pytest.raises((LeakedTraceError, PlanError)):
        ad.grad(f)(X)


WRONG: dict[str, tuple[Callable[[Any], Any], str]] = {
    "shape of a value": (lambda x: x.__setitem__(0, np.ones(2)), "broadcasts to"),
    "shape of a sum": (lambda x: x[0].__iadd__(x), "does not fit"),
    "complex into real": (lambda x: x.__setitem__(0, 1j), "real values"),
    "complex into real, in place": (lambda x: x.__iadd__(1j), "same_kind"),
    "read-only": (lambda x: np.broadcast_to(x[0], (2, 3)).__setitem__(0, 1.0), "read-only"),
    "diagonal": (lambda x: np.diagonal(x).fill(0), "read-only"),
    "out of another shape": (lambda x: np.add(x, 1, out=np.zeros_like(x[0])), "expected out="),
    "out of integers": (lambda x: np.add(x, 1, out=np.zeros(x.shape, int)), "under differentiation|of the plan"),
    "index out of range": (lambda x: x.__setitem__(7, 1.0), "out of bounds"),
    "mode of put": (lambda x: np.put(x, [0], 1, "no"), "mode"),
    "where without out": (lambda x: np.exp(x, where=x > 0), "undefined"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_written(what: str) -> None:
    f, message = WRONG[what]
    with pytest.raises((TypeError, ValueError, IndexError), match=message):
        ad.vjp(lambda x: [f(x * 1.0), x * 1][1], X)


# ---- random programs of views and writes

def program(seed: int, length: int) -> Callable[[Any], list[Any]]:
    """Views of views, and writes to some of them, the same for NumPy's arrays and for traced ones."""
    def run(x: Any) -> list[Any]:
        rng = np.random.default_rng(seed)
        known = [x * 1.0 if seed % 2 else (x.T * 1.0).T]
        for _ in range(length):
            a, b = known[rng.integers(len(known))], known[rng.integers(len(known))]
            step(rng, a, b, known)
        return known
    return run


def step(rng: np.random.Generator, a: Any, b: Any, known: list[Any]) -> None:
    kind = rng.integers(10)
    i = int(rng.integers(a.shape[0])) if a.ndim else 0
    value = np.sin(np.mean(b) + 0.5)
    if kind < 4 and len(known) < 9 and a.ndim:
        known.append([lambda: a[i:], lambda: a.T, lambda: a.reshape(-1), lambda: a[..., ::-1], lambda: a[None, i],
                      lambda: np.moveaxis(a, 0, -1), lambda: a.ravel()[: a.size // 2 + 1], lambda: a * 1][rng.integers(8)]())
    elif kind < 6 and a.ndim:
        a[i] = value
    elif kind == 6 and a.ndim:
        a[..., -1] *= value
    elif kind == 7:
        a += value
    elif kind == 8 and a.ndim:
        a[[i, 0]] -= value
    elif kind == 9:
        np.cos(a, out=a)


@pytest.mark.parametrize("seed", range(60))
def test_random_aliasing(seed: int) -> None:
    f = program(seed, 14)
    expected = f(X.copy())
    out = ad.vjp(f, X)[0]
    for a, b in zip(out, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    g = total(f)
    np.testing.assert_allclose(ad.grad(g)(X), numerical(g, X), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("what", {
    "pad": lambda x: np.pad(x, 1, mode="edge"), "sort": lambda x: np.sort(x, 0), "roll": lambda x: np.roll(x, 1),
    "insert": lambda x: np.insert(x, 1, 2.0, axis=0), "take": lambda x: np.take(x, [1, 0], axis=1),
    "copy": lambda x: x.copy(), "copy like": lambda x: np.copy(x), "columns": lambda x: x.copy("F"),
    "select": lambda x: np.select([X.reshape(x.shape) > 1], [x]), "repeat": lambda x: np.repeat(x, 2, 1)}.items(),
    ids=lambda item: item[0])
@pytest.mark.parametrize("turned", [False, True])
def test_results_are_laid_out_as_numpys(what: Any, turned: bool) -> None:
    """Whether a reshape is a view depends on the layout: what is written to it must reach the array, or must not."""
    def f(x: Any) -> Any:
        y = what[1]((x * 1).T if turned else x * 1)
        y.reshape(-1)[1] = 9
        return y * 1
    np.testing.assert_array_equal(ad.vjp(f, X)[0], f(X.copy()))
