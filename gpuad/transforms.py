"""The transforms: grad, value_and_grad, vjp, jvp, jacobian, hessian, hvp, linearize, elementwise_grad, stop_gradient.

Complex arguments: the gradient of a real function is ∂f/∂Re + i ∂f/∂Im, which points along steepest ascent (it is 2 ∂f/∂z̄, and
conj(h′) for f = Re h with h holomorphic). With ``holomorphic=True`` a function whose results are complex too has the complex
derivative f′(z), as in JAX. Where neither fits, jvp gives the differential along any tangent, and vjp its adjoint Jᴴ in
⟨u, v⟩ = Re Σ ūv.
"""
from __future__ import annotations

from collections.abc import Sequence
from functools import wraps
from typing import Any

import numpy as np
import optree

from gpuad.errors import explaining_memory, out_of_memory
from gpuad.holomorphic import complex_solve, require_complex
from gpuad.leaves import hand_out, ones, recorded, zeros
from gpuad.system import ConsumedBlocks, System
from gpuad.trace import Argnums, Function, Trace, floating, numbers_of, positions_of, require_callable
from gpuad.traced import raw
from linalg import back_substitute
from linalg.arrays import Array, is_array, namespace, snapshot


def value_and_grad(f: Function, argnums: Argnums = 0, has_aux: bool = False, holomorphic: bool = False) -> Function:
    """The function (x, …) ↦ (f(x, …), gradient of f), by one back substitution.

    f gives a real number (an array of shape ()), or with ``has_aux`` a pair (number, anything). The gradient has the structure,
    shapes and dtypes of the argument; with a tuple of ``argnums`` it is a tuple. For complex arguments it is
    ∂f/∂Re + i ∂f/∂Im, the direction of steepest ascent.

    With ``holomorphic=True`` f gives a complex number and all arguments to differentiate are complex: the gradient is f′(z),
    the plain complex derivative, without conjugation.

    Raises TypeError where f is not real and scalar (not complex, or not holomorphic), or an argument to differentiate is not
    floating-point or complex.

    >>> value_and_grad(lambda x: x**3)(2.0)
    (np.float64(8.0), np.float64(12.0))
    """
    return _value_and_grad(require_callable(f, "value_and_grad"), argnums, has_aux, "value_and_grad", holomorphic)


