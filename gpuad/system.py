"""System: a traced program as (I − L) dx = D dP, and the substitutions that solve it."""
from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import optree

from gpuad.differential import Block, linear
from gpuad.errors import LeakedTraceError, explaining_memory
from gpuad.leaves import Leaf, conj, hand_out, own_all, recorded, zeros
from gpuad.program import Row, Rows
from gpuad.traced import STAND_INS, TracedArray, is_scalar, raw, underlying
from linalg import BlockMatrix, Identity, UnitTriangular, back_substitute, forward_substitute
from linalg.arrays import Array, is_array, is_cupy, namespace, sparse_module


class Blocks(Sequence[list[Block]]):
    """The block rows [D L] of a program, made from its rows when they are asked for. Columns are variables, inputs first."""

    def __init__(self, rows: Rows):
        self._rows: Any = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, i: int) -> list[Block]:  # type: ignore[override]
        row = self._rows[i]
        return row.primitive.blocks(row, self._rows) if row.primitive is not None else []


class ConsumedBlocks(Blocks):
    """Block rows that are read once each: what a row has kept is let go with it."""

    def __init__(self, rows: dict[int, Row]):
        super().__init__(rows)

    def __getitem__(self, i: int) -> list[Block]:  # type: ignore[override]
        rows = self._rows
        try:
            row = rows.pop(i)
            return row.primitive.blocks(row, rows)  # type: ignore[union-attr]
        except KeyError as error:
            if isinstance(error.args[0], int) and error.args[0] not in rows:
                raise lost() from error
            raise


def lost() -> LeakedTraceError:
    """The error where a row was folded away by a checkpoint."""
    return LeakedTraceError("an operation on what a function under ad.checkpoint made, or wrote to, without returning it")


def renumbered(rows: dict[int, Row], outputs: Sequence[int | None],
               inputs: Sequence[int] = ()) -> tuple[list[Row], list[int | None]]:
    """Rows by number as a list of rows, after ``inputs`` that they may read too, and the outputs' places in it.

    Rows that read what a checkpoint has folded away are left out. Raises LeakedTraceError where an output is one.
    """
    order = sorted(rows)
    if not inputs and order[-1:] in ([], [len(order) - 1]):
        return [rows[i] for i in order], list(outputs)
    place = {-1: -1} | {j: k for k, j in enumerate(inputs)}
    moved: list[Row] = []
    for i in order:
        parents = [place.get(j) for j in rows[i].parents]
        if None not in parents:
            place[i] = len(inputs) + len(moved)
            moved.append(rows[i]._replace(parents=parents))  # type: ignore[arg-type]
    if any(i is not None and i not in place for i in outputs):
        raise lost()
    return moved, [None if i is None else place[i] for i in outputs]


