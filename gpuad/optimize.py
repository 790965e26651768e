"""``minimize`` and ``least_squares``: SciPy's optimisers with exact derivatives, for functions of pytrees."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any

import numpy as np
import scipy
from scipy.sparse.linalg import LinearOperator

from gpuad.planning.plan import plan as planned
from gpuad.system import System
from gpuad.transforms import grad, hvp, linearize, value_and_grad
from gpuad.vectors import VectorSpace, outputs
from linalg.arrays import to_host

WITHOUT_GRADIENTS = {"nelder-mead", "powell", "cobyla", "cobyqa"}
PRODUCTS = {"newton-cg", "trust-ncg", "trust-krylov", "trust-constr"}
"""Methods that take products of the Hessian with vectors."""

MATRICES = {"dogleg", "trust-exact"}
"""Methods that take the Hessian itself."""


def minimize(f: Callable[..., Any], x0: Any, args: Any = (), method: Any = None, *, bounds: Any = None, constraints: Any = (),
             tol: float | None = None, callback: Callable[..., Any] | None = None, options: dict[str, Any] | None = None,
             plan: bool = False) -> scipy.optimize.OptimizeResult:
    """``scipy.optimize.minimize`` of f(x, *args), a real number, with exact gradients, Hessian products and Hessians.

    x is a pytree of real arrays and numbers like x0; SciPy sees a vector of double precision on the host, its leaves raveled
    one after the other. The methods Newton-CG, trust-ncg, trust-krylov and trust-constr get products of the Hessian with vectors,
    dogleg and trust-exact the Hessian; Nelder-Mead, Powell, COBYLA and COBYQA use no derivatives and get none. With ``plan`` the
    derivatives run in an ``ad.plan``.

    - bounds: a pytree like x0 with a pair (low, high) for each leaf, numbers or arrays that broadcast, None for none; for a
      leaf also a sequence of pairs, one for each entry; or SciPy's ``Bounds`` of vectors.
    - constraints: dictionaries and ``NonlinearConstraint`` whose functions take the pytree and give arrays (any pytree); they get
      exact Jacobians, in trust-constr exact Hessians. ``LinearConstraint`` is one of the vector.
    - callback: called as SciPy does, with the pytree.

    In the result ``x`` and ``jac``, the gradient, are pytrees like x0, in its dtypes and libraries (with trust-constr, ``grad``
    is one too, and the Jacobians of the constraints are ``constraint_jac``). ``hess`` and ``hess_inv`` are those of the vector.

    Raises TypeError for complex leaves, and where f is not real and scalar; NotDifferentiableError in a function that is itself
    differentiated or planned.

    >>> minimize(lambda x: np.sum((x["a"] - np.arange(3)) ** 2), {"a": np.ones(3)}).x["a"].round(6)
    array([0., 1., 2.])
    """
    space, args = VectorSpace(x0, "minimize"), args if isinstance(args, tuple) else (args,)
    VectorSpace.refuse_traced(args, "minimize")
    objective = Objective(f, space, args, plan)
    kind = method.lower() if isinstance(method, str) else method
    derivatives: dict[str, Any] = {}
    if kind not in WITHOUT_GRADIENTS:
        derivatives["jac"] = True
    if kind in PRODUCTS or callable(method):
        derivatives["hessp"] = objective.product
    if kind in MATRICES:
        derivatives["hess"] = objective.hessian
    result = scipy.optimize.minimize(
        objective.value if kind in WITHOUT_GRADIENTS else objective.value_and_gradient, space.vector(x0), method=method,
        bounds=bounds if bounds is None or isinstance(bounds, scipy.optimize.Bounds) else scipy.optimize.Bounds(
            *space.bounds(bounds, "minimize")),
        constraints=_constraints(constraints, space, kind), tol=tol, callback=_callback(callback, space, kind), options=options,
        **derivatives)
    return _as_pytrees(result, space)


class Objective:
    """A real function of a pytree as SciPy calls it: values, gradients and Hessians of vectors."""

    def __init__(self, f: Callable[..., Any], space: VectorSpace, args: tuple[Any, ...], plan: bool):
        self.f, self.space, self.args = f, space, args
        self._both = planned(value_and_grad(f)) if plan else value_and_grad(f)
        self._product = planned(self._hvp) if plan else None
        self._known: tuple[np.ndarray, System] | None = None

    def value(self, v: np.ndarray) -> float:
        out = to_host(self.f(self.space.pytree(v), *self.args))
        if np.ndim(out) or np.iscomplexobj(out):
            raise TypeError(f"minimize: expected f to return a real scalar (shape ()), got {type(out).__name__} of shape "
                            f"{np.shape(out)}")
        return float(out)

    def value_and_gradient(self, v: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = self._both(self.space.pytree(v), *self.args)
        return float(to_host(value)), self.space.vector(gradient)

    def _hvp(self, x: Any, p: Any, args: tuple[Any, ...]) -> Any:
        return hvp(lambda x: self.f(x, *args), (x,), (p,))[0]

    def product(self, v: np.ndarray, p: np.ndarray, *_: Any) -> np.ndarray:
        """The Hessian times p. Eagerly, the gradient is linearised once for all products at one place."""
        if self._product is not None:
            return self.space.vector(self._product(self.space.pytree(v), self.space.pytree(p), self.args))
        return self.space.vector(self._linearized(v).pushforward(self.space.pytree(p)))

    def hessian(self, v: np.ndarray, *_: Any) -> np.ndarray:
        n = self.space.size
        h = self.space.rows(self._linearized(v).pushforward(self.space.pytree(np.eye(n))), (n,))
        return (h + h.T) / 2

    def _linearized(self, v: np.ndarray) -> System:
        if self._known is None or not np.array_equal(self._known[0], v):
            gradient = grad(lambda x: self.f(x, *self.args))
            self._known = v.copy(), linearize(gradient, self.space.pytree(v))[1]
        return self._known[1]


class Vector:
    """A function of a pytree that gives arrays, as SciPy calls it: a vector, its Jacobian, and weighted Hessians."""

    def __init__(self, f: Callable[..., Any], space: VectorSpace, args: tuple[Any, ...], name: str):
        self.f, self.space, self.args, self.name = f, space, args, name

    def value(self, v: np.ndarray) -> np.ndarray:
        leaves = outputs(self.f(self.space.pytree(v), *self.args), self.name)
        return np.concatenate([np.zeros(0), *(np.asarray(to_host(x), float).ravel() for x in leaves)])

    def _linearized(self, v: np.ndarray) -> tuple[list[Any], System]:
        return linearize(lambda x: outputs(self.f(x, *self.args), self.name), self.space.pytree(v))

    def jacobian(self, v: np.ndarray) -> np.ndarray:
        """By as many right-hand sides as there are rows, or columns, whichever are fewer."""
        out, system = self._linearized(v)
        target, n = VectorSpace(out, self.name), self.space.size
        if target.size <= n:
            cotangents = target.pytree(np.eye(target.size))
            return self.space.rows(system.pullback(cotangents)[0], (target.size,))
        return target.rows(system.pushforward(self.space.pytree(np.eye(n))), (n,)).T

    def operator(self, v: np.ndarray) -> LinearOperator:
        """The Jacobian as a linear map, which is never formed."""
        out, system = self._linearized(v)
        target, space = VectorSpace(out, self.name), self.space
        return LinearOperator((target.size, space.size), dtype=float,
                              matvec=lambda p: target.vector(system.pushforward(space.pytree(np.ravel(p)))),
                              rmatvec=lambda w: space.vector(system.pullback(target.pytree(np.ravel(w)))[0]))

    def hessian(self, v: np.ndarray, weights: np.ndarray) -> LinearOperator:
        """The Hessian of Σ wᵢ cᵢ as a linear map."""
        target = VectorSpace(outputs(self.f(self.space.pytree(v), *self.args), self.name), self.name)
        w = target.pytree(np.asarray(weights, float))

        def weighted(x: Any) -> Any:
            return sum(np.sum(a * b) for a, b in zip(w, outputs(self.f(x, *self.args), self.name), strict=True))

        objective = Objective(weighted, self.space, (), False)
        return LinearOperator((v.size, v.size), matvec=lambda p: objective.product(v, np.ravel(p)), dtype=float)


def _constraints(given: Any, space: VectorSpace, method: Any) -> list[Any]:
    """SciPy's constraints of vectors, from constraints of pytrees."""
    alone = isinstance(given, (dict, scipy.optimize.LinearConstraint, scipy.optimize.NonlinearConstraint))
    return [_constraint(c, space, method) for c in ([given] if alone else given)]


