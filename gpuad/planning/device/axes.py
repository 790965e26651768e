"""Which axes of a view are which of the array that it shows."""
from __future__ import annotations

import math

from gpuad.planning import functions
from gpuad.planning.program import Row
from gpuad.planning.storage import is_view
from linalg.arrays import Shape

Groups = list[tuple[tuple[int, ...], tuple[int, ...]]]


class Conflict(Exception):
    """A value would have to lie in two places."""


def moves_axes(row: Row) -> bool:
    """Whether a row is a view, which between rows of a kernel costs nothing where it shows all entries of what it reads."""
    return is_view(row) and row.function not in (functions.real, functions.imaginary)


def moves(shape: Shape, row: Row) -> Groups:
    """(axes of the view, axes of what it shows, an array of a shape) that run over the same entries.

    Raises Conflict where the view does not show all of them.
    """
    f, out = row.function, row.out.shape
    if f is functions.transpose:
        return [((a,), (b,)) for a, b in enumerate(row.args[1])]
    if f is functions.broadcast:
        off = len(out) - len(shape)
        return [((a + off,), (a,)) for a, n in enumerate(shape) if n == out[a + off] and n > 1]
    if f is functions.getitem and (math.prod(out) != math.prod(shape) or not all(p is None or p is Ellipsis or type(p) is int
                                                                                  or p == slice(None) for p in row.args[1])):
        raise Conflict
    return _regrouped(out, shape)


def _regrouped(a: Shape, b: Shape) -> Groups:
    """The smallest groups of axes of two shapes that have equally many entries."""
    groups: Groups = []
    i = j = 0
    xs, ys = [k for k, n in enumerate(a) if n != 1], [k for k, n in enumerate(b) if n != 1]
    while i < len(xs) and j < len(ys):
        m, n, first, second = a[xs[i]], b[ys[j]], [xs[i]], [ys[j]]
        while m != n:
            if m < n:
                i += 1
                first.append(xs[i])
                m *= a[xs[i]]
            else:
                j += 1
                second.append(ys[j])
                n *= b[ys[j]]
        groups.append((tuple(first), tuple(second)))
        i, j = i + 1, j + 1
    return groups
