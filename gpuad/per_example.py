"""Gradients of each example of a batch, and their norms, from one back substitution for the whole batch.

The losses of the examples, ℓ_0, …, ℓ_{B−1}, are B results of one program. Their gradients are B right-hand sides of its system,
and most of what lies between the losses and the parameters belongs to one example: there B right-hand sides are one (see
``linalg.disjoint``). They part where a parameter is read. There the block of D for a product Y = X W is X from the left, so
the gradient of example i is X_iᵀ δ_i, its rows of X and of what the substitution has brought to Y. For its norm it need not be
formed.

(Goodfellow, Efficient per-example gradient computations, 2015; of sums over positions: Li et al., Large language models can be
strong differentially private learners, 2022, section 4.)
"""
from __future__ import annotations

from collections.abc import Sequence
from functools import wraps
from typing import Any

import numpy as np
import optree

from gpuad.leaves import conj, own_all, recorded, zeros
from gpuad.program import Row
from gpuad.system import Blocks, System
from gpuad.trace import Argnums, Function, Trace, numbers_of, positions_of, require_callable
from gpuad.traced import raw
from linalg import back_substitute
from linalg.arrays import Array, is_array, namespace, records
from linalg.disjoint import Disjoint, Grouped, Sides, ValuesNeededError

Axes = int | None | Sequence[int | None]


def per_example_grads(f: Function, argnums: Argnums = 0, in_axes: Axes = 0) -> Function:
    """The function (params, *data) ↦ gradients of the loss of each example, with the examples as leading axis.

    ``f(params, *data)`` gives the losses of a batch: an array of shape (B,), real, without the sum or mean over the batch. The
    gradients have the structure of the parameters (the arguments ``argnums``), and leaves of shape (B, *leaf). They are the
    Jacobian of f by one back substitution, whose work is that of one gradient as long as examples do not mix, and that of forming
    the results.

    ``in_axes`` says which axis of the other arguments counts the examples: one number for all leaves of all arguments, or one for
    each argument of f (at ``argnums`` it does not matter), None for what examples share. Such arguments are passed by position.
    Those of floating-point numbers are followed, and TypeError is raised where the loss of one example depends on the data of
    another, as through the statistics of a batch: then there is no loss of one example. Data that f closes over are not looked
    at, and what is followed must have differentials (apply f to ``ad.stop_gradient(x)`` where it has none).

    >>> losses = lambda w, x, y: (x @ w - y) ** 2 / 2
    >>> per_example_grads(losses)(np.array([1.0, 2.0]), np.eye(2), np.array([0.0, 5.0]))
    array([[ 1.,  0.],
           [ 0., -3.]])
    """
    return _transform(f, argnums, in_axes, "per_example_grads", _gradients)


def per_example_norms(f: Function, argnums: Argnums = 0, in_axes: Axes = 0, by_leaf: bool = False) -> Function:
    """The function (params, *data) ↦ Euclidean norms of the gradients of the loss of each example, an array (B,).

    Arguments are those of :func:`per_example_grads`. The norm is that of all parameters together, or with ``by_leaf`` one for
    each leaf of the parameters, in their structure. The gradients themselves are not formed where parameters are multiplied by
    matrices (matmul, einsum with two operands, and reshapes and transposes of the parameter), looked up in a table by
    ``table[integers]``, or broadcast, however often one is read: of a layer Y = X W with k rows for each example it takes
    Σ_kl (x_k · x_l)(δ_k · δ_l), for one row |x|² |δ|². Other parameters' gradients are formed, B times the parameter.

    >>> losses = lambda w, x, y: (x @ w - y) ** 2 / 2
    >>> per_example_norms(losses)(np.array([1.0, 2.0]), np.eye(2), np.array([0.0, 5.0]))
    array([1., 3.])
    """
    return _transform(f, argnums, in_axes, "per_example_norms", _norms_by_leaf if by_leaf else _norms)