def _constraint(c: Any, space: VectorSpace, method: Any) -> Any:
    with_derivatives = method not in WITHOUT_GRADIENTS
    if isinstance(c, dict):
        if c.get("jac") is not None:
            raise TypeError("minimize: expected constraints without jac, which is exact anyway; leave it out")
        args = c.get("args", ())
        function = Vector(c["fun"], space, args if isinstance(args, tuple) else (args,), "a constraint of minimize")
        return {"type": c["type"], "fun": function.value, **({"jac": function.jacobian} if with_derivatives else {})}
    if isinstance(c, scipy.optimize.NonlinearConstraint):
        if callable(c.jac) or not isinstance(c.hess, scipy.optimize.BFGS):
            raise TypeError("minimize: expected a NonlinearConstraint without jac and hess, which are exact anyway; leave them "
                            "out")
        function = Vector(c.fun, space, (), "a constraint of minimize")
        exact: dict[str, Any] = {"jac": function.jacobian} if with_derivatives else {}
        if method == "trust-constr":
            exact["hess"] = function.hessian
        return scipy.optimize.NonlinearConstraint(function.value, c.lb, c.ub, keep_feasible=c.keep_feasible, **exact)
    if isinstance(c, scipy.optimize.LinearConstraint):
        return c
    raise TypeError("minimize: expected constraints as dictionaries, NonlinearConstraint or LinearConstraint, got "
                    f"{type(c).__name__}")


