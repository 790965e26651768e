"""``scipy.integrate``, differentiable: differential equations by the adjoint method, and quadrature.

``odeint`` and ``solve_ivp`` have derivatives with respect to initial values, times, and the arrays in ``args`` (any pytrees), as
accurate as ``rtol`` and ``atol`` make the solutions of the linearised and adjoint equations, which the same method solves; where
atol is an array they get its least entry. What a function reads from outside has no derivative: pass it in ``args``. Second and
higher derivatives solve the adjoint equation together with y, backwards from each output time to the one before: where y forgets
its past fast (stiff equations) choose output times close together.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optree
import scipy.integrate

import gpuad.numpy
from gpuad import quadrature as _quadrature  # noqa: F401  (enters the rules for samples into the table)
from gpuad.errors import NotDifferentiableError, PlanError
from gpuad.flows import Equation, Leaves, Solver, solve
from gpuad.outside import closed, parted, refuse_device, vector
from gpuad.quadrature import fixed_quad, quad
from gpuad.scipy.namespace import ScipyNamespace
from gpuad.traced import raw, settled, stand_in
from linalg.arrays import records

OdeResult: Any = type(scipy.integrate.solve_ivp(lambda _t, y: y, (0.0, 0.0), [1.0]))

namespace = ScipyNamespace("integrate")


def odeint(func: Callable[..., Any], y0: Any, t: Any, args: tuple[Any, ...] = (), Dfun: Any = None, col_deriv: Any = 0,
           full_output: Any = 0, ml: Any = None, mu: Any = None, rtol: Any = None, atol: Any = None, tcrit: Any = None,
           h0: float = 0.0, hmax: float = 0.0, hmin: float = 0.0, ixpr: Any = 0, mxstep: int = 0, mxhnil: int = 0,
           mxordn: int = 12, mxords: int = 5, printmessg: Any = 0, tfirst: bool = False) -> Any:
    """``scipy.integrate.odeint``: y at times t, of shape (len(t), len(y0)), for y′ = func(y, t, *args), y(t[0]) = y0.

    Differentiable in y0, t and args. The equations of the derivatives are solved by LSODA too, with rtol and atol.

    Raises ArrayConversionError where func reads traced arrays from outside, RuntimeError where the equation of a derivative
    cannot be solved, TypeError for ``full_output`` and for complex or CuPy arrays.
    """
    options = {"col_deriv": col_deriv, "ml": ml, "mu": mu, "rtol": rtol, "atol": atol, "tcrit": tcrit, "h0": h0, "hmax": hmax,
               "hmin": hmin, "ixpr": ixpr, "mxstep": mxstep, "mxhnil": mxhnil, "mxordn": mxordn, "mxords": mxords,
               "printmessg": printmessg}
    leaves, joined = parted(_tuple(args, "odeint"))
    refuse_device("odeint", [y0, t, *leaves])
    plain = closed(func, "odeint")
    if stand_in([y0, t, leaves]) is None:
        return scipy.integrate.odeint(plain, y0, t, args, Dfun, full_output=full_output, tfirst=tfirst, **options)
    if full_output:
        raise TypeError("odeint: full_output is not available for traced arrays and in plans: leave it out")
    y0, t = np.ravel(gpuad.numpy.asarray(settled(y0))), gpuad.numpy.asarray(settled(t))
    _require_real("odeint", [y0, t, args], "use solve_ivp, which solves complex equations, or real and imaginary parts")

    def evaluate(start: Any, times: Any, leaves: Leaves) -> Any:
        return scipy.integrate.odeint(plain, start, times, joined(leaves), Dfun, tfirst=tfirst, **options)

    default = 1.49012e-8
    solver = Solver("LSODA", default if rtol is None else np.min(rtol), default if atol is None else atol,
                    max_step=hmax or np.inf, min_step=hmin)
    equation = Equation(_field(func, joined, tfirst), evaluate, solver)
    return solve(equation, _floating(y0), _floating(t), leaves)


def solve_ivp(fun: Callable[..., Any], t_span: Sequence[Any], y0: Any, method: Any = "RK45", t_eval: Any = None,
              dense_output: bool = False, events: Any = None, vectorized: bool = False, args: Any = None, **options: Any) -> Any:
    """``scipy.integrate.solve_ivp``: a result with ``t`` and ``y`` of shape (n, len(t)), for y′ = fun(t, y, *args), y(t₀) = y0.

    ``y`` is differentiable in y0, args, t_span and t_eval. The equations of the derivatives are solved by the same method, with
    rtol, atol and max_step. Without t_eval the times inside t_span are the solver's own, constants; a plan needs t_eval.

    Raises as odeint does, and for ``events`` and ``dense_output`` of traced arrays.
    """
    leaves, joined = parted(_tuple(() if args is None else args, "solve_ivp"))
    given = [y0, *t_span, t_eval, *leaves]
    refuse_device("solve_ivp", given)
    plain, jac = closed(fun, "solve_ivp"), options.pop("jac", None)
    if (found := stand_in(given)) is None:
        options = options if jac is None else {**options, "jac": jac}
        return scipy.integrate.solve_ivp(plain, t_span, y0, method, t_eval, dense_output, events, vectorized, args, **options)
    if events is not None or dense_output:
        raise NotDifferentiableError("solve_ivp: events and dense_output have no differential in gpuad; leave them out, give the "
                                     "times in t_eval, or take ad.stop_gradient of all arguments")
    y0 = gpuad.numpy.asarray(settled(y0))
    if y0.dtype.kind != "c":
        _require_real("solve_ivp", [y0, args], "make y0 complex, y0.astype(complex)")
        y0 = _floating(y0)

    def run(start: Any, span: Sequence[Any], at: Any, leaves: Leaves) -> Any:
        given = joined(leaves)
        extra = {"jac": (lambda t, y: jac(t, y, *given)) if callable(jac) else jac} if jac is not None else {}
        return scipy.integrate.solve_ivp(lambda t, y: plain(t, y, *given), span, start, method, at, vectorized=vectorized,
                                         **options, **extra)

    kept = {k: options[k] for k in ("max_step", "min_step") if k in options}
    solver = Solver(method, options.get("rtol", 1e-3), options.get("atol", 1e-6), **kept)
    field = _field(_on_columns(fun) if vectorized else fun, joined, True)
    if records(raw(found)) or any(records(raw(x)) for x in given):
        return _planned(run, field, solver, t_span, y0, t_eval, leaves)
    result = run(raw(y0), [raw(t) for t in t_span], raw(_as_times(t_eval)), [raw(x) for x in leaves])
    times, first = _output_times(t_span, t_eval, result.t)
    known = np.concatenate([raw(y0)[None], result.y.T])[1 - first:]
    y = solve(Equation(field, lambda *_: known, solver), y0, _floating(times), leaves, known)
    result.t, result.y = times[first:], np.transpose(y[first:])
    return result


def _as_times(t_eval: Any) -> Any:
    return None if t_eval is None else gpuad.numpy.asarray(settled(t_eval))


def _output_times(t_span: Sequence[Any], t_eval: Any, reached: Any) -> tuple[Any, int]:
    """t₀ and the later times of the result, traced as they were given, and the number of the result's first among them."""
    start, end = np.reshape(t_span[0], (1,)), np.reshape(t_span[1], (1,))
    if t_eval is not None:
        return np.concatenate([start, _as_times(t_eval)[:len(reached)]]), 1
    later = [reached[1:-1], end] if len(reached) > 1 and reached[-1] == raw(end)[0] else [reached[1:]]
    return np.concatenate([start, *later]), 0