def _value_and_grad(f: Function, argnums: Argnums, has_aux: bool, name: str, holomorphic: bool) -> Function:
    argnums, many = numbers_of(argnums)

    @wraps(f)
    def value_and_gradient(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        try:
            trace = Trace(f, args, kwargs, positions_of(argnums, len(args), name), name)
            out, aux = _split_aux(trace.out, name) if has_aux else (trace.out, None)
            value, index = trace.value(out), trace.index_of(out)
            _check_scalar(value, name, holomorphic)
            leaves = _complex_gradient(trace, out, value, name) if holomorphic else _gradient(trace, index, value)
        except MemoryError as error:
            trace = out = aux = value = None  # type: ignore[assignment]  # who handles the error has their memory again
            if (found := out_of_memory(error, name)) is error:
                raise
            raise found from error
        gradient = trace.unflatten(leaves, many)
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


def _complex_gradient(trace: Trace, out: Any, value: Any, name: str) -> list[Array]:
    """f′(z): one back substitution without conjugations; a second one where the structure does not say that f is holomorphic."""
    inputs = [leaf.value for leaf in trace.leaves]
    require_complex(inputs, [np.asarray(value) if isinstance(value, (int, float, complex)) else value], name)
    trace.out = out
    _, system = trace.system(name)
    seed = ones(system.outputs[0])
    return hand_out(complex_solve(system, system.transposed, [seed], name), trace.leaves, (seed,), conjugated=False)


def _split_aux(out: Any, name: str) -> tuple[Any, Any]:
    if not isinstance(out, tuple) or len(out) != 2:
        raise TypeError(f"{name}(has_aux=True): expected the function to return a pair (value, aux), got {type(out).__name__}")
    return out


def _check_scalar(value: Any, name: str, holomorphic: bool = False) -> None:
    shape = getattr(value, "shape", () if isinstance(value, (int, float, complex)) else None)
    if shape != ():
        got = type(value).__name__ if shape is None else f"shape {shape}"
        raise TypeError(f"{name}: expected the function to return a scalar (shape ()), got {got}; use jacobian for several "
                        "outputs, vjp for a weighted sum of them, or elementwise_grad for an elementwise function")
    if not holomorphic and (value.dtype.kind == "c" if hasattr(value, "dtype") else isinstance(value, complex)):
        raise TypeError(f"{name}: expected a real scalar, got a complex one; differentiate a real function of it (real, imag, "
                        f"abs), use {name}(f, holomorphic=True) for the complex derivative of a holomorphic function, or vjp "
                        "with a complex cotangent")


def grad(f: Function, argnums: Argnums = 0, has_aux: bool = False, holomorphic: bool = False) -> Function:
    """The gradient of a function that gives a real number; with ``has_aux``, the pair (gradient, aux). See value_and_grad.

    With ``holomorphic=True`` the derivative f′(z) of a function that gives a complex number.

    >>> grad(lambda x, y: x**2 * y)(3.0, 2.0)
    np.float64(12.0)
    >>> grad(lambda z: z**2, holomorphic=True)(1 + 2j)
    np.complex128(2+4j)
    """
    both = _value_and_grad(require_callable(f, "grad"), argnums, has_aux, "grad", holomorphic)

    @wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, result = both(*args, **kwargs)
        return (result, value[1]) if has_aux else result

    return gradient


@explaining_memory("linearize")
def linearize(f: Function, *primals: Any) -> tuple[Any, System]:
    """f at the primals, and the system (I − L) dx = D dP of its differential there, to be solved any number of times."""
    return Trace(require_callable(f, "linearize"), primals, {}, range(len(primals)), "linearize").system("linearize")


@explaining_memory("vjp")
def vjp(f: Function, *primals: Any) -> tuple[Any, Function]:
    """f at the primals, and ``pullback(cotangent)``: a tuple with the cotangent of each primal.

    The cotangent has the structure, shapes and dtypes of the output. For many cotangents at once use ``linearize`` and
    ``system.pullback``, which takes leading axes.
    """
    out, system = Trace(require_callable(f, "vjp"), primals, {}, range(len(primals)), "vjp").system("vjp")

    @explaining_memory("pullback")
    def pullback(cotangent: Any) -> tuple[Any, ...]:
        check_shapes(cotangent, out, "pullback", "cotangent")
        return system.pullback(cotangent)

    return out, pullback


def check_shapes(given: Any, expected: Any, where: str, what: str) -> None:
    shapes = [np.shape(x) for x in optree.tree_leaves(given)]
    wanted = [np.shape(x) for x in optree.tree_leaves(expected)]
    if shapes != wanted and len(shapes) == len(wanted):
        raise ValueError(f"{where} expected a {what} of shape {wanted[0] if len(wanted) == 1 else wanted}, got "
                         f"{shapes[0] if len(shapes) == 1 else shapes}; for many right-hand sides at once use linearize")


@explaining_memory("jvp")
def jvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """f at the primals, and the tangent of its output: forward substitution.

    ``primals`` and ``tangents`` are tuples with one entry for each argument, of equal structure and shapes.
    """
    check_pairs(primals, tangents, "jvp")
    out, system = Trace(require_callable(f, "jvp"), primals, {}, range(len(primals)), "jvp").system("jvp")
    check_shapes(tuple(tangents), tuple(primals), "jvp", "tangent")
    return out, system.pushforward(*tangents)


def check_pairs(primals: Any, tangents: Any, where: str) -> None:
    for name, value in (("primals", primals), ("tangents", tangents)):
        if not isinstance(value, (tuple, list)):
            raise TypeError(f"{where} expected {name} as a tuple with one entry for each argument, got {type(value).__name__}")
    if len(primals) != len(tangents):
        raise ValueError(f"{where} expected one tangent for each primal, got {len(primals)} primals and {len(tangents)} tangents")


def hvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, ...]:
    """The Hessian of f, a real number, times a tangent: a tuple with one entry for each primal.

    ``primals`` and ``tangents`` are tuples with one entry for each argument, of equal structure and shapes.
    """
    check_pairs(primals, tangents, "hvp")
    gradient = grad(require_callable(f, "hvp"), tuple(range(len(primals))))
    return jvp(gradient, tuple(primals), tuple(tangents))[1]


def jacobian(f: Function, argnums: Argnums = 0, order: str = "auto", holomorphic: bool = False) -> Function:
    """All derivatives of all outputs by one solve with many right-hand sides: arrays of shape ``out.shape + arg.shape``.

    ``order`` is "forward" (one right-hand side for each entry of the arguments), "reverse" (one for each entry of the outputs)
    or "auto", whichever has fewer. For pytrees the result has the structure of the output, with that of the argument inside.

    Arguments and outputs are real, or with ``holomorphic=True`` complex: then these are the complex derivatives ∂y/∂z of a
    holomorphic function. Raises TypeError for complex ones without it, for real ones with it, and where f is not holomorphic.
    """
    if order not in ("auto", "forward", "reverse"):
        raise ValueError(f"jacobian expected order 'auto', 'forward' or 'reverse', got {order!r}")
    argnums, many = numbers_of(argnums)
    require_callable(f, "jacobian")

    @wraps(f)
    @explaining_memory("jacobian")
    def jacobian_of_f(*args: Any, **kwargs: Any) -> Any:
        trace = Trace(f, args, kwargs, positions_of(argnums, len(args), "jacobian"), "jacobian")
        out, system = trace.system("jacobian")
        leaves, out_tree = optree.tree_flatten(out)
        outputs = [floating(y) for y in leaves]
        inputs = [leaf.value for leaf in trace.leaves]
        if holomorphic:
            require_complex(inputs, outputs, "jacobian")
        elif any(np.result_type(x.dtype).kind == "c" for x in (*inputs, *outputs)):
            raise TypeError("jacobian: expected real arguments and outputs, got complex ones; use jacobian(f, holomorphic=True) "
                            "for the complex derivatives of a holomorphic function of complex arguments, differentiate real and "
                            "imaginary parts (f(x + 1j * y).real with respect to x and y), or use vjp and jvp, which take "
                            "complex arrays")
        table = _all_derivatives(system, inputs, outputs, order, holomorphic)
        return optree.tree_unflatten(out_tree, [trace.unflatten(line, many) for line in table])

    return jacobian_of_f