def _callback(callback: Callable[..., Any] | None, space: VectorSpace, method: Any) -> Callable[..., Any] | None:
    """The user's callback with pytrees in the place of vectors, in each of SciPy's forms."""
    if callback is None:
        return None
    if set(signature(callback).parameters) == {"intermediate_result"}:
        return lambda intermediate_result: callback(intermediate_result=_as_pytrees(intermediate_result, space))
    if method == "trust-constr":
        return lambda x, state: callback(space.pytree(x), _as_pytrees(state, space))
    return lambda x: callback(space.pytree(x))


def _as_pytrees(result: Any, space: VectorSpace) -> Any:
    """A result with pytrees like x0 in the place of vectors."""
    result = scipy.optimize.OptimizeResult(result)
    if "grad" in result:  # trust-constr, whose jac is a list
        result.constraint_jac, result.jac = result.get("jac"), result.grad
    for key in ("x", "jac", "grad", "lagrangian_grad"):
        if isinstance(result.get(key), np.ndarray) and result[key].shape == (space.size,):
            result[key] = space.pytree(result[key])
    return result


def least_squares(residuals: Callable[..., Any], x0: Any, args: Sequence[Any] = (), *, bounds: Any = None, method: str = "trf",
                  jacobian: str = "matrix", **options: Any) -> scipy.optimize.OptimizeResult:
    """``scipy.optimize.least_squares`` of residuals(x, *args), arrays in any pytree, with the exact Jacobian.

    x is a pytree like x0, and so are ``x`` and ``grad`` in the result; ``fun`` and ``jac`` are those of the raveled vectors.
    ``jacobian="operator"`` gives SciPy products with the Jacobian and its transpose in place of the matrix, for large problems
    (methods trf and dogbox). ``bounds`` is a pytree like x0 with (low, high) for each leaf. Further options (ftol, loss, x_scale,
    max_nfev, …) are SciPy's. Raises as ``minimize`` does.

    >>> least_squares(lambda x: x - np.array([1.0, 2.0]), np.zeros(2)).x.round(6)
    array([1., 2.])
    """
    if jacobian not in ("matrix", "operator"):
        raise ValueError(f"least_squares expected jacobian 'matrix' or 'operator', got {jacobian!r}")
    if "jac" in options:
        raise TypeError("least_squares: expected no jac: the Jacobian is exact anyway; leave it out")
    space = VectorSpace(x0, "least_squares")
    VectorSpace.refuse_traced(args, "least_squares")
    function = Vector(residuals, space, tuple(args), "least_squares")
    limits: Any = (-np.inf, np.inf) if bounds is None else bounds
    if not isinstance(limits, scipy.optimize.Bounds) and bounds is not None:
        limits = space.bounds(bounds, "least_squares", pairs=False)
    result = scipy.optimize.least_squares(function.value, space.vector(x0), bounds=limits, method=method,
                                          jac=function.jacobian if jacobian == "matrix" else function.operator, **options)
    return _as_solution(result, space)


def _as_solution(result: Any, space: VectorSpace) -> Any:
    result.x, result.grad = space.pytree(result.x), space.pytree(result.grad)
    return result


__all__ = ["least_squares", "minimize"]
