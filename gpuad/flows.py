"""Solutions of differential equations as functions of their initial values, parameters and times.

The solution Y at times t of y′ = f(t, y, θ), y(t₁) = y₁, has the differential

    dY = Φ (dy₁ − f(t₁, y₁) dt₁, dθ) + f(t, Y) dt

with the flow Φ of the linearised equation η′ = (∂f/∂y) η + (∂f/∂θ) dθ, a ``linalg.LinearFlow``: solved forward as it is, and
backwards, as the adjoint equation, where its transpose is asked for. Both run along the stored solution y(t). For higher
orders the linearised equations are solved together with y, as differential equations of this kind again.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from typing import Any

import numpy as np
import scipy.integrate

from gpuad.differential import Primitive
from gpuad.leaves import conj
from gpuad.outside import Repeated
from gpuad.packing import Packing
from gpuad.program import own
from gpuad.traced import TracedArray
from gpuad.transforms import linearize
from linalg import Broadcast, Dense, Diagonal, Gather, LinearFlow, LinearOperator, Reshape, Scatter
from linalg.arrays import Array, Shape, records, size
from linalg.elements.flow import LinearEquation

Leaves = Sequence[Any]


class Solver:
    """SciPy's ``solve_ivp`` with one method and its tolerances, for the equations that derivatives are solutions of."""

    def __init__(self, method: Any, rtol: Any, atol: Any, **options: Any):
        self.options = {"method": method, "rtol": rtol, "atol": np.min(atol), **options}

    def __call__(self, field: Callable[[float, Array], Array], start: Array, times: Array) -> Array:
        """The solution at times that rise or fall, from ``start`` at the first: a row for each."""
        if times[-1] == times[0]:
            return np.repeat(start[None], len(times), 0)
        moved = np.concatenate([[True], np.diff(times) != 0])
        found = self._solve(field, start, times, t_eval=times[moved])
        return found.y.T[np.cumsum(moved) - 1]

    def trajectory(self, field: Callable[[float, Array], Array], start: Array, times: Array) -> Callable[[float], Array]:
        """The solution as a function of time."""
        if times[-1] == times[0]:
            return lambda _t: start
        return self._solve(field, start, times, dense_output=True).sol

    def _solve(self, field: Any, start: Array, times: Array, **options: Any) -> Any:
        found = scipy.integrate.solve_ivp(field, (times[0], times[-1]), start, **self.options, **options)
        if not found.success:
            raise RuntimeError("a differential equation that a derivative is the solution of could not be solved: "
                               f"{found.message} ({', '.join(f'{k}={v}' for k, v in self.options.items())})")
        return found


@dataclass(frozen=True)
class Equation:
    """y′ = field(t, y, leaves), and how it is solved; the leaves, its parameters, are arrays.

    ``evaluate(start, times, leaves)`` gives the solution at all times for plain arrays; ``solver`` solves the equations of the
    derivatives.
    """

    field: Callable[[Any, Any, Leaves], Any]
    evaluate: Callable[[Array, Array, Leaves], Array]
    solver: Solver

    def linear(self, field: Callable[[Any, Any, Leaves], Any]) -> Equation:
        """The equation that y and a linearised one make together."""
        solver, repeated = self.solver, Repeated(field)
        return Equation(field, lambda start, times, leaves: solver(lambda t, z: repeated(t, z, leaves), start, times), solver)


def solve(equation: Equation, start: Any, times: Any, leaves: Leaves, known: Any = None) -> Any:
    """The solution of shape (T, n) at the times, from ``start`` at the first; any of the arrays may be traced.

    ``known`` is the solution without any trace, where it is known already.
    """
    if not any(type(x) is TracedArray for x in (start, times, *leaves)):
        return _untraced(equation, start, times, leaves, known)
    packing = Packing.of(leaves)
    flow = Flow(equation, start.shape[0], packing, None if type(times) is TracedArray else own(times), known)
    parts = [start, *packing.parts(leaves), *([times] if flow.times is None else [])]
    return _solution(np.concatenate(parts), flow=flow)


def _untraced(equation: Equation, start: Any, times: Any, leaves: Leaves, known: Any) -> Any:
    if known is not None:
        return known
    if (staged := next(filter(records, (start, times, *leaves)), None)) is not None:
        return staged._record(_evaluate, equation, start, times, list(leaves), ordered=True)
    return _evaluate(equation, start, times, leaves)


def _evaluate(equation: Equation, start: Array, times: Array, leaves: Leaves) -> Array:
    return equation.evaluate(start, times, leaves)