def _transform(f: Function, argnums: Argnums, in_axes: Axes, name: str, finish: Function) -> Function:
    require_callable(f, name)
    argnums, many = numbers_of(argnums)

    @wraps(f)
    def of_each_example(*args: Any, **kwargs: Any) -> Any:
        positions = positions_of(argnums, len(args), name)
        batch = _Batch(args, positions, in_axes, name)
        trace = Trace(batch.rejoined(f), [*args, batch.traced], kwargs, [*positions, len(args)], name)
        losses, system = trace.system(name)
        n = batch.size_of(losses)
        sides = _solve(system, n, len(trace.leaves) - len(batch.traced))
        batch.require_apart(sides[len(sides) - len(batch.traced):])
        trace.trees.pop()
        leaves = trace.leaves[: len(trace.leaves) - len(batch.traced)]
        return finish(sides[: len(leaves)], [leaf.value for leaf in leaves], n, lambda x: trace.unflatten(x, many))

    return of_each_example


# ---- the batch

class _Batch:
    """The arguments that hold one entry for each example: their leaves, and those that are traced."""

    def __init__(self, args: Sequence[Any], positions: Sequence[int], in_axes: Axes, name: str):
        self.name = name
        self.trees: dict[int, tuple[list[Any], optree.PyTreeSpec]] = {}
        self.traced: list[Any] = []
        self.axes: list[int] = []
        sizes = set()
        for position, axis in enumerate(_axes(in_axes, len(args), name)):
            if axis is None or position in positions:
                continue
            leaves, tree = optree.tree_flatten(args[position])
            self.trees[position] = leaves, tree
            for leaf in leaves:
                sizes.add(_length(leaf, axis, position, name))
                if leaf.dtype.kind in "fc":
                    self.traced.append(leaf)
                    self.axes.append(axis % leaf.ndim)
        if len(sizes) > 1:
            raise ValueError(f"{name}: expected the same number of examples in all data, got {sorted(sizes)}; say with in_axes "
                             "which axis counts the examples, and None for arguments that they share")
        self.size = next(iter(sizes), None)

    def rejoined(self, f: Function) -> Function:
        """f, with the traced leaves as one more argument at the end."""
        def call(*args: Any, **kwargs: Any) -> Any:
            *args, traced = args  # type: ignore[assignment]
            given = iter(traced)
            for position, (leaves, tree) in self.trees.items():
                whole = [next(given) if leaf.dtype.kind in "fc" else leaf for leaf in leaves]
                args[position] = optree.tree_unflatten(tree, whole)  # type: ignore[index]
            return f(*args, **kwargs)

        return call

    def size_of(self, losses: Any) -> int:
        """B, the number of losses."""
        shape = np.shape(losses) if is_array(losses) else None
        expected = "(B,)" if self.size is None else f"({self.size},)"
        if shape is None or len(shape) != 1 or self.size not in (None, shape[0]) or losses.dtype.kind not in "f":
            got = type(losses).__name__ if shape is None else f"shape {shape} and dtype {losses.dtype}"
            raise TypeError(f"{self.name}: expected the function to return the losses of the examples, a real array of shape "
                            f"{expected}, got {got}; leave out the sum or mean over the batch")
        return shape[0]

    def require_apart(self, sides: list[Sides | None]) -> None:
        """Raise where an entry of the data has an effect on the loss of another example than its own."""
        for side, leaf, axis in zip(sides, self.traced, self.axes, strict=True):
            if side is None:
                continue
            at = np.arange(self.size or 0).reshape((-1,) + (1,) * (leaf.ndim - 1 - axis))
            if isinstance(side, Disjoint):
                _require_own(bool(((side.owner >= 0) & (side.owner != at)).any()), self.name)
                continue
            meets = abs(raw(side.stacked())) > 0  # not where it is NaN
            xp, mine = namespace(meets), np.arange(side.n).reshape((-1,) + (1,) * leaf.ndim) == at
            mixes = (meets & xp.asarray(~mine)).any()
            if records(mixes):
                mixes._record(_require_own, mixes, self.name, ordered=True)
            else:
                _require_own(bool(mixes), self.name)