class System:
    """(I − L) dx = D dP for a traced function: its differential at one point, ready to be solved any number of times.

    Rows are the operations of the program in order, the differentiated outputs last; columns of D are the leaves of the primals
    in pytree order. L is strictly block lower triangular.
    """

    def __init__(self, rows: list[Row], primals: list[Leaf], in_tree: optree.PyTreeSpec, outputs: list[tuple[int | None, Any]],
                 out_tree: optree.PyTreeSpec):
        self.in_tree, self.out_tree, self.primals = in_tree, out_tree, primals
        self.n_inputs = len(primals)
        self.outputs = [value for _, value in outputs]
        self.rows = outputs_last(rows, self.n_inputs, outputs)

    # ---- the matrices

    @cached_property
    def _blocks(self) -> list[list[Block]]:
        return list(Blocks(self.rows))

    @cached_property
    def matrix(self) -> BlockMatrix:
        """[0 0; D L]: every variable a row and a column, inputs first."""
        shapes = [row.shape for row in self.rows]
        return BlockMatrix(self._blocks, shapes, shapes)

    @cached_property
    def L(self) -> BlockMatrix:
        """Strictly block lower triangular: how each row depends on earlier rows."""
        n, k = len(self.rows), self.n_inputs
        return self.matrix.submatrix(range(k, n), range(k, n))

    @cached_property
    def D(self) -> BlockMatrix:
        """How each row depends on the primals."""
        n, k = len(self.rows), self.n_inputs
        return self.matrix.submatrix(range(k, n), range(k))

    @property
    def I_minus_L(self) -> UnitTriangular:
        """I − L, which ``linalg.solve`` solves by substitution."""
        return UnitTriangular(self.L)

    def to_sparse(self) -> tuple[Any, Any]:
        """(I − L, D) as CSR matrices, on the device that holds the arrays.

        Rows are the program's rows in order, each raveled in C order, the differentiated output last; columns of D are the
        primals' leaves in pytree order.
        """
        like = raw(self.outputs[0]) if self.outputs else None
        dtype = np.result_type(np.float32, *{row.dtype for row in self.rows})
        low = self.L.to_sparse(like, dtype)
        identity = sparse_module(low).identity(low.shape[0], dtype=low.dtype, format="csr")
        return (identity - low).tocsr(), self.D.to_sparse(like, dtype)

    # ---- the substitutions

    @cached_property
    def _home(self) -> Array | None:
        """An array that lies where the program runs, and with it the derivatives of numbers: on the device, if anything does."""
        arrays = [raw(v) for v in (*self.outputs, *(leaf.value for leaf in self.primals))]
        return next((v for v in arrays if is_cupy(underlying(v))), None)

    @explaining_memory("pushforward")
    def pushforward(self, *tangents: Any) -> Any:
        """dx = (I − L) \\ (D dP), by forward substitution: the tangent of the output.

        One tangent for each primal, of its structure and shapes; leading axes are right-hand sides.
        """
        values = [leaf.value for leaf in self.primals]
        leaves = _leaves_like(self.in_tree, tangents, values, self._home, "pushforward", "tangent")
        rhs = _check_leaves(leaves, values, "pushforward", "tangent")
        b = leaves + [None] * (len(self.rows) - self.n_inputs)
        x = forward_substitute(self._blocks, b)
        outs = x[len(x) - len(self.outputs):]
        outs = [zeros(v, rhs) if t is None else _in_dtype(t, v.dtype) for t, v in zip(outs, self.outputs, strict=True)]
        return optree.tree_unflatten(self.out_tree, own_all(outs, leaves))

    @explaining_memory("pullback")
    def pullback(self, cotangent: Any) -> tuple[Any, ...]:
        """dP = Dᵀ ((I − L)ᵀ \\ e), by back substitution: a tuple with the cotangent of each primal.

        The cotangent has the output's structure and shapes; leading axes are right-hand sides, and the results have them too.
        """
        leaves = _leaves_like(self.out_tree, cotangent, self.outputs, self._home, "pullback", "cotangent")
        rhs = _check_leaves(leaves, self.outputs, "pullback", "cotangent")
        leaves = [conj(leaf) for leaf in leaves]
        handed: Any = optree.tree_unflatten(self.in_tree, hand_out(self.transposed(leaves), self.primals, leaves, rhs))
        return handed

    def transposed(self, leaves: list[Array]) -> list[Array | None]:
        """Dᵀ ((I − L)ᵀ \\ e), without conjugations, for the leaves of e: the leaves of the primals, None for zero."""
        e = [None] * (len(self.rows) - len(leaves)) + leaves
        return back_substitute(self._blocks, e, self.n_inputs, self.n_inputs)

    @property
    def over_reals(self) -> bool:
        """Whether some block is linear over the reals only, as a real part or a conjugate is."""
        return any(element.over_reals or (self.rows[j].dtype.kind == "c" and row.dtype.kind != "c")
                   for row, blocks in zip(self.rows, self._blocks, strict=True) for j, element in blocks)

    # ---- what it costs, and pictures

    def cost(self, order: str = "reverse") -> int:
        """Floating-point operations of the full Jacobian when the unknowns are eliminated in one order.

        ``"forward"`` solves once for each entry of the primals, ``"reverse"`` once for each entry of the outputs.
        """
        sides = {"forward": sum(p.value.size for p in self.primals), "reverse": sum(v.size for v in self.outputs)}
        if order not in sides:
            raise ValueError(f"cost expected order 'forward' or 'reverse', got {order!r}")
        return sides[order] * self.matrix.flops

    def spy(self, ax: Any = None) -> Any:
        """Draw which blocks of I − L and D are present; gives the matplotlib figure."""
        from gpuad.pictures import spy

        return spy(self, ax)

    def graph(self, ax: Any = None) -> Any:
        """Draw the computational graph (at most 400 rows); gives the matplotlib figure.

        Of scalar programs: values in black along the edges, derivatives in orange against them, ∂ the result's derivative.
        Of others the edges name the elements.
        """
        from gpuad.pictures import graph

        return graph(self, ax)

    def __repr__(self) -> str:
        n, k = len(self.rows), self.n_inputs
        return f"System({n - k} rows, {k} inputs, {len(self.outputs)} outputs)"