def _all_derivatives(system: System, inputs: list[Array], outputs: list[Array], order: str,
                     holomorphic: bool) -> list[list[Array]]:
    """table[i][j]: the derivative of output i with respect to input j, from one solve."""
    m, n = sum(x.size for x in outputs), sum(x.size for x in inputs)
    if order == "reverse" or (order == "auto" and m <= n):
        columns = _pulled(system, _unit_sides(outputs, m), m, holomorphic)
        return [[g.reshape((*y.shape, *x.shape)) for g, x in zip(piece, inputs, strict=True)]
                for y, piece in zip(outputs, _split_sides(columns, outputs), strict=True)]
    rows = _pushed(system, _unit_sides(inputs, n), "jacobian", holomorphic)
    pieces = _split_sides(rows, inputs)
    return [[_sides_last(pieces[j][i], x.shape, y.shape) for j, x in enumerate(inputs)] for i, y in enumerate(outputs)]


def _pulled(system: System, sides: list[Array], m: int, holomorphic: bool) -> list[Array]:
    if not holomorphic:
        return optree.tree_leaves(system.pullback(optree.tree_unflatten(system.out_tree, sides)))  # type: ignore[arg-type]
    solved = complex_solve(system, system.transposed, sides, "jacobian")
    return hand_out(solved, system.primals, sides, (m,), conjugated=False)


def _pushed(system: System, sides: list[Array], name: str, holomorphic: bool) -> list[Array]:
    def push(leaves: list[Array]) -> list[Array]:
        return optree.tree_leaves(system.pushforward(*optree.tree_unflatten(system.in_tree, leaves)))

    return complex_solve(system, push, sides, name) if holomorphic else push(sides)


def _unit_sides(values: list[Array], n: int) -> list[Array]:
    """All unit vectors of the stacked values as right-hand sides: an array (n, *shape) for each value."""
    sides, start = [], 0
    for value in values:
        eye = namespace(zeros(value)).eye(n, value.size, k=-start, dtype=value.dtype)
        sides.append(recorded(eye.reshape((n, *value.shape)), value))
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


def hessian(f: Function, argnums: Argnums = 0, holomorphic: bool = False) -> Function:
    """The second derivatives of a function that gives a real number: the Jacobian of its gradient.

    With ``holomorphic=True`` the complex second derivatives of a function of complex arguments that gives a complex number.
    """
    return jacobian(grad(require_callable(f, "hessian"), argnums, holomorphic=holomorphic), argnums, holomorphic=holomorphic)


def elementwise_grad(f: Function, argnums: int = 0, holomorphic: bool = False) -> Function:
    """The derivative of an elementwise function at each entry: f(x) has the shape of x, and entry i depends on x_i only.

    For complex arguments it is f′(z), and f must be holomorphic. ``holomorphic=True`` only says so: real arguments or results
    are a TypeError then.
    """
    require_callable(f, "elementwise_grad")

    @wraps(f)
    @explaining_memory("elementwise_grad")
    def derivative(*args: Any, **kwargs: Any) -> Any:
        trace = Trace(f, args, kwargs, positions_of(argnums, len(args), "elementwise_grad"), "elementwise_grad")
        out, system = trace.system("elementwise_grad")
        if len(trace.leaves) != 1 or np.shape(out) != np.shape(trace.leaves[0].value):
            raise TypeError(f"elementwise_grad: expected an elementwise function of one array, whose result has the argument's "
                            f"shape {[np.shape(leaf.value) for leaf in trace.leaves]}, got shape {np.shape(out)}; use jacobian")
        x = trace.leaves[0].value
        if holomorphic:
            require_complex([x], system.outputs, "elementwise_grad")
        slopes = _pushed(system, [ones(x)], "elementwise_grad", x.dtype.kind == "c")
        return optree.tree_unflatten(system.out_tree, slopes)

    return derivative


def stop_gradient(x: Any) -> Any:
    """A plain copy of x (any pytree), a constant to every derivative."""
    def plain(leaf: Any) -> Any:
        leaf = raw(leaf)
        return leaf.copy() if is_array(leaf) else leaf

    return optree.tree_map(plain, x)


__all__ = ["elementwise_grad", "grad", "hessian", "hvp", "jacobian", "jvp", "linearize", "stop_gradient", "value_and_grad", "vjp"]