def _require_own(mixes: Any, name: str) -> None:
    if mixes:
        raise TypeError(f"{name}: expected losses that depend on the data of their own example only, got a program that mixes "
                        "examples (a mean, sum, normalisation or product over the batch, or an axis in another place than "
                        "in_axes says): then there is no gradient of one example. Pass what examples share with in_axes None, or "
                        "use jacobian")


def _axes(in_axes: Axes, n: int, name: str) -> Sequence[int | None]:
    axes: Sequence[Any] = in_axes if isinstance(in_axes, (tuple, list)) else (in_axes,) * n
    if len(axes) != n or not all(a is None or (isinstance(a, (int, np.integer)) and not isinstance(a, bool)) for a in axes):
        raise ValueError(f"{name}: expected in_axes as an integer or None, or a tuple with one for each of the {n} arguments, "
                         f"got {in_axes!r}")
    return axes


def _length(leaf: Any, axis: int, position: int, name: str) -> int:
    if not is_array(leaf) or not -leaf.ndim <= axis < leaf.ndim:
        got = f"an array of shape {leaf.shape}" if is_array(leaf) else f"{type(leaf).__name__} {leaf!r}"
        raise ValueError(f"{name}: expected an array whose axis {axis} counts the examples in argument {position}, got {got}; "
                         "give in_axes, with None for what examples share")
    return leaf.shape[axis]


# ---- the solve

class _GroupedBlocks(Blocks):
    """The blocks of a program, whose columns of data alone are followed without values where ``with_values`` has False."""

    def __init__(self, rows: list[Row], with_values: list[bool]):
        super().__init__(rows)
        self._with_values = with_values

    def __getitem__(self, i: int) -> Any:  # type: ignore[override]
        return [(j, Grouped(element, self._with_values[j])) for j, element in super().__getitem__(i)]


def _solve(system: System, n: int, n_params: int) -> list[Sides | None]:
    """The sides of all inputs: parameters, then data."""
    rows, k = system.rows, system.n_inputs
    of_params = [i < n_params for i in range(k)]
    for row in rows[k:]:
        of_params.append(any(j >= 0 and of_params[j] for j in row.parents))
    ones = recorded(namespace(raw(system.outputs[0])).ones(n, dtype=system.outputs[0].dtype), system.outputs[0])
    e: list[Any] = [None] * (len(rows) - 1) + [Disjoint(ones, np.arange(n), n)]
    try:
        return back_substitute(_GroupedBlocks(rows, of_params), e, k, k)
    except ValuesNeededError:  # of the data's own rows too
        return back_substitute(_GroupedBlocks(rows, [True] * len(rows)), e, k, k)


def _gradients(sides: list[Sides | None], params: list[Array], n: int, unflatten: Function) -> Any:
    stacks = [zeros(x, (n,)) if side is None else _as(conj(side.stacked()), x) for side, x in zip(sides, params, strict=True)]
    return unflatten(own_all(stacks, ()))


def _as(x: Array, like: Array) -> Array:
    return x if x.dtype == like.dtype else x.astype(like.dtype)


def _norms(sides: list[Sides | None], params: list[Array], n: int, _unflatten: Function) -> Any:
    squares = _squares(sides, params, n)
    total = squares[0]
    for other in squares[1:]:
        total = total + other
    return namespace(total).sqrt(total)


def _norms_by_leaf(sides: list[Sides | None], params: list[Array], n: int, unflatten: Function) -> Any:
    return unflatten([namespace(x).sqrt(x) for x in _squares(sides, params, n)])


def _squares(sides: list[Sides | None], params: list[Array], n: int) -> list[Array]:
    return [zeros(x.real.sum(), (n,)) if side is None else side.squares() for side, x in zip(sides, params, strict=True)]


__all__ = ["per_example_grads", "per_example_norms"]