def outputs_last(rows: list[Row], n_inputs: int, outputs: list[tuple[int | None, Any]]) -> list[Row]:
    """The rows up to the last output; where the outputs are not the last rows in order, rows that repeat them follow."""
    indices = [i for i, _ in outputs]
    end = max([i + 1 for i in indices if i is not None], default=n_inputs)
    rows = rows[: max(end, n_inputs)]
    if indices == list(range(len(rows) - len(indices), len(rows))) and len(rows) - len(indices) >= n_inputs:
        return rows
    copies = [Row(linear, [-1 if i is None else i], [None], {"operator": Identity(v.shape)}, None, v.shape, v.dtype)
              for i, v in outputs]
    return rows + copies


def _in_dtype(x: Array, dtype: Any) -> Array:
    return x if x.dtype == dtype else x.astype(dtype)


def _leaves_like(tree: optree.PyTreeSpec, given: Any, values: list[Array], home: Any, where: str, what: str) -> list[Any]:
    """The leaves of a tangent or cotangent, which has the structure of ``tree``, as arrays where the values lie."""
    try:
        leaves = tree.flatten_up_to(given)
    except ValueError as error:
        raise ValueError(f"{where} expected a {what} of structure {tree}, got {optree.tree_structure(given)}") from error
    return [recorded(_as_array(leaf, value, home, where, what), value) for leaf, value in zip(leaves, values, strict=True)]


def _as_array(leaf: Any, value: Array, home: Any, where: str, what: str) -> Array:
    number = is_scalar(value)
    place = home if number else raw(value)
    if isinstance(leaf, (bool, int, float, complex, np.generic)) or (number and type(leaf) is np.ndarray):
        return namespace(place).asarray(leaf)
    if type(leaf) in STAND_INS and type(leaf) is not TracedArray and leaf.is_number:
        return leaf.as_array()  # as a number that is no argument of a plan
    if not is_array(leaf):
        raise ValueError(f"{where} expected a {what} with the structure of its value: an array of shape {value.shape} here, got "
                         f"a {type(leaf).__name__}; pass an array")
    if is_cupy(underlying(leaf)) != is_cupy(underlying(place)):
        raise TypeError(f"{where} expected a {what} in the library of its array, got NumPy and CuPy arrays mixed; move it first, "
                        "with cupy.asarray(x) or cupy.asnumpy(x)")
    return leaf


def _check_leaves(leaves: list[Any], values: list[Array], where: str, what: str) -> tuple[int, ...]:
    """Check shapes and dtypes, cast in place in the list, and give the common leading (right-hand-side) axes."""
    rhs: set[tuple[int, ...]] = set()
    for i, (leaf, value) in enumerate(zip(leaves, values, strict=True)):
        lead = leaf.ndim - value.ndim
        if lead < 0 or leaf.shape[lead:] != value.shape:
            raise ValueError(f"{where} expected a {what} of shape {value.shape}, perhaps with leading right-hand-side axes, got "
                             f"{leaf.shape}")
        check_dtype(leaf, value, where, what)
        leaves[i] = _in_dtype(leaf, value.dtype)
        rhs.add(leaf.shape[:lead])
    if len(rhs) > 1:
        raise ValueError(f"{where} expected the same leading axes on every {what}, got {sorted(rhs)}")
    return next(iter(rhs), ())


def check_dtype(leaf: Any, value: Array, where: str, what: str) -> None:
    """Raise where a tangent or cotangent cannot stand beside its value: not floating, or complex beside a real one."""
    if leaf.dtype.kind not in "fc" and (leaf.ndim or leaf.dtype.kind not in "iu"):
        raise TypeError(f"{where} expected a {what} of dtype {value.dtype}, got {leaf.dtype}; convert it with "
                        f".astype({value.dtype})")
    if leaf.dtype.kind == "c" and value.dtype.kind != "c":
        raise TypeError(f"{where} expected a real {what} ({value.dtype}) for a real array, got {leaf.dtype}; take its real part")