@dataclass(frozen=True)
class Flow:
    """A solution as a function of one vector v = (y₁, q, t): initial values, traced parameters, and times that are traced.

    ``times`` are the times where they are constant, else None.
    """

    equation: Equation
    n: int
    packing: Packing
    times: Any
    known: Any = None
    plans: dict[str, Repeated] = attribute(default_factory=dict, compare=False)

    def split(self, v: Any) -> tuple[Any, Any, Any]:
        """Initial values, parameters, times."""
        n, m = self.n, self.n + self.packing.size
        return v[:n], v[n: m], self.times if self.times is not None else np.real(v[m:])

    def field(self, t: Any, y: Any, q: Any) -> Any:
        return self.equation.field(t, y, self.packing.leaves(q))

    def tangent(self, t: Any, y: Any, q: Any, eta: Any, dq: Any) -> Any:
        """(∂f/∂y) η + (∂f/∂q) dq."""
        return linearize(lambda y, q: self.field(t, y, q), y, q)[1].pushforward(eta, dq)

    def transposed(self, t: Any, y: Any, q: Any, lam: Any) -> tuple[Any, Any]:
        """(∂f/∂y)ᵀ λ and (∂f/∂q)ᵀ λ."""
        lam_y, lam_q = linearize(lambda y, q: self.field(t, y, q), y, q)[1].pullback(conj(lam))
        return conj(lam_y), conj(lam_q)

    def having(self, constants: Leaves) -> Flow:
        """The flow with other constants: as a plan reads them anew."""
        return replace(self, packing=self.packing.having(constants))

    def repeated(self, name: str) -> Repeated:
        """A method of the flow as a function of the constants too; what it has been planned as stays with the flow."""
        return self.plans.setdefault(name, Repeated(lambda constants, *args: getattr(self.having(constants), name)(*args)))

    def linearized(self, v: Any, y: Any, times: Any, *constants: Any) -> Any:
        """The linearised equation along the solution: in plain arrays, or with coefficients that are traced."""
        flow = replace(self.having(constants), times=times)
        return Carried(flow, v, y) if type(v) is TracedArray else _along(flow, v)


def _value(v: Any, *, flow: Flow) -> Any:
    if type(v) is TracedArray:
        return _solution(v, flow=flow)
    start, q, times = flow.split(v)
    return _untraced(flow.equation, start, times, flow.packing.leaves(q), flow.known)


def _differential(shape: Shape, y: Any, v: Any, *, flow: Flow) -> LinearOperator:
    """dY = Φ (dy₁ − f(t₁, y₁) dt₁, dq) + f(t, Y) dt, as a map of dv."""
    n, inner = flow.n, (flow.n + flow.packing.size,)
    arrays = (v, y, flow.times, *flow.packing.constants)
    phi = LinearFlow(flow.linearized, inner, y.shape, arrays, v.dtype, over_reals=v.dtype.kind == "c")
    if flow.times is not None:
        return phi
    _, q, times = flow.split(v)
    slopes = np.stack([flow.field(times[i], y[i], q) for i in range(len(times))])
    first = Dense(np.reshape(slopes[0], (n, 1))) @ Gather(shape, slice(inner[0], inner[0] + 1))
    each = Reshape((len(times),), (len(times), 1)) @ Gather(shape, slice(inner[0], None))
    return (phi @ (Gather(shape, slice(0, inner[0])) - Scatter(inner, slice(0, n)) @ first)
            + Diagonal(slopes, y.shape) @ Broadcast((len(times), 1), y.shape) @ each)


_solution = Primitive("solution of a differential equation", _value, _differential)


def _along(flow: Flow, v: Array) -> LinearEquation:
    """The linearised equation along the solution, which is computed once more, as a function of time."""
    (start, q, times), solver = flow.split(v), flow.equation.solver
    y = solver.trajectory(lambda t, y: flow.field(t, y, q), start, times)
    tangent, transposed = (flow.repeated(name) for name in ("tangent", "transposed"))
    constants = list(flow.packing.constants)
    return LinearEquation(lambda t, eta, dq: tangent(constants, t, y(t), q, eta, dq),
                          lambda t, lam: transposed(constants, t, y(t), q, lam), times, solver)


class Carried:
    """The linearised equation solved together with y: differential equations again, whose solutions have differentials.

    Backwards, y starts anew at each of the times.
    """

    def __init__(self, flow: Flow, v: Any, y: Any):
        self.flow, self.y = flow, y
        self.start, self.q, self.times = flow.split(v)
        self.equations: dict[Shape, Equation] = {}

    def _joint(self, field: Callable[..., list[Any]], k: int) -> Equation:
        """The equation of y and its companions, whose derivatives are ``field(flow, t, z, q, …)`` with k parameters."""
        flow = self.flow

        def joint(t: Any, z: Any, leaves: Leaves) -> Any:
            here = flow.having(leaves[k:])
            return np.concatenate([here.field(t, z[:here.n], leaves[0]), *field(here, t, z, *leaves[:k])])

        return flow.equation.linear(joint)

    def forward(self, eta: Any, dq: Any) -> Any:
        n, shape, sides = self.flow.n, eta.shape, dq.shape

        def tangent(flow: Flow, t: Any, z: Any, q: Any, dq: Any) -> list[Any]:
            return [np.ravel(flow.tangent(t, z[:n], q, np.reshape(z[n:], shape), np.reshape(dq, sides)))]

        z = solve(self._joint(tangent, 2), np.concatenate([self.start, np.ravel(eta)]), self.times,
                  [self.q, np.ravel(dq), *self.flow.packing.constants])
        return np.moveaxis(np.reshape(z[:, n:], (len(self.times), *shape)), 0, -2)

    def backward(self, lam: Any, i: int, j: int) -> tuple[Any, Any]:
        n, shape, end = self.flow.n, lam.shape, self.flow.n + size(lam.shape)
        sides = (*shape[:-1], self.flow.packing.size)

        def adjoint(flow: Flow, t: Any, z: Any, q: Any) -> list[Any]:
            return [-np.ravel(part) for part in flow.transposed(t, z[:n], q, np.reshape(z[n: end], shape))]

        equation = self.equations.get(shape) or self.equations.setdefault(shape, self._joint(adjoint, 1))
        z = solve(equation, np.concatenate([self.y[i], np.ravel(lam), np.zeros(size(sides), lam.dtype)]),
                  self.times[np.array([i, j])], [self.q, *self.flow.packing.constants])[1]
        return np.reshape(z[n: end], shape), np.reshape(z[end:], sides)
