"""check_grads: derivatives against differences of the function, and forward against reverse mode."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import optree

from gpuad.leaves import as_leaf, leaf_path
from gpuad.transforms import jvp, vjp
from linalg.arrays import Array, namespace, to_host

Function = Callable[..., Any]

TOLERANCE = {2: 2e-1, 4: 5e-3, 8: 1e-6}
"""By bytes of a real number: the error that is allowed, relative to the derivative's size and absolute."""


MODES = {"fwd": "forward mode", "rev": "reverse mode"}


class _Settings(NamedTuple):
    modes: tuple[str, ...]
    atol: float | None
    rtol: float | None
    eps: float | None
    random: np.random.Generator


def one_sided_difference(f: Function, primals: Sequence[Any], tangents: Sequence[Any], h: float = 1e-4) -> Any:
    """(f(x + h t) − f(x)) / h, the derivative along t with an error of O(h). Primals and tangents as for ``jvp``."""
    return _quotient(f(*_moved(primals, tangents, h)), f(*primals), h)


def two_sided_difference(f: Function, primals: Sequence[Any], tangents: Sequence[Any], h: float = 1e-4) -> Any:
    """(f(x + h t) − f(x − h t)) / 2h, the derivative along t with an error of O(h²). Primals and tangents as for ``jvp``.

    >>> two_sided_difference(lambda x: x * x, (3.0,), (1.0,))
    6.000000000...
    """
    return _quotient(f(*_moved(primals, tangents, h)), f(*_moved(primals, tangents, -h)), 2 * h)


def _moved(primals: Any, tangents: Any, h: float) -> Any:
    return optree.tree_map(lambda x, t: x + h * t, tuple(primals), tuple(tangents))  # type: ignore[arg-type]


def _quotient(above: Any, below: Any, h: float) -> Any:
    return optree.tree_map(lambda a, b: (a - b) / h, above, below)


def check_grads(f: Function, args: Sequence[Any], order: int = 2, modes: Sequence[str] = ("fwd", "rev"),
                atol: float | None = None, rtol: float | None = None, eps: float | None = None) -> None:
    """Check the derivatives of f at args, up to the given order.

    For each leaf of the arguments in turn, along a random tangent t in that leaf and for a random cotangent u:

        forward      J t against (f(x + εt) − f(x − εt)) / 2ε
        reverse      ⟨Jᴴu, t⟩ against ⟨u, (f(x + εt) − f(x − εt)) / 2ε⟩
        each other   ⟨Jᴴu, t⟩ against ⟨u, J t⟩, to rounding

    with ⟨u, v⟩ = Re Σ ūv; then the same for the functions x ↦ J t and x ↦ Jᴴu, down to order 1. ``args`` is a tuple with one
    pytree of floating-point or complex arrays or numbers for each argument. The step ε (relative to the largest entry of a
    leaf, where that is above 1) and the tolerances follow from the dtype where they are not given.

    Raises AssertionError that says the mode, the order, the leaf, what was expected and what came.

    >>> check_grads(np.tanh, (np.linspace(-1, 1, 5),))
    """
    if not isinstance(args, (tuple, list)):
        raise TypeError(f"check_grads expected args as a tuple with one entry for each argument, got {type(args).__name__}")
    if isinstance(modes, str) or not modes or not set(modes) <= set(MODES):
        raise ValueError(f"check_grads expected modes as a tuple of 'fwd' and 'rev', got {modes!r}")
    everything: Any = tuple(args)
    leaves, tree = optree.tree_flatten(everything)
    values = [as_leaf(x, f"check_grads: args{leaf_path(everything, i)}").value for i, x in enumerate(leaves)]
    settings = _Settings(tuple(modes), atol, rtol, eps, np.random.default_rng(0))
    _check(f, tree.unflatten(values), order, settings, ())


def _check(f: Function, args: Any, order: int, settings: _Settings, history: tuple[str, ...]) -> None:
    """One order of the check, then those of the derivative functions. ``history`` says which derivative f is, last mode first."""
    for place, tangents, numerical in _differences(f, args, settings):
        u = _random_like(numerical, settings.random)
        forward = backward = None
        if "fwd" in settings.modes:
            forward = jvp(f, args, tangents)[1]
            _compare_arrays(forward, numerical, settings, f"{_name('fwd', *history)}, along {place}")
        if "rev" in settings.modes:
            pulled = vjp(f, *args)[1](u)
            _check_structure(pulled, args, _name("rev", *history))
            backward = _inner(pulled, tangents)
            _compare_products(backward, u, numerical, settings, f"{_name('rev', *history)}, for {place}")
        if forward is not None and backward is not None:
            tight = settings._replace(atol=_rounding(args, numerical), rtol=_rounding(args, numerical))
            _compare_products(backward, u, forward, tight, f"{_name('rev', *history)} against forward mode, for {place}")
    if order > 1:
        _check_derivatives(f, args, order, settings, history)


def _name(*modes: str) -> str:
    return f"order {len(modes)}, " + " of ".join(MODES[mode] for mode in modes)


