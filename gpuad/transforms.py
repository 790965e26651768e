"""The transforms: grad, value_and_grad, vjp, jvp, jacobian, hessian, hvp, linearize, elementwise_grad, stop_gradient."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from typing import Any

import numpy as np
import optree

from gpuad.errors import LeakedTraceError
from gpuad.leaves import Leaf, as_leaf, hand_out, leaf_path, ones, zeros
from gpuad.program import Program, Row
from gpuad.system import ConsumedBlocks, System
from gpuad.traced import TracedArray, raw
from linalg import back_substitute
from linalg.arrays import Array, is_array, namespace, records, snapshot

Function = Callable[..., Any]
Argnums = int | Sequence[int]


class Trace:
    """One call of a function on traced arguments: its rows, its inputs, and what it returned."""

    __slots__ = ("leaves", "out", "program", "rows", "trees")

    def __init__(self, f: Function, args: Sequence[Any], kwargs: dict[str, Any], positions: Sequence[int], name: str):
        self.program = program = Program()
        self.leaves: list[Leaf] = []
        self.trees: list[optree.PyTreeSpec] = []
        call = list(args)
        try:
            for position in positions:
                call[position] = self._input(call[position], position, name)
            self.out = f(*call, **kwargs)
        finally:
            self.rows = program.close()

    def _input(self, arg: Any, position: int, name: str) -> Any:
        values, tree = optree.tree_flatten(arg)
        try:
            leaves = [as_leaf(x, name) for x in values]
        except TypeError:
            for i, x in enumerate(values):
                as_leaf(x, f"{name}: argument {position}{leaf_path(arg, i)}")
            raise
        self.leaves += leaves
        self.trees.append(tree)
        return optree.tree_unflatten(tree, [self.program.input(value) for value, _ in leaves])

    def index_of(self, x: Any) -> int | None:
        """The variable that x is in this program; None where x does not depend on the inputs."""
        if type(x) is not TracedArray:
            return None
        if x.program is self.program:
            return x.index
        if x.program.rows is None or x.program.level > self.program.level:
            raise LeakedTraceError("the function's result")
        return None

    def value(self, x: Any) -> Any:
        """x without this trace."""
        return x.value if type(x) is TracedArray and x.program is self.program else x

    def values(self, tree: Any) -> Any:
        """A pytree without this trace."""
        return self.value(tree) if type(tree) is TracedArray else optree.tree_map(self.value, tree)

    def unflatten(self, leaves: Sequence[Any], many: bool) -> Any:
        """Leaves in the structure of the arguments: a tuple where several were asked for."""
        if not many:
            return optree.tree_unflatten(self.trees[0], leaves)
        result, start = [], 0
        for tree in self.trees:
            result.append(optree.tree_unflatten(tree, leaves[start: start + tree.num_leaves]))
            start += tree.num_leaves
        return tuple(result)

    def system(self, name: str) -> tuple[Any, System]:
        """The function's value, and the system of its differential (arguments as a tuple)."""
        leaves, out_tree = optree.tree_flatten(self.out)
        values = [_as_output(self.value(x), name) for x in leaves]
        outputs = [(self.index_of(x), _floating(v)) for x, v in zip(leaves, values, strict=True)]
        in_tree = optree.treespec_tuple(self.trees)
        rows = [self.rows[i] for i in range(len(self.rows))]
        system = System(rows, self.leaves, in_tree, outputs, out_tree)
        return optree.tree_unflatten(out_tree, [snapshot(v) for v in values]), system


def _as_output(value: Any, name: str) -> Array:
    if type(value) in (bool, int, float, complex):
        return np.asarray(value)
    if not is_array(value) or value.dtype.kind not in "fciub":
        raise TypeError(f"{name}: expected the function to return arrays or numbers (in any pytree), got {type(value).__name__}"
                        + (f" of dtype {value.dtype}" if hasattr(value, "dtype") else ""))
    return value


def _floating(value: Array) -> Array:
    """A result as the system sees it: integers and booleans, which are constant, as floating-point numbers."""
    return value if value.dtype.kind in "fc" else value.astype(float)


def _argnums(argnums: Argnums) -> tuple[int | tuple[int, ...], bool]:
    """argnums as a number or a tuple, and whether it is a tuple."""
    if isinstance(argnums, (list, tuple)):
        return tuple(argnums), True
    if not isinstance(argnums, (int, np.integer)) or isinstance(argnums, bool):
        raise TypeError(f"expected argnums to be an integer or a tuple of integers, got {argnums!r}")
    return int(argnums), False


