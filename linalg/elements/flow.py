"""The flow of a linear differential equation; its transpose is the adjoint equation, solved backwards."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from linalg.arrays import Array, Shape, is_traced, namespace, records
from linalg.checks import require_shape
from linalg.operator import LinearOperator

Field = Callable[[float, Array], Array]


class LinearEquation:
    """η′ = J(t) η + K(t) q at times t₁, …, t_T, which rise or fall.

    - ``product(t, η, q)`` is J η + K q, for arrays (*rhs, n) and (*rhs, m),
    - ``transposed(t, λ)`` is the pair (Jᵀλ, Kᵀλ),
    - ``solve(field, x, times)`` gives the solution of x′ = field(t, x) at the times, from x at the first: a row for each.
    """

    def __init__(self, product: Callable[[float, Array, Array], Array],
                 transposed: Callable[[float, Array], tuple[Array, Array]], times: Array,
                 solve: Callable[[Field, Array, Array], Array]):
        self.product, self.transposed, self.times, self.solve = product, transposed, times, solve

    def forward(self, start: Array, q: Array) -> Array:
        """η at all times, of shape (*rhs, T, n), from η at the first."""
        shape = start.shape
        rows = self.solve(lambda t, x: self.product(t, x.reshape(shape), q).ravel(), start.ravel(), self.times)
        return np.moveaxis(rows.reshape((len(self.times), *shape)), 0, -2)

    def backward(self, lam: Array, i: int, j: int) -> tuple[Array, Array]:
        """λ at t_j, where λ′ = −Jᵀλ, and the integral of Kᵀλ from t_j to t_i, from λ at t_i."""
        n, (_, klam) = lam.size, self.transposed(self.times[i], lam)

        def field(t: float, x: Array) -> Array:
            return -np.concatenate([part.ravel() for part in self.transposed(t, x[:n].reshape(lam.shape))])

        start = np.concatenate([lam.ravel(), np.zeros(klam.size, klam.dtype)])
        end = self.solve(field, start, self.times[[i, j]])[-1]
        return end[:n].reshape(lam.shape), end[n:].reshape(klam.shape)


class LinearFlow(LinearOperator):
    """x = (η₁, q) ↦ (η(t₁), …, η(t_T)), where η′ = J(t) η + K(t) q and η(t₁) = η₁: shape (n + m,) to shape (T, n).

    The transpose takes w to (λ(t₁), μ(t₁)) with the adjoint equation λ′ = −Jᵀλ, μ′ = −Kᵀλ, solved backwards from
    λ(t_T) = w_T, μ(t_T) = 0; at t_i, λ jumps by w_i (Pontryagin; Chen et al., Neural Ordinary Differential Equations, 2018).

    ``equation`` is a :class:`LinearEquation`, or gives one of ``arrays``, on which the coefficients depend and which may be
    traced: anything with methods ``forward`` and ``backward`` then.
    """

    __slots__ = ("arrays", "dtype", "equation", "in_shape", "out_shape", "over_reals")

    def __init__(self, equation: Any, in_shape: Shape, out_shape: Shape, arrays: Sequence[Any] = (), dtype: Any = float,
                 over_reals: bool = False):
        require_shape(in_shape, "LinearFlow")
        require_shape(out_shape, "LinearFlow")
        if len(in_shape) != 1 or len(out_shape) != 2 or in_shape[0] < out_shape[1]:
            raise ValueError(f"LinearFlow expected in_shape (n + m,) and out_shape (T, n), got {in_shape} and {out_shape}")
        self.in_shape, self.out_shape, self.dtype = in_shape, out_shape, np.dtype(dtype)
        self.equation, self.arrays, self.over_reals = equation, tuple(arrays), over_reals

    def _apply(self, x: Array) -> Array:
        return self._run(_advance, x, self)

    def _apply_transpose(self, x: Array) -> Array:
        return self._run(_retreat, x, self.T)

    def _run(self, march: Callable[..., Array], x: Array, operator: LinearOperator) -> Array:
        if not any(map(_differentiated, self.arrays)):
            if _differentiated(x):
                return x._apply_linear(operator)
            for part in (x, *self.arrays):
                if records(part):
                    return part._record(march, self.equation, self.arrays, x, self.in_shape, self.out_shape, ordered=True)
        return march(self.equation, self.arrays, x, self.in_shape, self.out_shape)

    def __deepcopy__(self, _memo: Any) -> LinearFlow:
        return self  # whose arrays nobody changes

    def conj(self) -> LinearOperator:
        from linalg.elements.algebra import ConjugateOf

        return ConjugateOf(self) if self.dtype.kind == "c" else self


def _differentiated(x: Any) -> bool:
    """Whether x is under differentiation."""
    return is_traced(x) and not records(x)


def _equation(equation: Any, arrays: Sequence[Any]) -> Any:
    return equation if isinstance(equation, LinearEquation) else equation(*arrays)


def _advance(equation: Any, arrays: Sequence[Any], x: Array, _in_shape: Shape, out_shape: Shape) -> Array:
    n, rhs = out_shape[1], x.shape[:-1]
    if 0 in (*rhs, *out_shape):
        return np.zeros(rhs + out_shape, x.dtype)
    return _equation(equation, arrays).forward(x[..., :n], x[..., n:])


def _retreat(equation: Any, arrays: Sequence[Any], w: Array, in_shape: Shape, out_shape: Shape) -> Array:
    (t, n), rhs = out_shape, w.shape[:-2]
    stops = list(range(t - 1, 0, -1)) if is_traced(w) else [i for i in range(t - 1, 0, -1) if w[..., i, :].any()]
    mu = np.zeros((*rhs, in_shape[0] - n), w.dtype)
    if not stops or 0 in (*rhs, *out_shape):
        return namespace(w).concatenate([w[..., 0, :] if t else np.zeros((*rhs, n), w.dtype), mu], axis=-1)
    equation = _equation(equation, arrays)
    lam = w[..., stops[0], :]
    for i, j in zip(stops, [*stops[1:], 0], strict=True):
        lam, added = equation.backward(lam, i, j)
        lam, mu = lam + w[..., j, :], mu + added
    return namespace(lam, mu).concatenate([lam, mu], axis=-1)