def _check_derivatives(f: Function, args: Any, order: int, settings: _Settings, history: tuple[str, ...]) -> None:
    t = _random_like(args, settings.random)
    if "fwd" in settings.modes:
        _check(lambda *x: jvp(f, x, t)[1], args, order - 1, settings, ("fwd", *history))
    if "rev" in settings.modes:
        u = _random_like(f(*args), settings.random)
        _check(lambda *x: vjp(f, *x)[1](u), args, order - 1, settings, ("rev", *history))


def _differences(f: Function, args: Any, settings: _Settings) -> Iterator[tuple[str, Any, Any]]:
    """For each leaf: its name, a tangent that is random in it and zero elsewhere, and the two-sided difference along that."""
    leaves, tree = optree.tree_flatten(args)
    for i, x in enumerate(leaves):
        h = _step(x, settings)
        t = _random_like(x, settings.random)
        above, below = x + h * t, x - h * t
        sides = [tree.unflatten([*leaves[:i], side, *leaves[i + 1:]]) for side in (above, below)]
        tangents = [(above - below) / (2 * h) if j == i else 0 * y for j, y in enumerate(leaves)]
        yield f"argument {leaf_path(args, i)}", tree.unflatten(tangents), _quotient(f(*sides[0]), f(*sides[1]), 2 * h)


def _step(x: Any, settings: _Settings) -> float:
    size = float(abs(x).max()) if x.size else 1.0
    return max(1.0, size) * (float(np.finfo(x.dtype).eps) ** (1 / 3) if settings.eps is None else settings.eps)


def _random_like(tree: Any, random: np.random.Generator) -> Any:
    """Normally distributed numbers in the shapes and dtypes of a pytree, on its devices."""
    def leaf(x: Any) -> Any:
        dtype = np.result_type(x)
        values = random.normal(size=np.shape(x))
        if dtype.kind == "c":
            values = values + 1j * random.normal(size=np.shape(x))
        return namespace(x).asarray(values, dtype=dtype)[()]

    return optree.tree_map(leaf, tree)


# ---- comparing

def _inner(u: Any, v: Any) -> float:
    """⟨u, v⟩ = Re Σ ūv, in double precision on the host."""
    return sum(_dot(a, b) for a, b in zip(optree.tree_leaves(u), optree.tree_leaves(v), strict=True))


def _dot(a: Any, b: Any) -> float:
    return float(np.vdot(_double(a), _double(b)).real)


def _double(x: Any) -> np.ndarray:
    x = np.asarray(to_host(x))
    return x.astype(complex if x.dtype.kind == "c" else float)


def _tolerances(values: Any, settings: _Settings) -> tuple[float, float]:
    by_dtype = max((TOLERANCE.get(_real_bytes(x), 1e-6) for x in optree.tree_leaves(values)), default=1e-6)
    return (by_dtype if settings.atol is None else settings.atol), (by_dtype if settings.rtol is None else settings.rtol)


def _real_bytes(x: Any) -> int:
    return np.finfo(np.result_type(x)).dtype.itemsize


def _rounding(*values: Any) -> float:
    leaves: list[Any] = optree.tree_leaves(values)  # type: ignore[arg-type]
    return 1e4 * max((float(np.finfo(np.result_type(x)).eps) for x in leaves), default=0.0)


def _compare_arrays(got: Any, expected: Any, settings: _Settings, what: str) -> None:
    """Each output leaf, within atol + rtol max |expected|."""
    _check_structure(got, expected, what)
    atol, rtol = _tolerances(expected, settings)
    for i, (g, e) in enumerate(zip(optree.tree_leaves(got), optree.tree_leaves(expected), strict=True)):
        g, e = _double(g), _double(e)
        bound = atol + rtol * float(np.abs(e).max(initial=0))
        if not np.all(np.abs(g - e) <= bound):
            raise AssertionError(f"check_grads: {what}, output{leaf_path(expected, i)}: expected {_shown(e)} by differences, got "
                                 f"{_shown(g)}; the largest difference is {np.abs(g - e).max():.3g}, the tolerance {bound:.3g}")


def _compare_products(got: float, u: Any, direction: Any, settings: _Settings, what: str) -> None:
    """⟨Jᴴu, t⟩ against ⟨u, direction⟩, within atol + rtol Σ |u| |direction|."""
    expected = _inner(u, direction)
    size = sum(_dot(abs(a), abs(b)) for a, b in zip(optree.tree_leaves(u), optree.tree_leaves(direction), strict=True))
    atol, rtol = _tolerances(direction, settings)
    bound = atol + rtol * size
    if not abs(got - expected) <= bound:
        raise AssertionError(f"check_grads: {what}: expected ⟨cotangent, J tangent⟩ = {expected:.10g}, got {got:.10g}; the "
                             f"difference is {abs(got - expected):.3g}, the tolerance {bound:.3g}")


def _check_structure(got: Any, expected: Any, what: str) -> None:
    for part, name in ((optree.tree_structure, "structure"), (_shapes, "shapes")):
        if part(got) != part(expected):
            raise AssertionError(f"check_grads: {what}: expected the {name} {part(expected)}, got {part(got)}")


def _shapes(tree: Any) -> list[tuple[int, ...]]:
    return [np.shape(x) for x in optree.tree_leaves(tree)]


def _shown(x: Array) -> str:
    return np.array2string(x, precision=8, threshold=12, edgeitems=3).replace("\n", "")
