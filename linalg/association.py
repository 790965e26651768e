"""The order in which a chain of matrices is multiplied: the results are equal, the costs are not.

A(BC) costs npq + mnq multiplications and (AB)C costs mnp + mpq, for A of shape (m, n), B (n, p), C (p, q). Forward and reverse
mode of automatic differentiation are this same choice (Strang, MIT 18.065 lecture 27).

An order is a tuple of positions: each step multiplies the matrices at positions k and k + 1 of those that remain, which
eliminates the inner dimension between them. For three matrices (1, 0) is A(BC), and (0, 0) is (AB)C.
"""
from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

Order = tuple[int, ...]

MAX_EXACT = 64
"""Longer chains take the cheaper of the two one-sided orders: finding the cheapest of all takes time cubic in the length."""


def multiplication_count(shapes: Sequence[tuple[int, int]], order: Order) -> int:
    """Multiplications that the product of matrices of these shapes costs in this order.

    Raises ValueError where the shapes do not chain, or where the order does not reduce them to one matrix.
    """
    lengths = _lengths(shapes)
    if len(order) != len(shapes) - 1:
        raise ValueError(f"multiplication_count expected {len(shapes) - 1} steps for {len(shapes)} matrices, got {order}")
    count = 0
    for k in order:
        if not 0 <= k < len(lengths) - 2:
            raise ValueError(f"multiplication_count expected positions of neighbours that remain, got {k} in {order}")
        count += lengths[k] * lengths[k + 1] * lengths[k + 2]
        del lengths[k + 1]
    return count


def left_to_right(n: int) -> Order:
    """((AB)C)D …: the order of reverse mode, where the outputs stand on the left."""
    return (0,) * (n - 1)


def right_to_left(n: int) -> Order:
    """A(B(CD)) …: the order of forward mode, where the inputs stand on the right."""
    return tuple(range(n - 2, -1, -1))


def cheapest_order(shapes: Sequence[tuple[int, int]]) -> Order:
    """The order with the fewest multiplications, by dynamic programming over sub-chains (Cormen et al., section 14.2).

    Of equally cheap orders it is the one that starts furthest to the right.
    """
    lengths, n = _lengths(shapes), len(shapes)
    if n > MAX_EXACT:
        return min(right_to_left(n), left_to_right(n), key=lambda order: multiplication_count(shapes, order))
    return _steps(_splits(lengths, n), n)


def _splits(lengths: list[int], n: int) -> dict[tuple[int, int], int]:
    """Where each sub-chain i … j is best divided: into i … k and k + 1 … j."""
    cost = {(i, i): 0 for i in range(n)}
    split = {}
    for width in range(1, n):
        for i in range(n - width):
            j = i + width
            ways = [(cost[i, k] + cost[k + 1, j] + lengths[i] * lengths[k + 1] * lengths[j + 1], k) for k in range(i, j)]
            cost[i, j], split[i, j] = min(ways)
    return split


def _steps(split: dict[tuple[int, int], int], n: int) -> Order:
    """The order that the divisions stand for: both parts of a sub-chain, left part first, then their product."""
    steps, stack = [], [(0, n - 1, 0)]  # a sub-chain, and how many matrices remain to its left
    while stack:
        i, j, position = stack.pop()
        if i < j:
            k = split[i, j]
            steps.append(position)
            stack += [(i, k, position), (k + 1, j, position + 1)]
    return tuple(reversed(steps))


def parenthesize(order: Order, names: Sequence[str]) -> str:
    """The order as it is written: ``parenthesize((1, 0), "ABC")`` is ``A(BC)``."""
    terms = list(names)
    for k in order:
        terms[k: k + 2] = [f"({terms[k]}{terms[k + 1]})"]
    return terms[0][1:-1] if order else terms[0]


def multiply_chain(matrices: Sequence[Any], order: Order | None = None) -> Any:
    """The product of matrices (dense or sparse), in the cheapest order by their shapes, or in the given one."""
    rest = list(matrices)
    for k in cheapest_order([m.shape for m in rest]) if order is None else order:
        rest[k: k + 2] = [rest[k] @ rest[k + 1]]
    return rest[0]


def _lengths(shapes: Sequence[tuple[int, int]]) -> list[int]:
    if not shapes or any(a[1] != b[0] for a, b in pairwise(shapes)):
        raise ValueError(f"expected shapes of matrices that multiply, (m, n), (n, p), …, got {list(shapes)}")
    return [shapes[0][0], *(s[1] for s in shapes)]