def _planned(run: Callable[..., Any], field: Callable[..., Any], solver: Solver, t_span: Sequence[Any], y0: Any, t_eval: Any,
             leaves: Leaves) -> Any:
    """The result in a plan, whose times must be given."""
    if t_eval is None:
        raise PlanError("solve_ivp in a plan expected t_eval: without it the number of times depends on values, and a plan's "
                        "shapes are fixed. Give the times")
    start, end = t_span
    times = np.concatenate([np.reshape(start, (1,)), _as_times(t_eval)])

    def evaluate(y0: Any, times: Any, leaves: Leaves) -> Any:
        *leaves, end = leaves
        result = run(y0, (times[0], end), times[1:], leaves)
        if not result.success:
            raise RuntimeError(f"solve_ivp in a plan could not be solved up to the last time: {result.message}")
        return np.concatenate([y0[None], result.y.T])

    equation = Equation(lambda t, y, leaves: field(t, y, leaves[:-1]), evaluate, solver)
    y = solve(equation, y0, _floating(times), [*leaves, raw(end)])  # no value at the times given depends on the end
    return OdeResult(t=times[1:], y=np.transpose(y[1:]), sol=None, t_events=None, y_events=None, status=0, success=True)


def _tuple(args: Any, name: str) -> tuple[Any, ...]:
    if not isinstance(args, (tuple, list)):
        raise TypeError(f"{name} expected args as a tuple, got {type(args).__name__}: write args=(θ,)")
    return tuple(args)


def _floating(x: Any) -> Any:
    """As SciPy computes: in double precision."""
    return x if x.dtype in (np.float64, np.complex128) else x.astype(complex if x.dtype.kind == "c" else float)


def _require_real(name: str, tree: Any, remedy: str) -> None:
    for x in optree.tree_leaves(tree):
        if getattr(x, "dtype", np.dtype(float)).kind == "c" or isinstance(x, complex):
            raise TypeError(f"{name}: expected real arrays, got a complex one; {remedy}")


def _field(func: Callable[..., Any], joined: Callable[[Leaves], Any], t_first: bool) -> Callable[[Any, Any, Leaves], Any]:
    """(t, y, the arrays in args) ↦ y′, for plain and for traced arrays."""
    def field(t: Any, y: Any, leaves: Leaves) -> Any:
        args = joined(leaves)
        return vector(func(t, y, *args) if t_first else func(y, t, *args))

    return field


def _on_columns(fun: Callable[..., Any]) -> Callable[..., Any]:
    """A function that takes matrices of columns, for one column."""
    return lambda t, y, *args: fun(t, y[:, None], *args)[:, 0]


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module 'gpuad.scipy.integrate' has no attribute {name!r}")
    return getattr(namespace, name)


def __dir__() -> list[str]:
    return dir(namespace)


__all__ = ["fixed_quad", "odeint", "quad", "solve_ivp"]