@lru_cache(maxsize=256, typed=True)
def _positions(argnums: int | tuple[int, ...], n: int, name: str) -> tuple[int, ...]:
    """The positional arguments that ``argnums`` names, of n."""
    numbers = argnums if isinstance(argnums, tuple) else (argnums,)
    for number in numbers:
        if not isinstance(number, (int, np.integer)):
            raise TypeError(f"{name}: expected argnums to be an integer or a tuple of integers, got {argnums!r}")
        if not -n <= number < n:
            raise ValueError(f"{name}: argnums={argnums!r} is out of range for a call with {n} positional arguments; arguments "
                             "to differentiate are passed by position")
    resolved = tuple(number % n for number in numbers)
    if len(set(resolved)) != len(resolved):
        raise ValueError(f"{name}: expected argnums without repetition, got {argnums!r}")
    return resolved


def _callable(f: Any, name: str) -> Function:
    if not callable(f):
        raise TypeError(f"{name} expected a function, got {type(f).__name__}: write {name}(f)(x), not {name}(f(x))")
    return f


def value_and_grad(f: Function, argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """The function (x, …) ↦ (f(x, …), gradient of f), by one back substitution.

    f gives a real number (an array of shape ()), or with ``has_aux`` a pair (number, anything). The gradient has the structure,
    shapes and dtypes of the argument; with a tuple of ``argnums`` it is a tuple. For complex arguments it is
    ∂f/∂Re + i ∂f/∂Im, the direction of steepest ascent.

    Raises TypeError where f is not real and scalar, or an argument to differentiate is not floating-point or complex.

    >>> value_and_grad(lambda x: x**3)(2.0)
    (np.float64(8.0), np.float64(12.0))
    """
    return _value_and_grad(_callable(f, "value_and_grad"), argnums, has_aux, "value_and_grad")


def _value_and_grad(f: Function, argnums: Argnums, has_aux: bool, name: str) -> Function:
    argnums, many = _argnums(argnums)

    @wraps(f)
    def value_and_gradient(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        trace = Trace(f, args, kwargs, _positions(argnums, len(args), name), name)
        out, aux = _split_aux(trace.out, name) if has_aux else (trace.out, None)
        value, index = trace.value(out), trace.index_of(out)
        _check_scalar(value, name)
        gradient = trace.unflatten(_gradient(trace, index, value), many)
        value = snapshot(value) if index is None else value  # a constant may be the caller's own array
        return ((value, trace.values(aux)) if has_aux else value), gradient

    return value_and_gradient


def _gradient(trace: Trace, index: int | None, value: Array) -> list[Array]:
    """One back substitution from a scalar output to all leaves."""
    leaves, rows = trace.leaves, trace.rows
    if index is None:
        return hand_out([None] * len(leaves), leaves)
    seed = ones(value)
    n = len(leaves)
    e: list[Array | None] = [None] * max(index + 1, n)
    e[index] = seed
    return hand_out(back_substitute(ConsumedBlocks(rows), e, n, n), leaves, (seed,))


def _split_aux(out: Any, name: str) -> tuple[Any, Any]:
    if not isinstance(out, tuple) or len(out) != 2:
        raise TypeError(f"{name}(has_aux=True): expected the function to return a pair (value, aux), got {type(out).__name__}")
    return out


def _check_scalar(value: Any, name: str) -> None:
    shape = getattr(value, "shape", () if isinstance(value, (int, float, complex)) else None)
    if shape != ():
        got = type(value).__name__ if shape is None else f"shape {shape}"
        raise TypeError(f"{name}: expected the function to return a scalar (shape ()), got {got}; use jacobian for several "
                        "outputs, vjp for a weighted sum of them, or elementwise_grad for an elementwise function")
    if (value.dtype.kind == "c" if hasattr(value, "dtype") else isinstance(value, complex)):
        raise TypeError(f"{name}: expected a real scalar, got a complex one; differentiate a real function of it (real, imag, "
                        "abs), or use vjp with a complex cotangent")


def grad(f: Function, argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """The gradient of a function that gives a real number; with ``has_aux``, the pair (gradient, aux). See value_and_grad.

    >>> grad(lambda x, y: x**2 * y)(3.0, 2.0)
    np.float64(12.0)
    """
    both = _value_and_grad(_callable(f, "grad"), argnums, has_aux, "grad")

    @wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, result = both(*args, **kwargs)
        return (result, value[1]) if has_aux else result

    return gradient


def linearize(f: Function, *primals: Any) -> tuple[Any, System]:
    """f at the primals, and the system (I − L) dx = D dP of its differential there, to be solved any number of times."""
    return Trace(_callable(f, "linearize"), primals, {}, range(len(primals)), "linearize").system("linearize")


def vjp(f: Function, *primals: Any) -> tuple[Any, Function]:
    """f at the primals, and ``pullback(cotangent)``: a tuple with the cotangent of each primal.

    The cotangent has the structure, shapes and dtypes of the output. For many cotangents at once use ``linearize`` and
    ``system.pullback``, which takes leading axes.
    """
    out, system = Trace(_callable(f, "vjp"), primals, {}, range(len(primals)), "vjp").system("vjp")

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        _check_shapes(cotangent, out, "pullback", "cotangent")
        return system.pullback(cotangent)

    return out, pullback


def _check_shapes(given: Any, expected: Any, where: str, what: str) -> None:
    shapes = [np.shape(x) for x in optree.tree_leaves(given)]
    wanted = [np.shape(x) for x in optree.tree_leaves(expected)]
    if shapes != wanted and len(shapes) == len(wanted):
        raise ValueError(f"{where} expected a {what} of shape {wanted[0] if len(wanted) == 1 else wanted}, got "
                         f"{shapes[0] if len(shapes) == 1 else shapes}; for many right-hand sides at once use linearize")


def jvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """f at the primals, and the tangent of its output: forward substitution.

    ``primals`` and ``tangents`` are tuples with one entry for each argument, of equal structure and shapes.
    """
    _check_pairs(primals, tangents, "jvp")
    out, system = Trace(_callable(f, "jvp"), primals, {}, range(len(primals)), "jvp").system("jvp")
    _check_shapes(tuple(tangents), tuple(primals), "jvp", "tangent")
    return out, system.pushforward(*tangents)


def _check_pairs(primals: Any, tangents: Any, where: str) -> None:
    for name, value in (("primals", primals), ("tangents", tangents)):
        if not isinstance(value, (tuple, list)):
            raise TypeError(f"{where} expected {name} as a tuple with one entry for each argument, got {type(value).__name__}")
    if len(primals) != len(tangents):
        raise ValueError(f"{where} expected one tangent for each primal, got {len(primals)} primals and {len(tangents)} tangents")


def hvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, ...]:
    """The Hessian of f, a real number, times a tangent: a tuple with one entry for each primal.

    ``primals`` and ``tangents`` are tuples with one entry for each argument, of equal structure and shapes.
    """
    _check_pairs(primals, tangents, "hvp")
    gradient = grad(_callable(f, "hvp"), tuple(range(len(primals))))
    return jvp(gradient, tuple(primals), tuple(tangents))[1]


def jacobian(f: Function, argnums: Argnums = 0, order: str = "auto") -> Function:
    """All derivatives of all outputs by one solve with many right-hand sides: arrays of shape ``out.shape + arg.shape``.

    ``order`` is "forward" (one right-hand side for each entry of the arguments), "reverse" (one for each entry of the outputs)
    or "auto", whichever has fewer. For pytrees the result has the structure of the output, with that of the argument inside.
    """
    if order not in ("auto", "forward", "reverse"):
        raise ValueError(f"jacobian expected order 'auto', 'forward' or 'reverse', got {order!r}")
    argnums, many = _argnums(argnums)
    _callable(f, "jacobian")

    @wraps(f)
    def jacobian_of_f(*args: Any, **kwargs: Any) -> Any:
        trace = Trace(f, args, kwargs, _positions(argnums, len(args), "jacobian"), "jacobian")
        out, system = trace.system("jacobian")
        leaves, out_tree = optree.tree_flatten(out)
        outputs = [_floating(y) for y in leaves]
        inputs = [leaf.value for leaf in trace.leaves]
        if any(np.result_type(x.dtype).kind == "c" for x in (*inputs, *outputs)):
            raise TypeError("jacobian: expected real arguments and outputs, got complex ones; differentiate real and imaginary "
                            "parts, or use vjp and jvp, which take complex arrays")
        table = _all_derivatives(system, inputs, outputs, order)
        return optree.tree_unflatten(out_tree, [trace.unflatten(line, many) for line in table])

    return jacobian_of_f


def _all_derivatives(system: System, inputs: list[Array], outputs: list[Array], order: str) -> list[list[Array]]:
    """table[i][j]: the derivative of output i with respect to input j, from one solve."""
    m, n = sum(x.size for x in outputs), sum(x.size for x in inputs)
    if order == "reverse" or (order == "auto" and m <= n):
        cotangent = optree.tree_unflatten(system.out_tree, _unit_sides(outputs, m))
        columns: list[Array] = optree.tree_leaves(system.pullback(cotangent))  # type: ignore[arg-type]
        return [[g.reshape((*y.shape, *x.shape)) for g, x in zip(piece, inputs, strict=True)]
                for y, piece in zip(outputs, _split_sides(columns, outputs), strict=True)]
    tangents = optree.tree_unflatten(system.in_tree, _unit_sides(inputs, n))
    rows = optree.tree_leaves(system.pushforward(*tangents))
    pieces = _split_sides(rows, inputs)
    return [[_sides_last(pieces[j][i], x.shape, y.shape) for j, x in enumerate(inputs)] for i, y in enumerate(outputs)]


def _unit_sides(values: list[Array], n: int) -> list[Array]:
    """All unit vectors of the stacked values as right-hand sides: an array (n, *shape) for each value."""
    sides, start = [], 0
    for value in values:
        eye = namespace(zeros(value)).eye(n, value.size, k=-start, dtype=value.dtype)
        sides.append(eye.reshape((n, *value.shape)))
        start += value.size
    return sides


def _split_sides(arrays: list[Array], values: list[Array]) -> list[list[Array]]:
    """Cut the leading right-hand-side axis of every array into one piece for each value."""
    pieces, start = [], 0
    for value in values:
        pieces.append([a[start: start + value.size] for a in arrays])
        start += value.size
    return pieces


def _sides_last(a: Array, in_shape: tuple[int, ...], out_shape: tuple[int, ...]) -> Array:
    n = len(out_shape)
    return a.transpose((*range(1, n + 1), 0)).reshape((*out_shape, *in_shape))


def hessian(f: Function, argnums: Argnums = 0) -> Function:
    """The second derivatives of a function that gives a real number: the Jacobian of its gradient."""
    return jacobian(grad(_callable(f, "hessian"), argnums), argnums)


def elementwise_grad(f: Function, argnums: int = 0) -> Function:
    """The derivative of an elementwise function at each entry: f(x) has the shape of x, and entry i depends on x_i only."""
    _callable(f, "elementwise_grad")

    @wraps(f)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        trace = Trace(f, args, kwargs, _positions(argnums, len(args), "elementwise_grad"), "elementwise_grad")
        out, system = trace.system("elementwise_grad")
        if len(trace.leaves) != 1 or np.shape(out) != np.shape(trace.leaves[0].value):
            raise TypeError(f"elementwise_grad: expected an elementwise function of one array, whose result has the argument's "
                            f"shape {[np.shape(leaf.value) for leaf in trace.leaves]}, got shape {np.shape(out)}; use jacobian")
        if trace.leaves[0].value.dtype.kind != "c":
            return system.pushforward(*optree.tree_unflatten(system.in_tree, [ones(trace.leaves[0].value)]))
        return _holomorphic_derivative(system, trace.leaves[0].value)

    return derivative


def _holomorphic_derivative(system: System, x: Array) -> Array:
    """The tangent along 1, where the one along i is i times it: the complex derivative."""
    one = ones(x)
    along = [system.pushforward(*optree.tree_unflatten(system.in_tree, [direction])) for direction in (one, 1j * one)]
    gap, size = (namespace(raw(x)).abs(raw(d)) for d in (along[1] - 1j * along[0], along[0]))
    if records(gap):
        gap._record(_require_small, gap, size, ordered=True)
    else:
        _require_small(gap, size)
    return along[0]


def _require_small(gap: Array, size: Array) -> None:
    if bool((gap > 1e-3 * size).any()):
        raise TypeError("elementwise_grad: expected a holomorphic function of a complex argument, got one that depends on the "
                        "conjugate; differentiate with respect to the real and the imaginary part")


def stop_gradient(x: Any) -> Any:
    """A plain copy of x (any pytree), a constant to every derivative."""
    def plain(leaf: Any) -> Any:
        leaf = raw(leaf)
        return leaf.copy() if is_array(leaf) else leaf

    return optree.tree_map(plain, x)


__all__ = ["Row", "elementwise_grad", "grad", "hessian", "hvp", "jacobian", "jvp", "linearize", "stop_gradient", "value_and_grad",
           "vjp"]
